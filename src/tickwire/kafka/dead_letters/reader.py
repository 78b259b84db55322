"""Reads dead letters without joining a group, so nothing is committed.

Reading stops at the ends that the partitions had at the start, and reports how far it came.
"""

import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Self

from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaException, Message, TopicPartition

from tickwire.config.kafka_config import KafkaConfig
from tickwire.errors import KafkaFailed, UsageError
from tickwire.kafka.admin.rights import inspecting, require
from tickwire.kafka.clients import SILENCE_S, Cluster, consumer_config, find_ends, find_offsets, make, silent
from tickwire.kafka.codes import END_OF_PARTITION, MISSING, OFFSET_LOST, final_error, for_good
from tickwire.kafka.dead_letters.selection import DeadLetter, Selection
from tickwire.kafka.received import ReceivedRecord, value_reader

_METADATA_S = 8.0


@dataclass(slots=True)
class Range:
    """Offsets of one partition from ``start`` to before ``end``; those before ``reached`` have been read."""

    partition: int
    start: int
    end: int
    reached: int


@dataclass(frozen=True, slots=True)
class Reading:
    """The records found, oldest first. ``complete``: there are no others that fit."""

    letters: Sequence[DeadLetter]
    ranges: Sequence[Range]
    complete: bool


class DeadLetterReader:
    """The records of *topic* at the time this is made; none if the topic does not exist.

    Every method may raise :exc:`~tickwire.errors.KafkaFailed`.
    """

    def __init__(self, config: KafkaConfig, topic: str) -> None:
        self._topic, self._values = topic, value_reader(config)
        settings = {"enable.partition.eof": True, "fetch.wait.max.ms": 50}  # report ends soon
        cluster = Cluster(config)
        if topic in cluster.view(_METADATA_S).topics:
            require(cluster, config, inspecting(config, topic))
        # The library needs a group name and looks up its coordinator, but only subscribing joins the group.
        self._consumer = make(Consumer, consumer_config(config, config.group_id) | settings)
        try:
            numbers = self._partitions()
            first = self._find(numbers, OFFSET_BEGINNING)
            ends = find_ends(self._consumer, [(topic, number) for number in numbers])
        except KafkaException as e:
            self._consumer.close()
            raise for_good(e.args[0], topic) from e
        except BaseException:
            self._consumer.close()
            raise
        self.ranges = {number: Range(number, first[number], ends[topic, number], first[number]) for number in numbers}

    @property
    def complete(self) -> bool:
        """Whether everything up to the ends was read."""
        return all(part.reached >= part.end for part in self.ranges.values())

    def start_at(self, offsets: Mapping[int, int]) -> None:
        """Skip records before these offsets."""
        for number, offset in offsets.items():
            part = self.ranges[number]
            part.start = part.reached = min(max(part.start, offset), part.end)

    def start_at_time(self, time_ms: int) -> None:
        """Skip records before the first one with at least this timestamp; later ones can still be older."""
        try:
            found = self._find(self.ranges, time_ms)
        except KafkaException as e:
            raise for_good(e.args[0], self._topic) from e
        # A negative answer: no record is that late.
        self.start_at({n: offset if offset >= 0 else self.ranges[n].end for n, offset in found.items()})

    def read(self, part: Range) -> Iterator[ReceivedRecord]:
        """Read one partition from ``reached`` to its end; every yielded record counts as read."""
        if part.reached >= part.end:
            return
        try:
            self._consumer.assign([TopicPartition(self._topic, part.partition, part.reached)])
            while part.reached < part.end:
                message = self._next()
                offset = message.offset() or 0
                if message.partition() != part.partition:
                    continue
                if message.error() is not None or offset >= part.end:  # the end; offsets before it may have no record
                    part.reached = part.end
                    return
                part.reached = offset + 1
                yield ReceivedRecord.from_message(message, self._values)
        except KafkaException as e:
            raise for_good(e.args[0], self._topic) from e

    def select(self, part: Range, selection: Selection, limit: int | None = None) -> Iterator[DeadLetter]:
        """Read at most *limit* selected records of one partition, then check whether there is one more."""
        left = limit
        for record in self.read(part):
            letter = DeadLetter.of(record)
            if selection.matches(letter):
                if left == 0:
                    part.reached = record.offset
                    return
                yield letter
                left = None if left is None else left - 1

    def select_all(self, selection: Selection, limit: int | None) -> Iterator[DeadLetter]:
        """Read at most *limit* selected records, partition after partition."""
        if selection.since_ms is not None:
            self.start_at_time(selection.since_ms)
        left = limit
        for part in self.ranges.values():
            for letter in self.select(part, selection, left):
                yield letter
                left = None if left is None else left - 1

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._consumer.close()

    def _partitions(self) -> list[int]:
        metadata = self._consumer.list_topics(self._topic, timeout=_METADATA_S).topics[self._topic]
        if metadata.error is not None and metadata.error.code() in MISSING:
            return []
        if metadata.error is not None:
            failure = final_error(metadata.error, self._topic, None, None)
            raise failure or for_good(metadata.error, self._topic)
        return sorted(metadata.partitions)

    def _find(self, numbers: Iterable[int], time_ms: int) -> dict[int, int]:
        found = find_offsets(self._consumer, [(self._topic, number) for number in numbers], time_ms)
        return {number: offset for (_, number), offset in found.items()}

    def _next(self) -> Message:
        """Wait for a record or the end of a partition, the only error that is returned."""
        deadline = time.monotonic() + SILENCE_S
        while time.monotonic() < deadline:
            message = self._consumer.poll(0.2)
            if message is None:
                continue
            error = message.error()
            if error is None or error.code() == END_OF_PARTITION:
                return message
            if error.code() == OFFSET_LOST:
                raise KafkaFailed(
                    f"Records of {self._topic} partition {message.partition()} were removed while they were read, "
                    "by its retention or by a purge: run again."
                )
            if (failure := final_error(error, self._topic, message.partition(), message.offset())) is not None:
                raise failure
        raise silent(self._topic)


def read_oldest(config: KafkaConfig, topic: str, maximum: int, selection: Selection | None = None) -> Reading:
    """Read the oldest *maximum* records of *topic* that are selected. Raises :exc:`~tickwire.errors.KafkaFailed`."""
    wanted = selection or Selection()
    with DeadLetterReader(config, topic) as reader:
        if wanted.since_ms is not None:
            reader.start_at_time(wanted.since_ms)
        parts = reader.ranges.values()
        letters = [letter for part in parts for letter in reader.select(part, wanted, maximum)]
    # These are the oldest of each partition, which is in order, so the oldest of all are among them.
    letters.sort(key=lambda letter: (letter.record.timestamp_ms or 0, letter.record.partition, letter.record.offset))
    return Reading(letters[:maximum], list(parts), reader.complete and len(letters) <= maximum)


def read_one(config: KafkaConfig, topic: str, partition: int, offset: int) -> DeadLetter:
    """Read the record at this place. Raises :exc:`~tickwire.errors.UsageError` when there is none."""
    with DeadLetterReader(config, topic) as reader:
        part = reader.ranges.get(partition)
        if not reader.ranges:
            raise UsageError(f"There are no dead letters: the topic {topic} is not in Kafka.")
        if part is None:
            raise UsageError(f"{topic} has no partition {partition}: expected 0 to {len(reader.ranges) - 1}.")
        first, end = part.start, part.end
        reader.start_at({partition: offset})
        record = next(reader.read(part), None) if first <= offset < end else None
        if record is None or record.offset != offset:
            held = f"it holds {first} to {end - 1}" if first < end else "it is empty"
            raise UsageError(f"{topic} partition {partition} has no offset {offset}: {held}.")
        return DeadLetter.of(record)
