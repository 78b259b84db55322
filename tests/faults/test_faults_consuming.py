"""The consumer under faults: killed at every step, commits refused, poison, dead letters that cannot be written."""

import json
import random
from pathlib import Path

import pytest
from confluent_kafka import Producer, TopicPartition
from confluent_kafka.admin import AdminClient

from faults.checker import Place, check_reading
from faults.workbench import Bench, Child, of_topic
from kafka.mock_cluster import OFFSET_COMMIT, MockCluster
from support import eventually
from tickwire.kafka.consuming.processing import MAX_UNCOMMITTED

PARTITIONS = 2
# A killed consumer's place in the group is taken over at once by the next process of the same name.
STATIC = {"group.instance.id": "one", "session.timeout.ms": 30_000}
# A member that was lost leaves the mock cluster's group after this time.
QUICK = {"session.timeout.ms": 3_000, "heartbeat.interval.ms": 500}


def fill(bench: Bench, count: int, *, poison_every: int = 0, size: int = 0) -> dict[int, int]:
    """Write *count* records to the topic of tickers, in turn to its partitions; return where each partition ends."""
    producer = Producer({"bootstrap.servers": bench.bootstrap, "linger.ms": 5})
    for number in range(count):
        event = {
            "type": "ticker", "exchange": "x", "symbol": "A-B", "exchange_symbol": "AB", "bid": "1", "bid_size": "1",
            "ask": "2", "ask_size": "1", "sequence": number, "received_us": 1, "padding": "x" * size,
        }  # fmt: skip
        bad = poison_every and number % poison_every == poison_every - 1
        value = b"{" if bad else json.dumps(event).encode()
        producer.produce(bench.ticks, value, b"x|A-B", number % PARTITIONS)
    assert producer.flush(30) == 0
    return dict.fromkeys(range(PARTITIONS), count // PARTITIONS)


def places(bench: Bench, ends: dict[int, int]) -> list[Place]:
    return [Place(bench.ticks, partition, offset) for partition, end in ends.items() for offset in range(end)]


def unconfirmed(bench: Bench) -> int:
    """How many finished records the group has not committed, seen from outside; the next member repeats them."""
    done = {tuple(e[2:]) for e in bench.reading.of("handled", "dead_letter")}
    committed = bench.committed(bench.ticks, PARTITIONS)
    return sum(offset >= committed.get(partition, 0) for _, partition, offset in done)


def finish(bench: Bench, child: Child, ends: dict[int, int]) -> None:
    """Let a consumer reach the end and leave in order."""
    bench.await_committed(bench.ticks, ends)
    assert child.stop() == 0


@pytest.mark.kafka
@pytest.mark.parametrize(
    ("step", "times"),
    [
        ("before_handling", 700),
        ("after_handling", 1_300),
        ("after_dead_letter", 3),
        ("before_commit", 2),
        ("after_commit", 2),
    ],
)
def test_row_23_a_consumer_killed_at_any_step_repeats_what_was_not_committed_and_nothing_else(
    bench: Bench, step: str, times: int
) -> None:
    bench.create_topics(bench.ticks)
    ends = fill(bench, 3_000, poison_every=300)
    letters = {"dlq_enabled": True}
    slow = 1.0 if "commit" in step else 0.0  # several seconds in all, so several commits
    first = bench.start_consumer("first", letters, client=STATIC, die=(step, times), slow_ms=slow)
    assert first.process.wait(60) == -9
    again = unconfirmed(bench)
    second = bench.start_consumer("second", letters, client=STATIC)
    finish(bench, second, ends)
    assert check_reading(places(bench, ends), bench.reading.update(), duplicates=again) == []
    assert again <= PARTITIONS * MAX_UNCOMMITTED


@pytest.mark.kafka
def test_row_23_a_consumer_killed_at_random_moments(bench: Bench) -> None:
    bench.create_topics(bench.ticks)
    ends = fill(bench, 20_000)
    moments, again = random.Random(5), 0
    for turn in range(4):
        before = len(bench.reading.update())
        child = bench.start_consumer(f"c{turn}", client=STATIC, slow_ms=0.2)  # so that some are left at the last kill
        more = moments.randrange(500, 4_000)
        Bench.until(lambda: len(bench.reading.update()) >= before + more, child, "some records")  # noqa: B023
        child.kill()
        again += unconfirmed(bench)
    finish(bench, bench.start_consumer("last", client=STATIC), ends)
    assert check_reading(places(bench, ends), bench.reading.update(), duplicates=again) == []


@pytest.mark.kafka
def test_row_17_poison_is_one_dead_letter_each_and_the_partition_moves_on(bench: Bench) -> None:
    bench.create_topics(bench.ticks)
    bench.create_topics(bench.letters, partitions=1)
    ends = fill(bench, 2_000, poison_every=10)
    finish(bench, bench.start_consumer("c", {"dlq_enabled": True}), ends)
    assert check_reading(places(bench, ends), bench.reading.update()) == []
    letters, _ = bench.log([bench.letters])
    assert len(letters) == 200
    assert len(list(bench.reading.of("dead_letter"))) == 200


def test_row_18_a_dead_letter_that_cannot_be_written_holds_the_offset(mock: MockCluster, mock_bench: Bench) -> None:
    """Topic authorization failed (29), then allowed again: the next run goes on where the first one stopped."""
    ends = fill(mock_bench, 600, poison_every=200)
    letters = {"dlq_enabled": True}
    mock.topic_error(mock_bench.letters, 29)
    child = mock_bench.start_consumer("first", letters, client=QUICK)
    assert child.process.wait(60) == 1
    assert child.report["error"] == "KafkaFailed"
    assert list(mock_bench.reading.of("dead_letter")) == []
    mock.topic_error(mock_bench.letters, 0)
    finish(mock_bench, mock_bench.start_consumer("second", letters, client=QUICK), ends)
    assert check_reading(places(mock_bench, ends), mock_bench.reading.update()) == []
    assert len(of_topic(mock_bench.log([mock_bench.letters])[0], mock_bench.letters)) == 3


# REBALANCE_IN_PROGRESS, ILLEGAL_GENERATION, UNKNOWN_MEMBER_ID, COORDINATOR_LOAD_IN_PROGRESS,
# COORDINATOR_NOT_AVAILABLE, NOT_COORDINATOR, REQUEST_TIMED_OUT
@pytest.mark.parametrize(
    "code", [27, 22, 14, *(pytest.param(c, marks=pytest.mark.slow_fault) for c in (25, 15, 16, 7))]
)
def test_row_22_refused_commits_are_sent_again_and_never_too_early(
    mock: MockCluster, mock_bench: Bench, code: int
) -> None:
    ends = fill(mock_bench, 3_000)
    mock.push_request_errors(OFFSET_COMMIT, *[code] * 3)
    child = mock_bench.start_consumer("c", client=QUICK, slow_ms=1)
    finish(mock_bench, child, ends)
    assert check_reading(places(mock_bench, ends), mock_bench.reading.update(), duplicates=None) == []


@pytest.mark.kafka
def test_row_26_what_retention_removed_under_a_reader_is_an_error_not_a_jump(bench: Bench, tmp_path: Path) -> None:
    bench.create_topics(bench.ticks)
    ends = fill(bench, 8_000, size=1_000)
    held = tmp_path / "held"
    little = {"queued.min.messages": 1, "queued.max.messages.kbytes": 64, "fetch.message.max.bytes": 16_384}
    child = bench.start_consumer("c", client=little, hold=20, held=str(held))
    eventually(lambda: any(bench.reading.of("holding")), "the handler holds", 60)
    admin = AdminClient({"bootstrap.servers": bench.bootstrap})
    gone = [TopicPartition(bench.ticks, partition, end - 10) for partition, end in ends.items()]
    for future in admin.delete_records(gone).values():
        future.result(20)
    held.touch()
    assert child.process.wait(60) == 1
    assert child.report["error"] == "OffsetLost"
    read = {Place(*entry[1:]) for entry in bench.reading.of("handled")}
    assert check_reading(read, bench.reading.update()) == []
    assert all(place.offset < ends[place.partition] - 10 for place in read)
    for partition, offset in bench.committed(bench.ticks, PARTITIONS).items():
        assert offset == sum(place.partition == partition for place in read)  # up to the hole, not behind it
