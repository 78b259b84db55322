"""Where a consumer begins: ``committed``, ``beginning``, ``end`` or a time.

Always resolved to offsets, never left to ``auto.offset.reset``, which skips or repeats without a word.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal

from confluent_kafka import OFFSET_BEGINNING, OFFSET_END, Consumer, KafkaException, TopicPartition

from tickwire.errors import UsageError
from tickwire.kafka.commit_tracker import Partition

_QUERY_S = 30.0


@dataclass(frozen=True, slots=True)
class Start:
    """Where to begin; ``time_ms`` (Unix milliseconds) belongs to ``time``."""

    kind: Literal["committed", "beginning", "end", "time"]
    time_ms: int = 0


COMMITTED = Start("committed")


def parse_start(text: str) -> Start:
    """Read ``committed``, ``beginning``, ``end``, Unix milliseconds or an ISO 8601 time (UTC unless it says otherwise).

    Raises :exc:`~tickwire.errors.UsageError`.
    """
    match text:
        case "committed" | "beginning" | "end":
            return Start(text)
    if text.isascii() and text.isdigit() and len(text) <= 15:
        return Start("time", int(text))
    try:
        time = datetime.fromisoformat(text)
        time = time if time.tzinfo else time.replace(tzinfo=UTC)
        milliseconds = int(time.timestamp() * 1000)
    except (ValueError, OverflowError):
        milliseconds = -1
    if milliseconds < 0:
        raise UsageError(
            f"--from {text!r} is no start: expected committed, beginning, end, an ISO 8601 time "
            "such as 2026-01-31T12:00:00Z, or Unix milliseconds."
        )
    return Start("time", milliseconds)


@dataclass(frozen=True, slots=True)
class Position:
    """Where to begin in one partition, and what the group had committed there, if anything."""

    offset: int
    committed: int | None


def resolve(consumer: Consumer, start: Start, partitions: Sequence[Partition]) -> dict[Partition, Position]:
    """Find the offsets to begin at. Without a committed offset, ``committed`` means the beginning.

    Raises ``KafkaException``.
    """
    known = _committed(consumer, partitions)
    if start.kind == "committed":
        wanted = [partition for partition in partitions if partition not in known]
        offsets = known | _look_up(consumer, wanted, OFFSET_BEGINNING)
    elif start.kind == "beginning":
        offsets = _look_up(consumer, partitions, OFFSET_BEGINNING)
    else:
        offsets = _look_up(consumer, partitions, OFFSET_END)
        if start.kind == "time":
            found = _look_up(consumer, partitions, start.time_ms)
            # A negative answer: nothing is that young, so what comes next is.
            offsets |= {partition: offset for partition, offset in found.items() if offset >= 0}
    return {partition: Position(offsets[partition], known.get(partition)) for partition in partitions}


def earliest(consumer: Consumer, partition: Partition) -> int:
    """The first offset that a partition has now. Raises ``KafkaException``."""
    return _look_up(consumer, [partition], OFFSET_BEGINNING)[partition]


def _committed(consumer: Consumer, partitions: Sequence[Partition]) -> dict[Partition, int]:
    answer = consumer.committed([TopicPartition(*partition) for partition in partitions], timeout=_QUERY_S)
    return _offsets(answer, least=0)


def _look_up(consumer: Consumer, partitions: Sequence[Partition], time: int) -> dict[Partition, int]:
    """Ask for offsets by time; OFFSET_BEGINNING and OFFSET_END stand for themselves in this request (ListOffsets)."""
    if not partitions:
        return {}
    query = [TopicPartition(*partition, time) for partition in partitions]
    return _offsets(consumer.offsets_for_times(query, timeout=_QUERY_S), least=OFFSET_END)


def _offsets(answer: Sequence[TopicPartition], least: int) -> dict[Partition, int]:
    for entry in answer:
        if entry.error is not None:
            raise KafkaException(entry.error)
    return {(entry.topic, entry.partition): entry.offset for entry in answer if entry.offset >= least}
