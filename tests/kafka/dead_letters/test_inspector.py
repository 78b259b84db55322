"""Looking at dead letters: readable, safe for terminals, and honest about whether that is all."""

import base64
import json
from typing import Any

import pytest

from consumer_support import Headers, committed, config_for, create, run_command, send
from tickwire.cli.dlq.output import shown
from tickwire.cli.dlq.reading import inspect
from tickwire.config.kafka_config import KafkaConfig
from tickwire.errors import Reject
from tickwire.kafka.consuming.consumer import run_kafka_consumer
from tickwire.kafka.dead_letters.reader import read_oldest
from tickwire.kafka.received import ReceivedRecord

EVIL = b"\x1b[2J\xc2\x9b31m\nvalue: forged\r"


@pytest.fixture(params=["embedded", pytest.param("kafka", marks=pytest.mark.kafka)])
def config(request: pytest.FixtureRequest, unique: str, monkeypatch: pytest.MonkeyPatch) -> KafkaConfig:
    config = config_for(request.getfixturevalue(request.param).bootstrap, unique, dlq_enabled=True)
    for name, value in {"ENABLED": "true", "BROKERS": config.brokers, "DLQ_TOPIC": config.dlq_topic}.items():
        monkeypatch.setenv(f"KAFKA_{name}", value)
    monkeypatch.setenv("KAFKA_DLQ_ENABLED", "true")
    return config


def run(*arguments: str) -> int:
    return run_command(inspect, *arguments)


def test_the_oldest_come_first_and_it_says_whether_there_are_more(config: KafkaConfig) -> None:
    create(config, config.dlq_topic, partitions=3)
    for number in range(6):
        send(config, config.dlq_topic, [b"%d" % number], partition=number % 3)
    reading = read_oldest(config, config.dlq_topic, 4)
    assert (len(reading.letters), reading.complete) == (4, False)
    times = [letter.record.timestamp_ms or 0 for letter in reading.letters]
    assert times == sorted(times)
    reading = read_oldest(config, config.dlq_topic, 6)
    assert {letter.record.value for letter in reading.letters} == {b"%d" % i for i in range(6)}
    assert reading.complete
    assert committed(config, config.dlq_topic, 3, config.group_id) == [None] * 3


def test_nothing_that_it_prints_can_steer_a_terminal(config: KafkaConfig, capsys: pytest.CaptureFixture[str]) -> None:
    create(config, config.dlq_topic)
    headers: Headers = [("na\x1bme", EVIL)]
    send(config, config.dlq_topic, [EVIL, b"\xff" * 100, None, b""], headers=headers)
    assert run() == 0
    printed = capsys.readouterr().out
    assert all(c == "\n" or c.isprintable() for c in printed)
    assert "\\x1b[2J" in printed
    assert "(100 bytes)" in printed
    assert "4 dead letters, all that" in printed
    assert not [line for line in printed.splitlines() if line.startswith("value: forged")]


def test_json_lines_carry_every_byte(config: KafkaConfig, capsys: pytest.CaptureFixture[str]) -> None:
    create(config, config.dlq_topic)
    send(config, config.dlq_topic, [EVIL, b"\xff", None], headers=[("h", b"\xff")])
    assert run("--json", "--max", "2") == 0
    output = capsys.readouterr()
    lines = [json.loads(line) for line in output.out.splitlines()]
    assert [base64.b64decode(line["value_base64"]) for line in lines] == [EVIL, b"\xff"]
    assert (lines[0]["value"], lines[1]["value"], lines[0]["key"]) == (EVIL.decode(), None, "k")
    assert lines[0]["headers"] == [{"name": "h", "value": None, "value_base64": "/w=="}]
    assert "holds more" in output.err
    assert "\x1b" not in output.out


def test_a_real_dead_letter_says_why(config: KafkaConfig, capsys: pytest.CaptureFixture[str]) -> None:
    def refuse(_record: ReceivedRecord) -> None:
        raise Reject("no price in it")

    create(config, config.ticker_topic)
    send(config, config.ticker_topic, [b"x"])
    run_kafka_consumer(config, topics=[config.ticker_topic], handler=refuse, max_records=1)
    assert run("--max", "5") == 0
    printed = capsys.readouterr().out
    assert f"{config.ticker_topic} partition 0 offset 0" in printed
    assert "process (tickwire.errors.Reject): no price in it" in printed


def test_a_missing_topic_holds_nothing(config: KafkaConfig) -> None:
    reading = read_oldest(config, config.dlq_topic, 1)
    assert (reading.letters, reading.ranges, reading.complete) == ([], [], True)


def test_looking_needs_no_switch_but_respects_the_one_of_kafka(
    embedded: Any, unique: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("KAFKA_BROKERS", embedded.bootstrap)
    monkeypatch.setenv("KAFKA_DLQ_TOPIC", f"dlq.{unique}")
    assert run() == 0
    monkeypatch.setenv("KAFKA_ENABLED", "false")
    assert run() == 2
    assert "KAFKA_ENABLED" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (None, "null"),
        (b"", "empty"),
        (b"text", "text"),
        (b"\x00\xff", "0x00ff"),
        (b"a" * 401, "a" * 400 + "… (401 bytes)"),
    ],
)
def test_bytes_for_a_person(data: Any, expected: str) -> None:
    assert shown(data) == expected
