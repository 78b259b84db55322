"""``tickwire dlq summary | list | show | export``: all of it is found, nothing is moved, no terminal is steered."""

import base64
import json
from pathlib import Path
from typing import Any

import pytest

from consumer_support import Headers, committed, create, send
from dead_letter_support import DOWN, bury, dlq_config, run, source
from tickwire.config.kafka_config import KafkaConfig
from tickwire.kafka.dead_letters.headers import HEADERS, Failure, describe
from tickwire.kafka.dead_letters.reader import DeadLetterReader
from tickwire.kafka.dead_letters.replay.group import GROUP
from tickwire.kafka.dead_letters.summary import Summary

EVIL = b"\x1b[2J\xc2\x9b31m\nforged: line\r"
Output = pytest.CaptureFixture[str]


@pytest.fixture(params=["embedded", pytest.param("kafka", marks=pytest.mark.kafka)])
def config(request: pytest.FixtureRequest, unique: str, monkeypatch: pytest.MonkeyPatch) -> KafkaConfig:
    config = dlq_config(request.getfixturevalue(request.param).bootstrap, unique, monkeypatch)
    create(config, config.dlq_topic, partitions=3)
    return config


def safe(text: str) -> bool:
    return all(c == "\n" or c.isprintable() for c in text)


def test_the_summary_counts_by_error_source_and_exchange(config: KafkaConfig, capsys: Output) -> None:
    bury(config, [source(config, i) for i in range(3)])
    bury(config, [source(config, 9, key=b"binance|ETH-USDT", topic=config.orderbook_topic)], DOWN)
    send(config, config.dlq_topic, [b"not ours"])
    assert run("summary", "--json") == 0
    found = json.loads(capsys.readouterr().out)
    groups = {(g["error_type"], g["source_topic"], g["exchange"]): g["records"] for g in found["groups"]}
    assert groups == {
        ("validate", config.ticker_topic, "kraken"): 3,
        ("process", config.orderbook_topic, "binance"): 1,
        ("?", "?", "?"): 1,
    }
    assert all(g["first_ms"] <= g["last_ms"] for g in found["groups"])
    assert (found["complete"], found["stopped"]) == (True, None)
    assert sum(part["to"] - part["from"] for part in found["scanned"]) == 5
    assert run("summary", "--error-type", "process") == 0
    printed = capsys.readouterr().out
    assert len([line for line in printed.splitlines() if "binance" in line and config.orderbook_topic in line]) == 1
    assert "kraken" not in printed


def test_forged_names_do_not_fill_the_memory(config: KafkaConfig) -> None:
    from tickwire.kafka.dead_letters.selection import DeadLetter  # noqa: PLC0415

    summary = Summary()
    for number in range(3000):
        summary.add(DeadLetter.of(source(config, number, key=b"x%d|y" % number)))
    assert (summary.total, len(summary.groups())) == (3000, 1001)


def test_the_list_is_one_line_each_and_filters(config: KafkaConfig, capsys: Output) -> None:
    bury(config, [source(config, i, b"value %d" % i) for i in range(5)])
    bury(config, [source(config, 7, b"other", key=b"kraken|ETH-USD")], DOWN)
    for arguments, count in {
        (): 6,
        ("--error-type", "process"): 1,
        ("--key", "kraken|BTC-USD"): 5,
        ("--grep", "value 3"): 1,
        ("--grep", "sink down"): 1,
        ("--source-topic", config.orderbook_topic): 0,
        ("--since", "2020-01-01"): 6,
        ("--since", "2100-01-01"): 0,
        ("--until", "2020-01-01"): 0,
        ("--until", "2100-01-01"): 6,
    }.items():
        assert run("list", *arguments) == 0
        lines = capsys.readouterr().out.splitlines()
        assert len(lines) - 1 == (count + 1 if count else 0), arguments  # the heading
        assert lines[-1].startswith(f"{count} dead letters, all that"), arguments


def test_it_says_when_it_stopped_at_its_limit(config: KafkaConfig, capsys: Output) -> None:
    bury(config, [source(config, i, b"%d" % i) for i in range(5)])
    assert run("list", "--limit", "2", "--json") == 0
    output = capsys.readouterr()
    assert [json.loads(line)["value"] for line in output.out.splitlines()] == ["0", "1"]
    assert "holds more: raise --limit" in output.err
    assert run("summary", "--limit", "2", "--json") == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["complete"], found["stopped"], found["groups"][0]["records"]) == (False, "limit", 2)
    assert run("list", "--limit", "5") == 0
    assert "all that" in capsys.readouterr().out


def test_what_arrives_while_it_reads_does_not_belong_to_it(config: KafkaConfig) -> None:
    send(config, config.dlq_topic, [b"%d" % i for i in range(500)])
    with DeadLetterReader(config, config.dlq_topic) as reader:
        part = reader.ranges[0]
        records = reader.read(part)
        values = [next(records).value]
        send(config, config.dlq_topic, [b"late"])
        values += [record.value for record in records]
        assert values == [b"%d" % i for i in range(500)]
        assert reader.ranges[1].end == 0
    assert (part.reached, part.end) == (500, 500)


def test_one_is_shown_whole(config: KafkaConfig, capsys: Output) -> None:
    bury(config, [source(config, 0, b"x" * 5000, headers=[("h", EVIL)])])
    [partition] = [p for p, part in _ranges(config).items() if part]
    assert run("show", f"{partition}:0") == 0
    printed = capsys.readouterr().out
    assert "x" * 5000 in printed
    assert safe(printed)
    assert run("show", f"{partition}:0", "--hex") == 0
    assert capsys.readouterr().out.startswith("00000000  78 78 78")
    assert run("show", f"{partition}:0", "--json") == 0
    assert json.loads(capsys.readouterr().out)["error_message"] == "price is NaN"


def _ranges(config: KafkaConfig) -> dict[int, int]:
    with DeadLetterReader(config, config.dlq_topic) as reader:
        return {number: part.end - part.start for number, part in reader.ranges.items()}


def test_what_another_program_does_not_tell_is_unknown(config: KafkaConfig, capsys: Output) -> None:
    headers: Headers = [("source_topic", config.ticker_topic), ("error_type", "process"), ("mine", "x")]
    send(config, config.dlq_topic, [b"foreign"], headers=headers)
    assert run("list") == 0
    assert f"{config.ticker_topic}:?:?" in capsys.readouterr().out
    assert run("show", "0:0") == 0
    printed = capsys.readouterr().out
    assert f"{config.ticker_topic} partition unknown offset unknown, read by unknown" in printed
    assert "process (unknown): unknown" in printed
    assert run("show", "0:0", "--json") == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["source_topic"], told["error_type"], told["error_message"]) == (config.ticker_topic, "process", None)
    assert [header["name"] for header in told["headers"]] == ["mine"]


def test_every_command_takes_a_letter_that_has_the_two_specified_headers_alone(
    config: KafkaConfig, capsys: Output
) -> None:
    headers: Headers = [("source_topic", config.ticker_topic), ("error_type", "TimeoutError")]
    create(config, config.ticker_topic)
    send(config, config.dlq_topic, [b"bare"], partition=0, headers=headers)
    assert run("summary", "--json") == 0
    (group,) = json.loads(capsys.readouterr().out)["groups"]
    assert (group["error_type"], group["source_topic"], group["records"]) == ("TimeoutError", config.ticker_topic, 1)
    for command in (["export"], ["list", "--json"], ["show", "0:0", "--json"]):
        assert run(*command) == 0
        told = json.loads(capsys.readouterr().out)
        unknown = {name for name in HEADERS if told[name] is None}
        assert (unknown, told["headers"]) == (set(HEADERS) - {"source_topic", "error_type"}, [])
    for command in (["list", "--error-type", "TimeoutError"], ["inspect"], ["show", "0:0"]):
        assert run(*command) == 0
        assert "TimeoutError" in capsys.readouterr().out
    assert run("replay", "--source-topic", config.ticker_topic, "--execute", "--json") == 0
    assert json.loads(capsys.readouterr().out)["sent"] == {config.ticker_topic: 1}


def test_the_kind_of_an_error_is_told_once(config: KafkaConfig, capsys: Output) -> None:
    bury(config, [source(config, 0)], describe(ValueError("no price"), 1))
    assert run("inspect") == 0
    assert "process (ValueError): no price" in capsys.readouterr().out


def test_raw_is_every_byte(config: KafkaConfig, capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    send(config, config.dlq_topic, [EVIL + b"\xff\x00"])
    assert run("show", "0:0", "--raw") == 0
    assert capfdbinary.readouterr().out == EVIL + b"\xff\x00"


@pytest.mark.parametrize(
    ("place", "code"), [("0:5", 2), ("7:0", 2), ("0", 2), ("a:b", 2), ("0:-1", 2), ("0:99999999999999999999", 2)]
)
def test_a_place_that_is_none_is_one_sentence(config: KafkaConfig, capsys: Output, place: str, code: int) -> None:
    send(config, config.dlq_topic, [b"x"])
    assert run("show", place) == code
    assert len(capsys.readouterr().err.splitlines()) == 1


def test_an_export_carries_every_byte(config: KafkaConfig, capsys: Output, tmp_path: Path) -> None:
    values: list[bytes | None] = [EVIL, b"\xff\x00", None, b"", "é".encode()]
    bury(
        config,
        [source(config, i, value, key=None, headers=[("h", b"\xff"), ("n", None)]) for i, value in enumerate(values)],
    )
    file = tmp_path / "out.jsonl"
    assert run("export", "--out", str(file)) == 0
    assert capsys.readouterr().out == ""
    lines = [json.loads(line) for line in file.read_text().splitlines()]
    assert run("export") == 0
    assert [json.loads(line) for line in capsys.readouterr().out.splitlines()] == lines

    def back(text: str | None) -> bytes | None:
        return None if text is None else base64.b64decode(text)

    by_source = {int(line["source_offset"]): line for line in lines}
    assert [back(by_source[i]["value_base64"]) for i in range(5)] == values
    assert all(
        [(h["name"], back(h["value_base64"])) for h in line["headers"]] == [("h", b"\xff"), ("n", None)]
        for line in lines
    )
    assert all(line["key_base64"] is None for line in lines)


def test_nothing_that_is_printed_can_steer_a_terminal(config: KafkaConfig, capsys: Output) -> None:
    text = EVIL.decode()
    bury(config, [source(config, 1, EVIL, EVIL, [(text, EVIL)], topic=text)], Failure("schema", text, text, 1))
    for command in (["list"], ["summary"], ["list", "--json"], ["summary", "--json"], ["export"], ["show", "0:0"]):
        for partition in "012" if command[0] == "show" else "0":
            run(command[0], *(f"{partition}:0" if argument == "0:0" else argument for argument in command[1:]))
        output = capsys.readouterr()
        assert "2J" in output.out
        assert safe(output.out + output.err), command
        assert not [line for line in output.out.splitlines() if line.startswith("forged")]


def test_reading_commits_nothing(config: KafkaConfig) -> None:
    send(config, config.dlq_topic, [b"x"])
    for command in (["list"], ["summary"], ["export"], ["show", "0:0"], ["inspect"], ["replay"]):
        assert run(*command) == 0
    for group in (GROUP, config.group_id):
        assert committed(config, config.dlq_topic, 3, group) == [None] * 3


@pytest.mark.parametrize(
    "arguments",
    [["list", "--since", "soon"], ["list", "--error-type", ""], ["show", "0:0", "--hex", "--json"], ["purge"]],
)
def test_wrong_usage_is_one_sentence(config: KafkaConfig, capsys: Output, arguments: list[str]) -> None:
    assert run(*arguments) == 2
    assert len(capsys.readouterr().err.splitlines()) == 1


@pytest.mark.parametrize(
    "command",
    [
        ["list"],
        ["list", "--since", "2020-01-01"],
        ["summary"],
        ["export"],
        ["inspect"],
        ["replay"],
        ["replay", "--execute"],
        ["purge", "--all", "--topic-name-again"],
    ],
    ids=" ".join,
)
@pytest.mark.parametrize("broker", ["embedded", pytest.param("kafka", marks=pytest.mark.kafka)])
def test_without_a_topic_there_is_nothing_and_it_says_so(
    broker: str,
    unique: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: Output,
    command: list[str],
    request: pytest.FixtureRequest,
) -> None:
    config = dlq_config(request.getfixturevalue(broker).bootstrap, unique, monkeypatch)
    monkeypatch.delenv("KAFKA_DLQ_ENABLED")
    assert run(*command, *([config.dlq_topic] if command[0] == "purge" else [])) == 0
    output = capsys.readouterr()
    assert f"the topic {config.dlq_topic} (KAFKA_DLQ_TOPIC) is not in Kafka yet" in output.out + output.err


def test_a_place_in_a_missing_topic_is_one_sentence(
    embedded: Any, unique: str, monkeypatch: pytest.MonkeyPatch, capsys: Output
) -> None:
    dlq_config(embedded.bootstrap, unique, monkeypatch)
    assert run("show", "0:0") == 2
    assert "There are no dead letters" in capsys.readouterr().err
