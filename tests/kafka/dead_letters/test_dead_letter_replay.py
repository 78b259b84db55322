"""``tickwire dlq replay``: byte for byte, once each, only where allowed, and what is left out is found again."""

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka import KafkaError

from consumer_support import Headers, committed, config_for, create, read_all, send
from dead_letter_support import DOWN, WRONG_PRICE, bury, dlq_config, run, source
from kafka.dead_letters.replay_support import ready, replay, values
from kafka.mock_cluster import PRODUCE, MockCluster
from tickwire.broker import EmbeddedBroker
from tickwire.config.kafka_config import KafkaConfig
from tickwire.kafka.admin.topics import Topics
from tickwire.kafka.consuming.consumer import run_kafka_consumer
from tickwire.kafka.consuming.positions import Start
from tickwire.kafka.dead_letters.headers import HEADERS, split_headers, split_replay
from tickwire.kafka.dead_letters.replay.group import GROUP
from tickwire.kafka.dead_letters.replay.outbox import NOT_SENT, Outbox, Parcel
from tickwire.kafka.dead_letters.replay.routes import ReplayRules, quarantine_topic
from tickwire.kafka.dead_letters.replay.run import Replay
from tickwire.kafka.dead_letters.selection import Selection
from tickwire.kafka.dead_letters.writer import DeadLetters
from tickwire.kafka.received import ReceivedRecord

Output = pytest.CaptureFixture[str]


@pytest.fixture(params=["embedded", pytest.param("kafka", marks=pytest.mark.kafka)])
def anywhere(request: pytest.FixtureRequest, unique: str, monkeypatch: pytest.MonkeyPatch) -> KafkaConfig:
    return ready(dlq_config(request.getfixturevalue(request.param).bootstrap, unique, monkeypatch))


def fail_again(config: KafkaConfig, record: ReceivedRecord) -> None:
    DeadLetters(config, config.group_id).write(record, WRONG_PRICE)


def test_a_dry_run_says_what_would_happen_and_does_nothing(anywhere: KafkaConfig, state: Path, capsys: Output) -> None:
    bury(anywhere, [source(anywhere, i) for i in range(3)])
    bury(anywhere, [source(anywhere, 9, topic=anywhere.orderbook_topic)], DOWN)
    assert run("replay", "--json") == 0
    found = json.loads(capsys.readouterr().out)
    routes = {(r["action"], r["to"], r["error_type"]): r["records"] for r in found["routes"]}
    assert routes == {("replay", anywhere.ticker_topic, "validate"): 3, ("stay", "", "process"): 1}
    assert (found["executed"], found["sent"]) == (False, {})
    assert run("replay") == 0
    printed = capsys.readouterr().out
    assert "--allow-orderbook" in printed
    assert "This was a dry run" in printed
    assert values(anywhere) == []
    assert committed(anywhere, anywhere.dlq_topic, 2, GROUP) == [None, None]
    assert not state.exists()


def test_key_value_and_headers_are_as_they_were_and_it_is_sent_once(anywhere: KafkaConfig) -> None:
    headers: list[tuple[str, bytes | None]] = [("trace", b"\x00\xff"), ("trace", None), ("attempts", b"mine")]
    bury(anywhere, [source(anywhere, 3, b"\xff\x00", b"\x00k", headers), source(anywhere, 4, None, None)])
    report = replay(anywhere)
    assert (report.ended, dict(report.sent)) == ("end", {anywhere.ticker_topic: 2})
    by_key = {record.key: record for record in read_all(anywhere, anywhere.ticker_topic)}
    assert by_key[b"\x00k"].value == b"\xff\x00"
    assert by_key[None].value is None
    original, replayed = split_replay(by_key[b"\x00k"].headers)
    assert original == headers
    assert replayed.pop("replayed_at").endswith("Z")
    assert replayed == {"replay_count": "1", "replay_of": f"{anywhere.ticker_topic}-0-3", "replay_id": "test"}
    again = replay(anywhere)
    assert (again.sent.total(), len(read_all(anywhere, anywhere.ticker_topic))) == (0, 2)


def test_the_trace_of_a_record_goes_on_in_its_dead_letter_and_in_what_is_replayed(
    embedded: EmbeddedBroker, unique: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Headers as https://www.w3.org/TR/trace-context/ has them."""
    config = ready(dlq_config(embedded.bootstrap, unique, monkeypatch))
    trace: Headers = [
        ("traceparent", b"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"),
        ("tracestate", b"rojo=00f067aa0ba902b7,congo=t61rcWkgMzE"),
    ]
    send(config, config.ticker_topic, [b"no ticker"], headers=trace)
    run_kafka_consumer(config, topics=[config.ticker_topic], start=Start("beginning"), max_records=1)
    [letter] = read_all(config, config.dlq_topic)
    assert list(letter.headers[:2]) == trace
    replay(config)
    _, again = read_all(config, config.ticker_topic)
    assert list(again.headers[:2]) == trace


@pytest.mark.kafka
def test_what_a_filter_leaves_out_is_found_again(config: KafkaConfig) -> None:
    records = [source(config, i, b"%d" % i, b"kraken|%d" % (i % 5)) for i in range(60)]
    bury(config, records, WRONG_PRICE, DOWN, DOWN)
    first = replay(config, selection=Selection(error_type="process"))
    assert (first.sent.total(), first.not_selected) == (40, 20)
    nothing = replay(config, selection=Selection(error_type="process"))
    assert (nothing.sent.total(), nothing.not_selected) == (0, 20)
    some = replay(config, limit=7)
    assert (some.sent.total(), some.ended) == (7, "limit")
    rest = replay(config)
    assert (rest.sent.total(), rest.ended) == (13, "end")
    assert Counter(values(config)) == Counter(record.value for record in records)
    ends = [part.end for part in rest.ranges]
    assert committed(config, config.dlq_topic, 2, GROUP) == ends


@pytest.mark.kafka
def test_order_books_stay_until_they_are_allowed(config: KafkaConfig) -> None:
    bury(config, [source(config, 0, b"book", topic=config.orderbook_topic), source(config, 1, b"tick")])
    assert dict(replay(config).sent) == {config.ticker_topic: 1}
    assert dict(replay(config, allow_orderbook=True).sent) == {config.orderbook_topic: 1}
    assert values(config, config.orderbook_topic) == [b"book"]


def test_the_order_of_a_key_stays(anywhere: KafkaConfig) -> None:
    bury(anywhere, [source(anywhere, i, b"%d" % i, b"k%d" % (i % 3)) for i in range(250)])
    replay(anywhere)
    seen: dict[bytes | None, list[int]] = {}
    for record in read_all(anywhere, anywhere.ticker_topic):
        seen.setdefault(record.key, []).append(int(record.value or b""))
    assert all(numbers == sorted(numbers) for numbers in seen.values())
    assert sum(map(len, seen.values())) == 250


def test_a_refusal_in_the_middle_keeps_the_order_of_its_key() -> None:
    with MockCluster() as mock:
        config = config_for(mock.bootstrap, "x")
        mock.create_topic(config.ticker_topic, 1)
        parcels = [
            Parcel(source(config, i, b"%d" % i, key), config.ticker_topic, [])
            for i, key in enumerate([b"a", b"a", b"a", None, b"b", b"a"])
        ]
        assert Outbox(config).send(parcels[:1]) == [None]
        mock.push_request_errors(PRODUCE, KafkaError.MSG_SIZE_TOO_LARGE)
        errors = Outbox(config).send(parcels[1:])
        assert [error is None for error in errors] == [False, False, True, True, False]
        assert [error is NOT_SENT for error in errors] == [False, True, False, False, True]
        left = [parcel for parcel, error in zip(parcels[1:], errors, strict=True) if error is not None]
        assert Outbox(config).send(left) == [None] * 3
        sent = read_all(config, config.ticker_topic)
    assert [record.value for record in sent if record.key == b"a"] == [b"0", b"1", b"2", b"5"]
    assert len(sent) == 6


@pytest.mark.kafka
def test_what_always_fails_ends_in_the_quarantine_and_never_goes_in_a_circle(config: KafkaConfig) -> None:
    headers: list[tuple[str, bytes | None]] = [("trace", b"1")]
    bury(config, [source(config, 0, b"poison", headers=headers)])
    done = 0
    for run_number in range(10):
        report = replay(config)
        if quarantine_topic(config) in report.sent:
            break
        assert dict(report.sent) == {config.ticker_topic: 1}, run_number
        new = read_all(config, config.ticker_topic)[done:]
        done += len(new)
        for record in new:
            fail_again(config, record)
    letters = read_all(config, config.dlq_topic)
    counts = [split_headers(letter.headers)[1]["replay_count"] for letter in letters]
    assert sorted(counts) == ["0", "1", "2", "3"]
    assert all([name for name, _ in letter.headers] == ["trace", *HEADERS] for letter in letters)
    assert values(config) == [b"poison"] * 3
    [kept] = read_all(config, quarantine_topic(config))
    [last] = [letter for letter in letters if dict(letter.headers)["replay_count"] == b"3"]
    assert (kept.key, kept.value, list(kept.headers)) == (last.key, last.value, list(last.headers))
    assert replay(config).sent.total() == 0
    made = Topics(config).describe(quarantine_topic(config))
    assert (made.retention_ms, made.cleanup) == (-1, "delete")


def test_what_fails_again_during_a_run_waits_for_the_next_one(anywhere: KafkaConfig) -> None:
    bury(anywhere, [source(anywhere, i, b"%d" % i) for i in range(20)])
    fed_back = []

    def looked(done: int, _total: int) -> None:
        if done % 5 == 0:
            fed_back.append(done)
            fail_again(anywhere, source(anywhere, 100 + done, b"late"))

    report = Replay(anywhere, ReplayRules(), execute=True, replay_id="x", looked=looked).run()
    assert fed_back
    assert report.sent.total() == 20
    assert replay(anywhere).sent.total() == len(fed_back)


@pytest.mark.kafka
def test_a_topic_made_anew_begins_anew(config: KafkaConfig) -> None:
    bury(config, [source(config, i) for i in range(5)])
    assert replay(config).sent.total() == 5
    Topics(config).delete(config.dlq_topic)
    create(config, config.dlq_topic, partitions=2)
    bury(config, [source(config, i) for i in range(8)])
    assert replay(config).sent.total() == 8


@pytest.mark.kafka
def test_what_a_purge_removed_is_not_waited_for(config: KafkaConfig) -> None:
    bury(config, [source(config, i, topic=config.orderbook_topic) for i in range(5)])
    assert replay(config).sent.total() == 0
    assert run("purge", "--all", "--topic-name-again", config.dlq_topic) == 0
    bury(config, [source(config, i) for i in range(3)])
    assert replay(config).sent.total() == 3


def test_each_is_sent_once_where_the_broker_keeps_nothing_but_positions(
    embedded: Any, unique: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = ready(dlq_config(embedded.bootstrap, unique, monkeypatch))
    bury(
        config,
        [source(config, 0, b"left out"), *(source(config, i, b"%d" % i) for i in range(1, 6))],
        WRONG_PRICE,
        DOWN,
    )
    foreign: list[tuple[str, str | bytes | None]] = [("source_topic", config.ticker_topic), ("error_type", "process")]
    send(config, config.dlq_topic, [b"foreign"], headers=foreign)
    bury(config, [source(config, 9, b"stays", topic=config.orderbook_topic)])
    process = Selection(error_type="process")
    assert replay(config, selection=process).sent.total() == 4
    again = Replay(config, ReplayRules(process), execute=False, replay_id="dry").run()
    assert (again.earlier, again.routes.total()) == (4, 0)
    assert replay(config).sent.total() == 3
    last = replay(config)
    assert (last.sent.total(), last.routes.total()) == (0, 1)
    assert sorted(v for v in values(config) if v) == [b"1", b"2", b"3", b"4", b"5", b"foreign", b"left out"]


@pytest.mark.kafka
def test_what_nobody_can_route_is_told_and_stays(config: KafkaConfig, capsys: Output) -> None:
    send(config, config.dlq_topic, [b"not ours"])
    bury(config, [source(config, 0, topic="some.other.topic")])
    assert run("replay", "--execute") == 0
    printed = capsys.readouterr().out
    assert "the headers source_topic and error_type are missing" in printed
    assert "its source is no topic of market data" in printed
    assert run("replay", "--execute", "--target", config.dlq_topic) == 2
    assert run("replay", "--execute", "--target", config.ticker_topic) == 0
    assert values(config) == [b"v"]
