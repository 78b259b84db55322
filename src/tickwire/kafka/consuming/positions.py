"""Where a consumer starts: ``committed``, ``beginning``, ``end`` or a time.

Always resolved to offsets, never left to ``auto.offset.reset``, which skips or repeats records silently.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from confluent_kafka import OFFSET_BEGINNING, OFFSET_END, Consumer, TopicPartition

from tickwire.kafka.clients import ask, find_offsets
from tickwire.kafka.consuming.progress import Partition
from tickwire.kafka.times import parse_time

_QUERY_S = 30.0


@dataclass(frozen=True, slots=True)
class Start:
    """Where to start; ``time_ms`` (Unix milliseconds) is for ``time``."""

    kind: Literal["committed", "beginning", "end", "time"]
    time_ms: int = 0

    def __str__(self) -> str:
        return str(self.time_ms) if self.kind == "time" else self.kind


COMMITTED = Start("committed")


def parse_start(text: str) -> Start:
    """Read ``committed``, ``beginning``, ``end``, Unix milliseconds or an ISO 8601 time (UTC unless it says otherwise).

    Raises :exc:`~tickwire.errors.UsageError`.
    """
    match text:
        case "committed" | "beginning" | "end":
            return Start(text)
    return Start("time", parse_time("--from", text, "committed, beginning, end, "))


@dataclass(frozen=True, slots=True)
class Position:
    """Where to start in one partition, and the group's committed offset there, if any."""

    offset: int
    committed: int | None


def resolve(
    consumer: Consumer, partitions: Sequence[Partition], begun: Mapping[Partition, int]
) -> dict[Partition, Position]:
    """Find the start offsets: the committed ones, else those in *begun*, else the beginning.

    Raises ``KafkaException``.
    """
    known = committed(consumer, partitions)
    offsets = {partition: begun[partition] for partition in partitions if partition in begun} | known
    rest = [partition for partition in partitions if partition not in offsets]
    offsets |= find_offsets(consumer, rest, OFFSET_BEGINNING)
    return {partition: Position(offsets[partition], known.get(partition)) for partition in partitions}


def earliest(consumer: Consumer, partition: Partition) -> int:
    """The first offset that a partition has now. Raises ``KafkaException``."""
    return find_offsets(consumer, [partition], OFFSET_BEGINNING)[partition]


def look_up_start(consumer: Consumer, start: Start, partitions: Sequence[Partition]) -> dict[Partition, int]:
    """The current offsets of *start*, which is not ``committed``. Raises ``KafkaException``."""
    if start.kind == "beginning":
        return find_offsets(consumer, partitions, OFFSET_BEGINNING)
    offsets = find_offsets(consumer, partitions, OFFSET_END)
    if start.kind == "time":
        found = find_offsets(consumer, partitions, start.time_ms)
        # A negative answer: no record is that late, so the next one will be.
        offsets |= {partition: offset for partition, offset in found.items() if offset >= 0}
    return offsets


def committed(consumer: Consumer, partitions: Sequence[Partition]) -> dict[Partition, int]:
    """The group's committed offsets; partitions without one are left out. Raises ``KafkaException``."""
    query = [TopicPartition(*partition) for partition in partitions]
    answer = ask(lambda seconds: consumer.committed(query, timeout=seconds), _QUERY_S)
    return {(entry.topic, entry.partition): entry.offset for entry in answer if entry.offset >= 0}
