"""What the fixtures of brokers in conftest.py are, and what is said where none can be had."""

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
    """Skip because no Kafka can be had, loudly; or fail when it must be had."""
    if os.environ.get("TICKWIRE_REQUIRE_KAFKA") == "1":
        pytest.fail(f"TICKWIRE_REQUIRE_KAFKA=1: {reason}", pytrace=False)
    pytest.skip(NO_KAFKA + reason)


class StartApache(Protocol):
    """Start a Kafka of this test's own; it is killed at the test's end."""

    def __call__(
        self, nodes: int = 1, properties: Mapping[str, str] | None = None, ports: Sequence[int] | None = None
    ) -> ApacheCluster: ...


@dataclass(frozen=True, slots=True)
class Kafka:
    """A real cluster to test on."""

    bootstrap: str
