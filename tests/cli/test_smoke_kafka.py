"""Which Kafka the smoke checks run on: the user's own first, and nothing is fetched or stopped without a word."""

import re
import time
from pathlib import Path
from types import SimpleNamespace

import pytest

from brokers import Kafka
from support import free_port
from tickwire.broker import EmbeddedBroker
from tickwire.cli import round_trip
from tickwire.cli.smoke_kafka import some_kafka
from tickwire.config.kafka_config import KafkaConfig

DOCKER = """#!/bin/sh
echo "$*" >> {folder}/asked
case "$*" in *ps*) cat {folder}/up;; *up*) exit {up};; esac
"""


@pytest.fixture
def asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The file of what a Docker was asked; it has no Kafka up and starts one when told to."""
    return docker(tmp_path, monkeypatch)


def docker(folder: Path, monkeypatch: pytest.MonkeyPatch, up: str = "", code: int = 0) -> Path:
    (folder / "docker-compose.kafka.yml").touch()
    (folder / "up").write_text(up)
    (folder / "asked").touch()
    command = folder / "docker"
    command.write_text(DOCKER.format(folder=folder, up=code))
    command.chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}:/usr/bin:/bin")
    monkeypatch.chdir(folder)
    return folder / "asked"


def nowhere() -> KafkaConfig:
    return KafkaConfig(brokers=f"127.0.0.1:{free_port()}")


def test_the_kafka_in_the_settings_comes_first(embedded: EmbeddedBroker, asked: Path) -> None:
    with some_kafka(KafkaConfig(brokers=embedded.bootstrap)) as kafka:
        assert str(kafka) == f"{embedded.bootstrap} (already running)"
    assert asked.read_text() == ""


def test_composes_is_announced_before_it_starts_and_stopped_afterwards(
    asked: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    config = nowhere()
    with some_kafka(config) as kafka:
        assert "fetches an image" in capfd.readouterr().out
        assert f"nothing listens at {config.brokers}" in str(kafka)
        assert "down" not in asked.read_text()
    assert asked.read_text().splitlines()[-1].endswith("down")


def test_composes_that_is_up_stays_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = docker(tmp_path, monkeypatch, up="1a2b\n")
    with some_kafka(nowhere()) as kafka:
        assert "already up" in kafka.what
    assert [line.split()[3] for line in asked.read_text().splitlines()[1:]] == ["ps"]


@pytest.mark.parametrize("engine", [True, False])
def test_the_embedded_one_is_the_last_and_says_where_nothing_was_found(
    engine: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = docker(tmp_path, monkeypatch, code=1)
    if not engine:
        (tmp_path / "docker-compose.kafka.yml").unlink()
    config = nowhere()
    with some_kafka(config) as kafka:
        assert kafka.what.startswith(f"embedded, because nothing listens at {config.brokers} and ")
        assert kafka.bootstrap != config.brokers
    assert "down" not in asked.read_text()


@pytest.mark.kafka
@pytest.mark.parametrize(
    ("ahead_s", "words"), [(0, "Clock-ok"), (5, r"Clock-differs \(the broker's clock is [45]\.\d+ s")]
)
def test_how_far_the_clock_of_the_broker_is_from_ours_is_said(
    kafka: Kafka, monkeypatch: pytest.MonkeyPatch, ahead_s: float, words: str
) -> None:
    ours = SimpleNamespace(time=lambda: time.time() - ahead_s, time_ns=time.time_ns, monotonic=time.monotonic)
    monkeypatch.setattr(round_trip, "time", ours)
    *_, said = round_trip.round_trip(KafkaConfig(enabled=True, brokers=kafka.bootstrap), 1)
    assert re.match(words, said)
    assert ("ahead of" in said) or not ahead_s
