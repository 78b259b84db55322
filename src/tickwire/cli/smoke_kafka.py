"""Chooses a Kafka for the smoke checks: the one in KAFKA_BROKERS, Docker Compose's, or the embedded one."""

import contextlib
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tickwire.broker import EmbeddedBroker
from tickwire.config.kafka_config import KafkaConfig

_COMPOSE_FILE = Path("docker-compose.kafka.yml")
_COMPOSE = ("compose", "-f", str(_COMPOSE_FILE))
_COMPOSE_BOOTSTRAP = "localhost:9092"
_START_S = 300


@dataclass(frozen=True, slots=True)
class SomeKafka:
    """Its address, and what it is."""

    bootstrap: str
    what: str

    def __str__(self) -> str:
        return f"{self.bootstrap} ({self.what})"


@contextlib.contextmanager
def some_kafka(config: KafkaConfig) -> Iterator[SomeKafka]:
    """Yield the first one that works; afterwards stop it if it was started here."""
    if _running(config.brokers):
        yield SomeKafka(config.brokers, "already running")
        return
    none = f"nothing listens at {config.brokers}"
    docker = _engine()
    if docker is None:
        none += " and no Docker engine answers"
    elif _said([docker, *_COMPOSE, "ps", "--quiet"], seconds=60):
        yield SomeKafka(_COMPOSE_BOOTSTRAP, f"Docker Compose, already up; {none}")
        return
    elif _started(docker):
        try:
            yield SomeKafka(_COMPOSE_BOOTSTRAP, f"Docker Compose, started for this, because {none}")
        finally:
            _said([docker, *_COMPOSE, "down"], seconds=60)
        return
    else:
        none += " and Docker Compose did not start one"
    with EmbeddedBroker(port=0) as broker:
        yield SomeKafka(broker.bootstrap, f"embedded, because {none}")


def _engine() -> str | None:
    """The docker command, if an engine answers and the compose file exists."""
    docker = shutil.which("docker")
    if docker is None or not _COMPOSE_FILE.exists() or _said([docker, "info"], seconds=10) is None:
        return None
    return docker


def _started(docker: str) -> bool:
    minutes = _START_S // 60
    print(f"Starting Docker Compose's Kafka; the first time it fetches an image (at most {minutes} min).", flush=True)
    return _said([docker, *_COMPOSE, "up", "-d", "--wait"], seconds=_START_S, shown=True) is not None


def _said(command: list[str], *, seconds: float, shown: bool = False) -> bytes | None:
    """Run *command* and return its output; None if it failed. *shown*: its output goes to standard error instead."""
    output = (sys.stderr, sys.stderr) if shown else (subprocess.PIPE, subprocess.DEVNULL)
    try:
        done = subprocess.run(command, stdout=output[0], stderr=output[1], timeout=seconds, check=False)  # noqa: S603 - fixed
    except (OSError, subprocess.TimeoutExpired):
        return None
    return (done.stdout or b"") if done.returncode == 0 else None


def _running(brokers: str) -> bool:
    for broker in brokers.split(","):
        host, _, port = broker.rpartition(":")
        with contextlib.suppress(OSError), socket.create_connection((host.strip("[]"), int(port)), timeout=2):
            return True
    return False
