"""The consumer when partitions are taken from it, when Kafka does not answer, and when others have its name."""

import threading
from collections import Counter
from types import SimpleNamespace
from typing import Any, cast

import pytest
from confluent_kafka import Consumer, KafkaError, KafkaException, TopicPartition

from consumer_support import Collector, committed, config_for, create, in_thread, read_all, send
from kafka.mock_cluster import HEARTBEAT, PRODUCE, MockCluster
from support import eventually
from tickwire.errors import DeadLetterNotWritten, KafkaFailed, OffsetLost, Reject
from tickwire.kafka.consuming import consumer as consumer_module
from tickwire.kafka.consuming.assignment import Assignment
from tickwire.kafka.consuming.commits import Commits
from tickwire.kafka.consuming.consumer import run_kafka_consumer
from tickwire.kafka.consuming.partitions import AssignedPartition, HandlerThreads
from tickwire.kafka.consuming.positions import Position
from tickwire.kafka.consuming.progress import CommitTracker
from tickwire.kafka.consuming.report import ConsumerReport
from tickwire.kafka.received import ReceivedRecord

MANY = [str(i).encode() for i in range(100)]
TOPIC_AUTHORIZATION_FAILED = 29


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(consumer_module._SETTINGS, "session.timeout.ms", 6_000)
    monkeypatch.setitem(consumer_module._SETTINGS, "heartbeat.interval.ms", 200)


@pytest.mark.usefixtures("quick")
def test_what_was_begun_before_the_assignment_was_lost_does_not_count_and_comes_again(
    unique: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Kafka forgets the member while a handler is busy: nothing of that assignment is committed afterwards."""
    begun, lost, go_on, done = (threading.Event() for _ in range(4))
    handled: Counter[int] = Counter()

    def handle(record: ReceivedRecord) -> None:
        handled[record.offset] += 1
        if record.offset == 50 and handled[50] == 1:
            begun.set()
            assert go_on.wait(60)

    on_lost = Assignment.on_lost

    def note(ours: Assignment, consumer: Consumer, partitions: list[TopicPartition]) -> None:
        on_lost(ours, consumer, partitions)
        lost.set()

    monkeypatch.setattr(Assignment, "on_lost", note)
    with MockCluster() as mock:
        config = config_for(mock.bootstrap, unique)
        mock.create_topic(config.ticker_topic, 1)
        send(config, config.ticker_topic, MANY)
        thread = in_thread(
            lambda: run_kafka_consumer(config, topics=[config.ticker_topic], handler=handle, stopping=done.is_set)
        )
        assert begun.wait(60)
        eventually(lambda: committed(config, config.ticker_topic) == [50], "what is done is committed", 30)
        mock.push_request_errors(HEARTBEAT, KafkaError.UNKNOWN_MEMBER_ID)
        assert lost.wait(60)
        go_on.set()
        eventually(lambda: committed(config, config.ticker_topic) == [100], "all is done", 60)
        done.set()
        thread.join(30)
    assert {offset: n for offset, n in handled.items() if n != 1} == {50: 2}
    assert len(handled) == 100


def test_a_topic_made_anew_while_a_handler_works_is_read_from_its_beginning_and_the_old_record_does_not_count() -> None:
    class Client:
        """A topic of which nothing is left but a new beginning."""

        reading: TopicPartition | None = None

        def offsets_for_times(self, partitions: list[TopicPartition], **_: Any) -> list[TopicPartition]:
            return [TopicPartition(p.topic, p.partition, 0) for p in partitions]

        def incremental_unassign(self, _partitions: list[TopicPartition]) -> None:
            self.reading = None

        def incremental_assign(self, partitions: list[TopicPartition]) -> None:
            [self.reading] = partitions

    begun, go_on = threading.Event(), threading.Event()

    def work(assigned: AssignedPartition) -> float:
        begun.set()
        assert go_on.wait(30)
        assigned.progress.finish(90)
        return 0.0

    client, tracker, report = Client(), CommitTracker(), ConsumerReport(["t"])
    commits = Commits(tracker, report, lambda _partition: None)
    workers = HandlerThreads(1, work, lambda _error: None)
    processor = cast("Any", SimpleNamespace(stuck=False))
    ours = Assignment(cast("Consumer", client), tracker, commits, processor, workers, {}, report, None)
    ours._open_partition(("t", 0), Position(90, 90))
    old, these = ours._assigned["t", 0], set[AssignedPartition]()
    record = ReceivedRecord("t", 0, 90, None, b"x", (), None)
    ours.give([record] * 100_000, these)
    assert begun.wait(30)
    skipping = in_thread(lambda: ours.skip(OffsetLost("t", 0, 91)))
    eventually(lambda: old.closed, "the old partition is closed")
    go_on.set()
    skipping.join(30)
    new = ours._assigned["t", 0]
    assert new is not old
    assert (new.progress.position, client.reading and client.reading.offset) == (0, 0)
    assert ours.full(these) == []  # the old one's records do not hold up the new one
    assert tracker.due() == {("t", 0): 0}
    assert workers.stop(10)


def test_a_last_commit_that_nobody_answers_ends_after_its_time_and_stays_due() -> None:
    class Silent:
        def commit(self, **_: Any) -> None:
            pass

        def committed(self, _partitions: Any, timeout: float) -> None:
            raise KafkaException(KafkaError(KafkaError._TIMED_OUT, f"in {timeout} s"))

    tracker = CommitTracker()
    progress = tracker.assign(("t", 0), 0, None)
    progress.finish(0)
    commits = Commits(tracker, ConsumerReport(["t"]), lambda _partition: None)
    assert not commits.send_and_look(cast("Consumer", Silent()), 0.05)
    assert tracker.due() == {("t", 0): 1}
    assert commits.in_flight


@pytest.mark.usefixtures("quick")
def test_dead_letters_that_may_not_be_written_end_it_and_hold_the_offset_for_the_next_run(unique: str) -> None:
    def refuse(record: ReceivedRecord) -> None:
        if record.offset == 50:
            raise Reject("no")

    with MockCluster() as mock:
        config = config_for(mock.bootstrap, unique, dlq_enabled=True)
        mock.create_topic(config.ticker_topic, 1)
        mock.create_topic(config.dlq_topic, 1)
        send(config, config.ticker_topic, MANY)
        mock.push_request_errors(PRODUCE, *[TOPIC_AUTHORIZATION_FAILED] * 1000)  # for every try, however many
        with pytest.raises(DeadLetterNotWritten, match="authorization") as caught:
            run_kafka_consumer(config, topics=[config.ticker_topic], handler=refuse)
        assert caught.value.exit_code == 1
        assert committed(config, config.ticker_topic) == [50]
        mock.clear_request_errors(PRODUCE)
        run_kafka_consumer(config, topics=[config.ticker_topic], handler=refuse, max_records=50)
        assert committed(config, config.ticker_topic) == [100]
        assert [letter.value for letter in read_all(config, config.dlq_topic)] == [b"50"]


@pytest.mark.kafka
def test_of_two_with_the_same_instance_id_one_ends_with_a_sentence(kafka: Any, unique: str) -> None:
    config = config_for(kafka.bootstrap, unique, group_instance_id="one")
    create(config, config.ticker_topic)
    send(config, config.ticker_topic, MANY)
    seen, done = Collector(), threading.Event()
    ends: list[KafkaFailed] = []

    def run() -> None:
        try:
            run_kafka_consumer(config, topics=[config.ticker_topic], handler=seen, stopping=done.is_set)
        except KafkaFailed as e:
            ends.append(e)

    first = in_thread(run)
    eventually(lambda: len(seen.records) >= 100, "the first one reads", 60)
    second = in_thread(run)
    eventually(lambda: ends, "one of them ends", 60)
    assert "KAFKA_GROUP_INSTANCE_ID" in str(ends[0])
    assert ends[0].exit_code == 1
    done.set()
    first.join(30)
    second.join(30)
    assert len(ends) == 1
