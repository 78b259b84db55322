"""The same checker turns red for clients set up as those that lose data: each test expects the red, and why."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka import Consumer, KafkaError, Message, Producer

from brokers import StartApache
from faults.checker import Place, Sending, check_log, check_reading, names
from faults.journal import Entry, Journal
from faults.test_faults_consuming import fill, places
from faults.workbench import Bench, Child
from kafka.mock_cluster import PRODUCE, MockCluster
from support import eventually

Noted = list[Entry]


def produce(producer: Producer, bench: Bench, numbers: range, entries: Noted, again: bool = False) -> None:
    """Send numbered messages of one key; *again* sends a failed one once more from its own delivery report."""

    def send(number: int) -> None:
        def report(error: KafkaError | None, message: Message) -> None:
            if error is None:
                entries.append(["acked", bench.ticks, "k", number, message.partition(), message.offset()])
            elif again:
                send(number)
            else:
                entries.append(["refused", bench.ticks, "k", number])

        producer.produce(bench.ticks, json.dumps({"sequence": number}).encode(), b"k", on_delivery=report)

    for number in numbers:
        entries.append(["sent", bench.ticks, "k", number])
        send(number)


def red(bench: Bench, entries: Noted) -> set[str]:
    log, violations = bench.log([bench.ticks])
    return names([*violations, *check_log(Sending.from_entries(entries), log)])


@pytest.mark.kafka
@pytest.mark.parametrize(("acks", "expected"), [("0", {"lost-write"}), ("all", set())])
def test_acks_0_loses_what_a_killed_broker_had_not_read(
    start_apache: StartApache, make_bench: Callable[[str], Bench], acks: str, expected: set[str]
) -> None:
    """The broker is frozen, so what is sent waits in its socket; then it is killed."""
    cluster = start_apache(1)
    bench = make_bench(cluster.bootstrap)
    bench.create_topics(bench.ticks, partitions=1)
    careful = {"acks": acks, "enable.idempotence": acks == "all"}
    producer = Producer(careful | {"bootstrap.servers": bench.bootstrap, "linger.ms": 0, "log_level": 0})
    entries: Noted = []
    produce(producer, bench, range(50), entries)
    assert producer.flush(20) == 0
    cluster.freeze(1)
    produce(producer, bench, range(50, 100), entries)
    if acks == "0":
        assert producer.flush(20) == 0
    else:
        producer.poll(0.5)
    cluster.kill(1)
    cluster.restart(1)
    assert producer.flush(60) == 0
    assert red(bench, entries) == expected


@pytest.mark.parametrize(("again", "expected"), [(True, {"nonmonotonic-send"}), (False, set())])
def test_retrying_in_the_delivery_report_reorders(
    mock: MockCluster, mock_bench: Bench, again: bool, expected: set[str]
) -> None:
    """The first batch is refused (10, message too large) while later ones are on their way."""
    producer = Producer(
        {
            "bootstrap.servers": mock.bootstrap,
            "enable.idempotence": True,
            "batch.num.messages": 10,
            "linger.ms": 0,
            "log_level": 0,
        }
    )
    entries: Noted = []
    produce(producer, mock_bench, range(10), entries)
    assert producer.flush(20) == 0
    mock.push_request_errors(PRODUCE, 10)
    produce(producer, mock_bench, range(10, 200), entries, again)
    assert producer.flush(20) == 0
    assert red(mock_bench, entries) == expected


CAREFUL: dict[str, Any] = {"enable.auto.commit": False, "auto.offset.reset": "earliest"}
CARELESS: dict[str, Any] = {"enable.auto.commit": True, "auto.commit.interval.ms": 50, "auto.offset.reset": "earliest"}


class PlainConsumer:
    """A consumer as people write it, in this process; what it did is noted as the consumer under test does it."""

    def __init__(self, bench: Bench, properties: dict[str, Any]) -> None:
        common = {"bootstrap.servers": bench.bootstrap, "group.id": bench.group, "log_level": 0}
        self._bench, self._journal = bench, Journal(bench.reading.path)
        self.consumer = Consumer(common | properties)
        self.consumer.subscribe([bench.ticks])

    def poll(self) -> Message:
        """Take the next record."""
        message = eventually(lambda: self.consumer.poll(0.2), "a record", 40)
        assert message is not None
        assert message.error() is None
        return message

    def handled(self, message: Message) -> None:
        self._journal.write("handled", "plain", message.topic(), message.partition(), message.offset())

    def verdict(self, log: list[Place]) -> set[str]:
        return names(check_reading(log, self._bench.reading.update(), duplicates=None))


def test_auto_commit_passes_a_record_that_is_still_being_handled(mock_bench: Bench) -> None:
    fill(mock_bench, 40)
    plain = PlainConsumer(mock_bench, CARELESS)
    first = plain.poll()
    plain.poll()  # what was polled before is stored now, and committed by and by; the first is not handled yet
    eventually(lambda: mock_bench.committed(mock_bench.ticks, 2), "an offset is committed", 30)
    mock_bench.note_committed()
    plain.handled(first)
    assert "commit-ahead" in plain.verdict([Place(mock_bench.ticks, first.partition() or 0, first.offset() or 0)])
    plain.consumer.close()


@pytest.mark.kafka
def test_committing_first_loses_the_record_whose_handler_dies(bench: Bench) -> None:
    bench.create_topics(bench.ticks)
    ends = fill(bench, 40)
    plain = PlainConsumer(bench, CAREFUL)
    plain.consumer.commit(message=plain.poll(), asynchronous=False)
    bench.note_committed()
    plain.consumer.close()  # its handler died
    heir = PlainConsumer(bench, CAREFUL)
    for _ in range(39):
        heir.handled(heir.poll())
    heir.consumer.close()
    assert heir.verdict(places(bench, ends)) == {"commit-ahead", "unseen"}


def test_beginning_at_the_end_skips_what_was_there(mock_bench: Bench) -> None:
    ends = fill(mock_bench, 40)
    plain = PlainConsumer(mock_bench, CAREFUL | {"auto.offset.reset": "latest"})

    def write_and_poll() -> Message | None:
        fill(mock_bench, 2)
        return plain.consumer.poll(0.3)

    message = eventually(write_and_poll, "a record that came after it", 40)
    assert message is not None
    plain.handled(message)
    plain.consumer.close()
    assert plain.verdict(places(mock_bench, ends)) == {"unseen"}


def test_the_consumer_under_test_is_green_where_those_are_red(mock_bench: Bench, tmp_path: Path) -> None:
    """Its handler holds a record while commits are due; the group's offset stays in front of it."""
    ends = fill(mock_bench, 40)
    held = tmp_path / "held"
    child: Child = mock_bench.start_consumer("c", hold=10, held=str(held))
    eventually(lambda: any(mock_bench.reading.of("holding")), "the handler holds", 60)
    eventually(lambda: mock_bench.committed(mock_bench.ticks, 2), "an offset is committed", 30)
    mock_bench.note_committed()
    held.touch()
    mock_bench.await_committed(mock_bench.ticks, ends)
    assert child.stop() == 0
    assert check_reading(places(mock_bench, ends), mock_bench.reading.update()) == []
