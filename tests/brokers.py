"""Types of the broker fixtures in conftest.py, and the skip without a broker."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import pytest

from tickwire.broker import ApacheCluster

# Apache Kafka's libraries are fetched into this ignored folder once.
CACHE = Path(__file__).parents[1] / ".cache"
NO_KAFKA = "No Kafka: "


def skip_without(reason: str) -> None:
    """Skip visibly because there is no Kafka, or fail if it is required."""
    if os.environ.get("TICKWIRE_REQUIRE_KAFKA") == "1":
        pytest.fail(f"TICKWIRE_REQUIRE_KAFKA=1: {reason}", pytrace=False)
    pytest.skip(NO_KAFKA + reason)


class StartApache(Protocol):
    """Start a Kafka for one test; it is killed at the test's end."""

    def __call__(
        self, nodes: int = 1, properties: Mapping[str, str] | None = None, ports: Sequence[int] | None = None
    ) -> ApacheCluster: ...


@dataclass(frozen=True, slots=True)
class Kafka:
    """A real cluster to test on."""

    bootstrap: str
