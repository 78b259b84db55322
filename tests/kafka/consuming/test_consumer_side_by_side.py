"""Partitions side by side, slow handlers, back-off, limits, and what holds an offset: on a real Kafka."""

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka import TopicPartition
from confluent_kafka.admin import AdminClient

from brokers import StartApache
from consumer_support import Collector, committed, config_for, create, in_thread, read_all, send
from support import eventually
from tickwire import metrics
from tickwire.config.kafka_config import KafkaConfig
from tickwire.errors import Reject, TooManyDeadLetters, TryAgain
from tickwire.kafka.consuming import consumer as consumer_module
from tickwire.kafka.consuming import partitions, processing
from tickwire.kafka.consuming.assignment import Assignment
from tickwire.kafka.consuming.consumer import COMMIT_RECORDS, run_kafka_consumer
from tickwire.kafka.consuming.processing import MAX_UNCOMMITTED
from tickwire.kafka.received import ReceivedRecord

pytestmark = pytest.mark.kafka

MANY = [str(i).encode() for i in range(100)]
PROGRAM = Path(__file__).with_name("consumer_process.py")


@pytest.fixture
def config(kafka: Any, unique: str) -> KafkaConfig:
    return config_for(kafka.bootstrap, unique)


def filled(config: KafkaConfig, partitions: int) -> str:
    create(config, config.ticker_topic, partitions)
    for partition in range(partitions):
        send(config, config.ticker_topic, MANY, partition)
    return config.ticker_topic


def test_partitions_are_handled_at_the_same_time_and_each_in_order(config: KafkaConfig) -> None:
    """Partition 0 waits for the end of partition 1, so in one thread this would never end."""
    config = config.model_copy(update={"consumer_concurrency": 2})
    topic = filled(config, 2)
    seen: dict[int, list[int]] = {0: [], 1: []}
    other_done = threading.Event()

    def handle(record: ReceivedRecord) -> None:
        if record.partition == 0:
            assert other_done.wait(60)
        seen[record.partition].append(record.offset)
        if len(seen[1]) == 100:
            other_done.set()

    run_kafka_consumer(config, topics=[topic], handler=handle, max_records=200)
    assert seen == {0: list(range(100)), 1: list(range(100))}
    assert committed(config, topic, 2) == [100, 100]


def test_a_partition_that_waits_for_kafkas_answer_to_a_commit_is_not_fetched_again(
    config: KafkaConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Answers are taken while partitions are full; pausing these would discard what was fetched, each time."""
    monkeypatch.setattr(partitions, "QUEUE_RECORDS", 20)
    for module in (processing, consumer_module):
        monkeypatch.setattr(module, "MAX_UNCOMMITTED", 50)
    monkeypatch.setattr(consumer_module, "COMMIT_RECORDS", 10)
    monkeypatch.setattr(consumer_module, "_PATIENCE_S", 0.5)
    monkeypatch.setattr(consumer_module, "_LONGEST_PATIENCE_S", 60)
    paused = list[object]()
    monkeypatch.setattr(Assignment, "pause", lambda _, slow: paused.extend(slow))
    topic = config.ticker_topic
    create(config, topic, 2)  # the other one has room
    for _ in range(10):
        send(config, topic, MANY, 0)
    report = run_kafka_consumer(config, topics=[topic], handler=lambda _: None, max_records=1_000)
    assert (report.processed[topic], paused) == (1_000, [])


@pytest.mark.parametrize("number", [1, 2])
def test_a_partition_is_paused_soon_only_where_another_one_has_room(
    config: KafkaConfig, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    """A resumed partition may get no record for a second, in which its handler would be idle."""
    monkeypatch.setattr(partitions, "QUEUE_RECORDS", 100)
    monkeypatch.setattr(consumer_module, "_LONGEST_PATIENCE_S", 60)
    paused = list[object]()
    monkeypatch.setattr(Assignment, "pause", lambda _, slow: paused.extend(slow))
    topic = config.ticker_topic
    create(config, topic, number)
    for _ in range(2):
        send(config, topic, MANY, 0)
    run_kafka_consumer(config, topics=[topic], handler=lambda _: time.sleep(0.01), max_records=200)
    assert bool(paused) == (number == 2)


def test_a_handler_slower_than_the_poll_interval_keeps_its_partition(
    config: KafkaConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(consumer_module._SETTINGS, "session.timeout.ms", 6_000)
    monkeypatch.setitem(consumer_module._SETTINGS, "max.poll.interval.ms", 6_000)
    monkeypatch.setattr(partitions, "QUEUE_RECORDS", 10)  # so that the partition is paused
    topic = filled(config, 1)

    class Slow:
        seen: list[int]
        lost = 0

        def __call__(self, record: ReceivedRecord) -> None:
            if record.offset == 0:
                time.sleep(8)  # the slow handler
            self.seen.append(record.offset)

        def revoked(self, _topic: str, _partition: int) -> None:
            self.lost += 1

    slow = Slow()
    slow.seen = []
    run_kafka_consumer(config, topics=[topic], handler=slow, max_records=100)
    assert slow.seen == list(range(100))
    assert slow.lost == 0
    assert committed(config, topic) == [100]


def test_only_the_partition_that_waits_for_another_attempt_stands_still(config: KafkaConfig) -> None:
    topic = filled(config, 2)
    seen: dict[int, list[int]] = {0: [], 1: []}

    def handle(record: ReceivedRecord) -> None:
        if record.partition == 0 and len(seen[1]) < 100:
            raise TryAgain("the other one first")
        seen[record.partition].append(record.offset)

    run_kafka_consumer(config, topics=[topic], handler=handle, max_records=200)
    assert seen == {0: list(range(100)), 1: list(range(100))}


def test_nothing_but_poison_stops_the_consumer_at_the_limit(config: KafkaConfig) -> None:
    config = config.model_copy(update={"dlq_enabled": True, "dlq_max_consecutive": 20})
    topic = filled(config, 1)

    def refuse(_record: ReceivedRecord) -> None:
        raise Reject("always")

    with pytest.raises(TooManyDeadLetters, match="21 in a row") as caught:
        run_kafka_consumer(config, topics=[topic], handler=refuse)
    assert caught.value.exit_code == 1
    assert len(read_all(config, config.dlq_topic)) == 20
    assert committed(config, topic) == [20]


def test_a_missing_dead_letter_topic_holds_the_offset_until_it_is_back(config: KafkaConfig) -> None:
    config = config.model_copy(update={"dlq_enabled": True})
    topic = filled(config, 2)
    create(config, config.dlq_topic)
    admin = AdminClient({"bootstrap.servers": config.brokers})
    other = Collector(enough=100)
    deleted = threading.Event()
    done = threading.Event()

    def handle(record: ReceivedRecord) -> None:
        if record.partition == 1:
            other(record)
        elif record.offset == 50:
            if not deleted.is_set():
                for future in admin.delete_topics([config.dlq_topic]).values():
                    future.result(20)
                deleted.set()
            raise Reject("no")

    failed = metrics.CONSUMER_ERRORS.labels(topic)._value
    before = failed.get()
    thread = in_thread(lambda: run_kafka_consumer(config, topics=[topic], handler=handle, stopping=done.is_set))
    eventually(other.full, "the other partition goes on", 30)
    eventually(lambda: failed.get() >= before + 2, "a write that failed", 60)
    eventually(lambda: committed(config, topic, 2) == [50, 100], "the offset is held", 30)
    create(config, config.dlq_topic)
    eventually(lambda: committed(config, topic, 2) == [100, 100], "it goes on", 60)
    done.set()
    thread.join(20)
    assert {letter.value for letter in read_all(config, config.dlq_topic)} == {b"50"}


def test_what_retention_removed_is_skipped_and_counted_when_that_is_allowed(config: KafkaConfig) -> None:
    config = config.model_copy(update={"on_offset_lost": "earliest"})
    topic = filled(config, 1)
    run_kafka_consumer(config, topics=[topic], handler=Collector(), max_records=5)
    admin = AdminClient({"bootstrap.servers": config.brokers})
    for future in admin.delete_records([TopicPartition(topic, 0, 50)]).values():
        future.result(20)
    seen = Collector()
    run_kafka_consumer(config, topics=[topic], handler=seen, max_records=50)
    assert seen.values == MANY[50:]
    assert committed(config, topic) == [100]
    assert metrics.CONSUMER_SKIPPED.labels(topic)._value.get() == 45


@pytest.mark.parametrize("protocol", ["classic", "consumer"])
def test_a_static_member_gets_its_partitions_back(config: KafkaConfig, protocol: str) -> None:
    config = config.model_copy(update={"group_protocol": protocol, "group_instance_id": "one"})
    topic = filled(config, 2)
    first, second = Collector(), Collector()
    run_kafka_consumer(config, topics=[topic], handler=first, max_records=150)
    run_kafka_consumer(config, topics=[topic], handler=second, max_records=50)
    both = [(record.partition, record.offset) for record in first.records + second.records]
    assert len(both) == len(set(both)) == 200


def test_killed_while_kafka_does_not_answer_it_has_no_more_uncommitted_than_promised(
    start_apache: StartApache, unique: str, tmp_path: Path
) -> None:
    """The brokers freeze, so no commit is answered while there is plenty read ahead; then the consumer is killed."""
    cluster = start_apache()
    config = config_for(cluster.bootstrap, unique)
    topic, journal = config.ticker_topic, tmp_path / "journal"
    create(config, topic)
    for _ in range(3):
        send(config, topic, [b"x" * 10] * 60_000)
    journal.touch()

    process = subprocess.Popen([sys.executable, str(PROGRAM), config.brokers, topic, config.group_id, str(journal)])
    try:
        eventually(lambda: journal.stat().st_size > 0, "some records", 60)
        cluster.freeze(1)
        sizes = [0.0, time.monotonic()]

        def stands_still() -> bool:
            size = float(journal.stat().st_size)
            if size != sizes[0]:
                sizes[:] = size, time.monotonic()
            return time.monotonic() - sizes[1] > 2

        eventually(stands_still, "handling stops for want of an answer", 30)
    finally:
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
        cluster.thaw(1)
    handled = len(set(journal.read_text().splitlines()))
    again = handled - (committed(config, topic)[0] or 0)
    assert COMMIT_RECORDS < again <= MAX_UNCOMMITTED  # it did run ahead, and no further
