"""``tickwire consume``: what it prints, writes and ends with."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from consumer_support import config_for, create, run_command, send, send_events, ticker
from tickwire.cli.consume import consume
from tickwire.cli.consume_output import json_line
from tickwire.config.kafka_config import KafkaConfig
from tickwire.kafka.received import ReceivedRecord


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch) -> Callable[..., int]:
    monkeypatch.setenv("KAFKA_ENABLED", "true")

    return lambda *arguments: run_command(consume, *arguments)


def line(value: bytes | None, key: bytes | None = b"k") -> dict[str, object]:
    text = json_line(ReceivedRecord("t", 1, 2, key, value, (), 3))
    assert "\n" not in text
    assert text.isprintable()
    parsed: dict[str, object] = json.loads(text)
    return parsed


def test_json_is_passed_on_digit_for_digit_on_one_line() -> None:
    text = json_line(ReceivedRecord("t", 1, 2, b"k", b'{"a" :\n 1.10e5, "b": 100000000000000000000000.0}'))
    assert '"value":{"a":1.10e5,"b":100000000000000000000000.0}' in text


@pytest.mark.parametrize("value", [b"", b"{", b"\xff", b'{"a":"\xff"}', b"NaN", b"[" * 100_000])
def test_other_bytes_are_base64(value: bytes) -> None:
    assert "value_base64" in line(value)
    assert "value" not in line(value)


def test_null_and_bytes_in_the_key() -> None:
    assert line(None)["value"] is None
    assert line(b"1", key=b"\xff")["key_base64"] == "/w=="
    assert line(b"1", key=None)["key"] is None


def test_characters_that_steer_terminals_are_escaped_and_still_the_same() -> None:
    evil = "\x7f\x9b31m\u202e\ufeff"
    assert line(json.dumps(evil, ensure_ascii=False).encode(), key=b"\x1b[2J")["value"] == evil


def test_batches_without_a_handler_are_refused(run: Callable[..., int], capsys: pytest.CaptureFixture[str]) -> None:
    assert run("--batch", "100") == 2
    assert capsys.readouterr().err.startswith("error: --batch is for a handler of yours")


@pytest.mark.kafka
def test_report_and_json_lines(
    kafka: KafkaConfig, unique: str, run: Callable[..., int], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = config_for(kafka.bootstrap, unique)  # type: ignore[attr-defined]
    create(config, config.ticker_topic)
    send_events(config, [ticker(bid=f"1.{i}", received_us=1_700_000_000_000_000 + i * 1000) for i in range(5)])
    report = tmp_path / "report.json"
    common = ["--topics", config.ticker_topic, "--brokers", config.brokers, "--report", str(report)]

    assert run(*common, "--max", "3", "--group", unique, "--format", "json") == 0
    output = capsys.readouterr()
    values = [json.loads(text) for text in output.out.splitlines()]
    assert [(v["offset"], v["key"], v["value"]["bid"]) for v in values] == [
        (i, "binance|BTC-USDT", f"1.{i}") for i in range(3)
    ]
    assert output.err.splitlines()[-1].startswith(f"Consumed 3 records ({config.ticker_topic} 3), 0 dead letters")
    written = json.loads(report.read_text())
    assert written["consumed"] == {config.ticker_topic: 3}
    assert written["tickers"]["binance|BTC-USDT"]["bid"] == "1.2"
    assert written["lag"] == {f"{config.ticker_topic}-0": 2}

    assert run(*common, "--max", "2", "--group", unique) == 0
    assert capsys.readouterr().out.splitlines()[-1].startswith("Consumed 2 records")


@pytest.mark.kafka
def test_a_bad_record_ends_it_with_one_sentence_and_a_report(
    kafka: KafkaConfig, unique: str, run: Callable[..., int], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = config_for(kafka.bootstrap, unique)  # type: ignore[attr-defined]
    create(config, config.ticker_topic)
    send(config, config.ticker_topic, [b'"\x1b[2J'])
    report = tmp_path / "report.json"
    arguments = ["--topics", config.ticker_topic, "--brokers", config.brokers, "--report", str(report)]
    assert run(*arguments, "--format", "none") == 1
    output = capsys.readouterr()
    [sentence] = [text for text in output.err.splitlines() if text.startswith("error: ")]
    assert f"Stopped at {config.ticker_topic} partition 0 offset 0" in sentence
    assert "\x1b" not in output.err
    assert output.out == ""
    assert json.loads(report.read_text())["consumed"] == {}


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--from", "soon"], "--from 'soon'"),
        (["--handler", "no_such_module:f"], "cannot be imported"),
        (["--topics", "events.v1.dlq"], "dead-letter topic"),
        (["--topics", " , "], "names no topic"),
        (["--topics", "^.*"], "is no topic"),
    ],
)
def test_wrong_usage_is_one_sentence(
    run: Callable[..., int], capsys: pytest.CaptureFixture[str], arguments: list[str], words: str
) -> None:
    assert run(*arguments) == 2
    error = capsys.readouterr().err
    assert words in error
    assert len(error.splitlines()) == 1


def test_an_unwritable_report_is_known_at_once(run: Callable[..., int], capsys: pytest.CaptureFixture[str]) -> None:
    assert run("--report", "/proc/nothing/here") == 1
    assert "Cannot write '/proc/nothing/here'" in capsys.readouterr().err
