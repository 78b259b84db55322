"""The types of the broker fixtures in conftest.py, for annotations."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from tickwire.broker import ApacheCluster

# Apache Kafka's libraries are fetched into this ignored folder once.
CACHE = Path(__file__).parents[1] / ".cache"


class StartApache(Protocol):
    """Start a Kafka of this test's own; it is killed at the test's end."""

    def __call__(
        self, nodes: int = 1, properties: Mapping[str, str] | None = None, ports: Sequence[int] | None = None
    ) -> ApacheCluster: ...


@dataclass(frozen=True, slots=True)
class Kafka:
    """A real cluster to test on."""

    bootstrap: str
