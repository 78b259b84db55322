"""``tickwire dlq purge``: only what was asked for, and only with the name typed."""

import json
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka import Producer

from consumer_support import create, read_all, send
from dead_letter_support import dlq_config, run
from tickwire.config.kafka_config import KafkaConfig

Output = pytest.CaptureFixture[str]


@pytest.fixture
def config(kafka: Any, unique: str, monkeypatch: pytest.MonkeyPatch) -> KafkaConfig:
    config = dlq_config(kafka.bootstrap, unique, monkeypatch)
    create(config, config.dlq_topic, partitions=2)
    return config


def held(config: KafkaConfig) -> list[bytes | None]:
    return sorted((record.value for record in read_all(config, config.dlq_topic)), key=str)


@pytest.mark.kafka
def test_all_that_is_there_is_removed(config: KafkaConfig, capsys: Output) -> None:
    send(config, config.dlq_topic, [b"1", b"2"])
    send(config, config.dlq_topic, [b"3"], partition=1)
    assert run("purge", "--all", "--topic-name-again", config.dlq_topic, "--json") == 0
    found = json.loads(capsys.readouterr().out)
    assert [part["to"] for part in found["removed"]] == [2, 1]
    assert held(config) == []
    assert run("purge", "--all", "--topic-name-again", config.dlq_topic) == 0
    assert "Removed 0 offsets" in capsys.readouterr().out


@pytest.mark.kafka
def test_only_what_is_older_is_removed(config: KafkaConfig) -> None:
    producer = Producer({"bootstrap.servers": config.brokers})
    now = 1_795_000_000_000
    for i in range(6):
        producer.produce(config.dlq_topic, b"%d" % i, partition=i % 2, timestamp=now + i * 1000)
    assert producer.flush(20) == 0
    assert run("purge", "--before", str(now + 3000), "--topic-name-again", config.dlq_topic) == 0
    assert held(config) == [b"3", b"4", b"5"]
    assert run("purge", "--before", str(now + 100_000), "--topic-name-again", config.dlq_topic) == 0
    assert held(config) == []


@pytest.mark.kafka
@pytest.mark.parametrize(
    "arguments",
    [["--all"], ["--all", "--topic-name-again", "another"], ["--all", "--before", "1"], ["--before", "soon"]],
)
def test_without_the_name_or_a_clear_wish_nothing_is_removed(
    config: KafkaConfig, capsys: Output, arguments: list[str], tmp_path: Path
) -> None:
    send(config, config.dlq_topic, [b"1"])
    assert run("purge", *arguments) == 2
    assert len(capsys.readouterr().err.splitlines()) == 1
    assert held(config) == [b"1"]
    assert list(tmp_path.iterdir()) == []


@pytest.mark.kafka
@pytest.mark.parametrize(("typed", "code", "left"), [("right", 0, []), ("wrong", 2, [b"1"])])
def test_on_a_terminal_the_name_is_asked_for(
    config: KafkaConfig, monkeypatch: pytest.MonkeyPatch, capsys: Output, typed: str, code: int, left: list[bytes]
) -> None:
    send(config, config.dlq_topic, [b"1"])
    monkeypatch.setattr("sys.stdin.isatty", lambda: True)
    monkeypatch.setattr("builtins.input", lambda _question: config.dlq_topic if typed == "right" else typed)
    assert run("purge", "--all") == code
    assert held(config) == left


def test_a_broker_that_cannot_is_one_sentence(
    embedded: Any, unique: str, monkeypatch: pytest.MonkeyPatch, capsys: Output, state: Path
) -> None:
    config = dlq_config(embedded.bootstrap, unique, monkeypatch)
    create(config, config.dlq_topic)
    send(config, config.dlq_topic, [b"1"])
    assert run("purge", "--all", "--topic-name-again", config.dlq_topic) == 1
    assert "did not remove" in capsys.readouterr().err
    [line] = state.read_text().splitlines()
    assert "did not remove" in json.loads(line)["error"]
