"""Some Kafka to run the smoke checks on: Docker Compose's, a running one, or the embedded one."""

import contextlib
import shutil
import socket
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tickwire.broker import EmbeddedBroker
from tickwire.config.kafka_config import KafkaConfig

_COMPOSE_FILE = Path("docker-compose.kafka.yml")
_COMPOSE_BOOTSTRAP = "localhost:9092"


@dataclass(frozen=True, slots=True)
class SomeKafka:
    """Where it answers and what it is."""

    bootstrap: str
    what: str


@contextlib.contextmanager
def some_kafka(config: KafkaConfig) -> Iterator[SomeKafka]:
    """Give the first that works, and stop afterwards what was started here."""
    if _compose("ps", "--quiet", output=True):
        yield SomeKafka(_COMPOSE_BOOTSTRAP, "Docker Compose, already up")
    elif _compose("up", "-d", "--wait"):
        try:
            yield SomeKafka(_COMPOSE_BOOTSTRAP, "Docker Compose, started for this")
        finally:
            _compose("down")
    elif _running(config.brokers):
        yield SomeKafka(config.brokers, "already running")
    else:
        with EmbeddedBroker(port=0) as broker:
            yield SomeKafka(broker.bootstrap, "embedded, because no Docker engine answers and no Kafka runs")


def _compose(*arguments: str, output: bool = False) -> bool:
    """Run one compose command; True when it succeeded and, with *output*, when it said something too."""
    docker = shutil.which("docker")
    if docker is None or not _COMPOSE_FILE.exists() or _output([docker, "info"], seconds=10) is None:
        return False
    said = _output([docker, "compose", "-f", str(_COMPOSE_FILE), *arguments], seconds=300)
    return bool(said) if output else said is not None


def _output(command: list[str], *, seconds: float) -> bytes | None:
    try:
        done = subprocess.run(command, capture_output=True, timeout=seconds, check=False)  # noqa: S603 - fixed words
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout if done.returncode == 0 else None


def _running(brokers: str) -> bool:
    for broker in brokers.split(","):
        host, _, port = broker.rpartition(":")
        with contextlib.suppress(OSError), socket.create_connection((host.strip("[]"), int(port)), timeout=2):
            return True
    return False
