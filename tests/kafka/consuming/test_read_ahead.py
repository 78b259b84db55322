"""What is read ahead is bounded in bytes, however many partitions there are and however slow their handler is."""

import json
import threading
from types import SimpleNamespace
from typing import Any, cast

import pytest
from confluent_kafka import Consumer, Producer

from consumer_support import config_for, in_thread
from kafka.mock_cluster import MockCluster
from support import eventually
from tickwire.kafka.consuming import consumer as consumer_module
from tickwire.kafka.consuming.assignment import Assignment
from tickwire.kafka.consuming.commits import Commits
from tickwire.kafka.consuming.consumer import run_kafka_consumer
from tickwire.kafka.consuming.partitions import ALL_QUEUES_BYTES, BLOCKED, AssignedPartition, HandlerThreads, bytes_of
from tickwire.kafka.consuming.positions import Position
from tickwire.kafka.consuming.progress import CommitTracker
from tickwire.kafka.consuming.report import ConsumerReport
from tickwire.kafka.received import ReceivedRecord

MIB = 1 << 20


@pytest.mark.parametrize("number", [1, 4, 7, 300])
def test_partitions_share_the_room_and_none_waits_for_another(number: int) -> None:
    tracker, report = CommitTracker(), ConsumerReport(["t"])
    workers = HandlerThreads(1, lambda _assigned: BLOCKED, lambda _error: None)
    commits = Commits(tracker, report, lambda _partition: None)
    processor = cast("Any", SimpleNamespace(stuck=False))
    ours = Assignment(cast("Consumer", None), tracker, commits, processor, workers, {}, report, None)
    for partition in range(number):
        ours._open_partition(("t", partition), Position(0, 0))
    poll = [ReceivedRecord("t", 0, 0, None, b"x" * 5_000, (), None) for _ in range(10)]
    all_ = list(ours._assigned.values())
    for assigned in all_:
        given: set[AssignedPartition] = set()
        while not ours.full([assigned]):
            ours.give([ReceivedRecord("t", assigned.partition[1], r.offset, None, r.value) for r in poll], given)
        assert assigned.taken > 0  # whatever waits in the others
    held = sum(assigned.taken_bytes for assigned in all_)
    assert min(8 * MIB * number, ALL_QUEUES_BYTES) <= held <= ALL_QUEUES_BYTES + number * bytes_of(poll)
    assert workers.stop(10)


def test_with_a_handler_that_stands_still_no_more_is_read_than_is_said(
    unique: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """60 MB in 30 partitions, ours and the library's queue looked at apart."""
    assignments: list[Assignment] = []
    queued: list[int] = [0]

    class Seen(Assignment):
        def __init__(self, *arguments: Any) -> None:
            super().__init__(*arguments)
            assignments.append(self)

    def note(text: str) -> None:
        for topic in json.loads(text)["topics"].values():
            queued.extend(partition["fetchq_size"] for partition in topic["partitions"].values())

    statistics = {"statistics.interval.ms": 100, "stats_cb": note}
    monkeypatch.setattr(consumer_module, "Assignment", Seen)
    monkeypatch.setattr(consumer_module, "_SETTINGS", consumer_module._SETTINGS | statistics)
    done, stopping = threading.Event(), threading.Event()

    def stand_still(_record: ReceivedRecord) -> None:
        done.wait()

    with MockCluster() as mock:
        config = config_for(mock.bootstrap, unique)
        mock.create_topic(config.ticker_topic, 30)
        producer = Producer({"bootstrap.servers": mock.bootstrap, "linger.ms": 20})
        for number in range(6_000):
            producer.produce(config.ticker_topic, b"x" * 10_000, None, number % 30)
        assert producer.flush(30) == 0
        thread = in_thread(
            lambda: run_kafka_consumer(
                config, topics=[config.ticker_topic], handler=stand_still, stopping=stopping.is_set
            )
        )
        try:
            eventually(lambda: bool(assignments) and len(assignments[0]._paused) == 30, "all are full", 30)
            held = sum(assigned.taken_bytes for assigned in assignments[0]._assigned.values())
            assert ALL_QUEUES_BYTES <= held <= ALL_QUEUES_BYTES + 16 * MIB
            assert 0 < max(queued) <= (16 + 4 + 1) * MIB
        finally:
            stopping.set()
            done.set()
            thread.join(30)
