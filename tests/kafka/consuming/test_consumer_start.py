"""Where a consumer begins, on real brokers: where it was told, once for a group, and past offsets without records."""

import threading
from collections.abc import Callable
from typing import Any

import pytest
from confluent_kafka import Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewPartitions  # type: ignore[attr-defined]  # exported without saying so

from consumer_support import MANY, Collector, committed, create, in_thread, send, send_events, ticker
from support import eventually
from tickwire.config.kafka_config import KafkaConfig
from tickwire.errors import UsageError
from tickwire.kafka.consuming.consumer import run_kafka_consumer
from tickwire.kafka.consuming.positions import parse_start


@pytest.mark.kafka
@pytest.mark.parametrize(
    ("start", "expected"),
    [("committed", 10), ("beginning", 0), ("end", 20), ("1700000000005", 5), ("1700000099000", 20)],
)
def test_the_start_is_where_it_was_told(real: KafkaConfig, start: str, expected: int) -> None:
    topic = real.ticker_topic
    real = real.model_copy(update={"topic_partitions": 1})
    events = [ticker(received_us=1_700_000_000_000_000 + i * 1000) for i in range(20)]
    create(real, topic)
    send_events(real, events)
    run_kafka_consumer(real, topics=[topic], handler=Collector(), max_records=10)
    assert committed(real, topic) == [10]

    seen, done = Collector(enough=1), threading.Event()
    thread = in_thread(
        lambda: run_kafka_consumer(
            real,
            topics=[topic],
            handler=seen,
            start=parse_start(start),
            reset=start != "committed",
            stopping=done.is_set,
        )
    )
    if expected == 20:
        eventually(lambda: committed(real, topic) == [20], "the start is committed")
        send_events(real, events[:1])
    eventually(seen.full, "a record")
    done.set()
    thread.join(20)
    assert seen.records[0].offset == expected


def run_until(config: KafkaConfig, start: str, condition: Callable[[], bool], what: str, **more: Any) -> Collector:
    """Consume the ticker topic in a thread until *condition*; return what was handled."""
    seen, done = Collector(), threading.Event()
    errors: list[BaseException] = []

    def consume() -> None:
        try:
            run_kafka_consumer(
                config,
                topics=[config.ticker_topic],
                handler=seen,
                start=parse_start(start),
                stopping=done.is_set,
                **more,
            )
        except BaseException as e:  # noqa: BLE001 - raised below
            errors.append(e)

    thread = in_thread(consume)
    try:
        eventually(lambda: bool(errors) or condition(), what, 40)
    finally:
        done.set()
        thread.join(30)
    assert not thread.is_alive()
    if errors:
        raise errors[0]
    return seen


@pytest.mark.parametrize("start", ["end", "2099-01-01"])
def test_a_start_behind_all_records_is_behind_the_last_one(config: KafkaConfig, start: str) -> None:
    """The embedded broker calls the first record of the last batch the end, and knows no time after the last record."""
    create(config, config.ticker_topic)
    send(config, config.ticker_topic, MANY)
    seen = run_until(config, start, lambda: committed(config, config.ticker_topic) == [100], "the start is committed")
    assert seen.values == []


@pytest.mark.kafka
@pytest.mark.parametrize(("start", "begun"), [("end", 20), ("beginning", 0)])
def test_a_start_is_the_groups_and_once(real: KafkaConfig, start: str, begun: int) -> None:
    topic = real.ticker_topic
    create(real, topic, 2)
    send(real, topic, MANY[:20])
    first = run_until(real, start, lambda: committed(real, topic, 2) == [20, 0], "all is committed")
    assert first.values == MANY[begun:20]
    send(real, topic, MANY[20:25])
    send(real, topic, MANY[25:30], partition=1)
    again = run_until(real, start, lambda: committed(real, topic, 2) == [25, 5], "what came meanwhile")
    assert sorted(value for value in again.values if value) == MANY[20:30]


@pytest.mark.kafka
def test_a_partition_that_was_added_later_is_read_from_its_beginning(real: KafkaConfig) -> None:
    topic = real.ticker_topic
    create(real, topic)
    send(real, topic, MANY[:20])
    run_until(real, "end", lambda: committed(real, topic) == [20], "the start is committed")
    admin = AdminClient({"bootstrap.servers": real.brokers})
    admin.create_partitions([NewPartitions(topic, 2)])[topic].result(20)
    send(real, topic, MANY[:3], partition=1)
    seen = run_until(real, "end", lambda: committed(real, topic, 2) == [20, 3], "the new partition")
    assert seen.values == MANY[:3]


@pytest.mark.kafka
def test_a_group_is_moved_only_while_it_has_no_member(real: KafkaConfig) -> None:
    topic = real.ticker_topic
    create(real, topic)
    send(real, topic, MANY[:20])

    def refused() -> bool:
        with pytest.raises(UsageError, match="has members"):
            run_kafka_consumer(real, topics=[topic], start=parse_start("beginning"), reset=True)
        return True

    run_until(real, "beginning", lambda: committed(real, topic) == [20] and refused(), "a member at work")
    seen = Collector()
    run_kafka_consumer(real, topics=[topic], handler=seen, start=parse_start("5000"), reset=True, max_records=20)
    assert seen.values == MANY[:20]


@pytest.mark.kafka
def test_offsets_without_records_are_passed_and_are_no_lag(real: KafkaConfig) -> None:
    """The marks that end a transaction, and what an aborted one wrote, have offsets; so has what retention removed."""
    topic = real.ticker_topic
    create(real, topic)
    producer = Producer({"bootstrap.servers": real.brokers, "transactional.id": topic})
    producer.init_transactions(20)
    for values, end in ((MANY[:5], producer.commit_transaction), (MANY[5:50], producer.abort_transaction)):
        producer.begin_transaction()
        for value in values:
            producer.produce(topic, value, b"k")
        producer.flush(20)
        end(20)
    ends = 5 + 1 + 45 + 1
    seen = run_until(real, "committed", lambda: committed(real, topic) == [ends], "the end is committed")
    assert seen.values == MANY[:5]

    admin = AdminClient({"bootstrap.servers": real.brokers})
    for future in admin.delete_records([TopicPartition(topic, 0, ends)]).values():
        future.result(20)
    send(real, topic, MANY[50:51])
    report = run_kafka_consumer(real, topics=[topic], handler=seen, max_records=1)
    assert seen.values[5:] == MANY[50:51]
    assert report.lag == {(topic, 0): 0}


def test_a_start_in_iso_8601_is_utc_unless_it_says_otherwise() -> None:
    assert parse_start("2023-11-14T22:13:20").time_ms == 1_700_000_000_000
    assert parse_start("2023-11-14T23:13:20+01:00").time_ms == 1_700_000_000_000
    assert parse_start("1700000000000").time_ms == 1_700_000_000_000


@pytest.mark.parametrize("text", ["", "yesterday", "-5", "1.5", "1969-01-01", "2026-13-01", "9" * 30, "١٢٣"])
def test_a_start_that_is_none(text: str) -> None:
    with pytest.raises(UsageError, match="--from"):
        parse_start(text)
