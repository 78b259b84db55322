"""The consumer group of the replay: it admits one process at a time and keeps which letters were handled."""

import time
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from confluent_kafka import OFFSET_END, Consumer, KafkaError, KafkaException, TopicPartition

from tickwire.config.kafka_config import KafkaConfig
from tickwire.errors import KafkaFailed, TickwireError
from tickwire.kafka import codes
from tickwire.kafka.causes import said
from tickwire.kafka.clients import Cluster, ask, consumer_config, make
from tickwire.kafka.codes import final_error
from tickwire.kafka.complaints import ConsumerTroubles
from tickwire.kafka.dead_letters.replay.handled import METADATA_BYTES, Handled

GROUP = "dlq-replay-tool"
_QUERY_S = 15.0
_SESSION_MS = 6_000  # the shortest that brokers allow: a killed replay keeps its membership this long
_VACANT_S = 10.0
_JOIN_S = 30.0


class ReplayBusy(TickwireError):
    """Another process replays."""

    def __str__(self) -> str:
        return f"Another replay is at work (group {GROUP}) and only one may be: wait for its end and run again."


class ReplayGroup:
    """The group's commits for *topic*; reading them needs no membership. Raises :exc:`~tickwire.errors.KafkaFailed`."""

    def __init__(self, config: KafkaConfig, topic: str) -> None:
        self._topic = topic
        self._cluster = Cluster(config)
        self._assigned: set[int] | None = None
        self._taken_away = False
        self._keeps_metadata = True
        settings: dict[str, Any] = {
            # Eager, so that the first member notices a second one at once: all its partitions are revoked.
            "partition.assignment.strategy": "range",
            "session.timeout.ms": _SESSION_MS,
            "heartbeat.interval.ms": _SESSION_MS // 3,
            "error_cb": ConsumerTroubles(config).heard,
        }
        self._consumer = make(Consumer, consumer_config(config, GROUP) | settings)

    def handled(self, ranges: Mapping[int, tuple[int, int]]) -> dict[int, Handled]:
        """The handled letters by partition; *ranges* are the first offset and the end that each has now."""
        found = {}
        for entry in self._committed(ranges):
            first, end = ranges[entry.partition]
            handled = Handled.decode(max(entry.offset, 0), entry.metadata)
            if handled.position > end:  # the topic lost records; Kafka deletes the committed offsets of deleted topics
                handled = Handled(first)
            handled.add(0, first)  # deleted since
            found[entry.partition] = handled
        return found

    def join(self, partitions: set[int], stopping: Callable[[], bool]) -> bool:
        """Become the only member; False if *stopping* returns true first. Raises :exc:`ReplayBusy`."""
        deadline = time.monotonic() + _VACANT_S  # a killed member is listed until its session times out
        while self._has_members():
            if stopping():
                return False
            if time.monotonic() > deadline:
                raise ReplayBusy
            time.sleep(0.2)
        self._consumer.subscribe([self._topic], on_assign=self._on_assign, on_revoke=self._on_revoke)
        deadline = time.monotonic() + _JOIN_S
        while self._assigned is None:
            if stopping():
                return False
            if time.monotonic() > deadline:
                raise KafkaFailed(f"The group {GROUP} could not be joined within {_JOIN_S:g} s: try again.")
            self._poll(0.1)
        if self._assigned != partitions:
            raise ReplayBusy
        return True

    def check(self) -> None:
        """Make sure that we are still the group's member. Raises :exc:`ReplayBusy`."""
        self._poll(0)
        if self._taken_away:
            raise ReplayBusy

    def test(self, handled: Mapping[int, Handled]) -> None:
        """Commit the known state, which shows before anything is sent whether commits work and metadata is kept."""
        self.commit(handled)
        self._keeps_metadata = all(entry.metadata for entry in self._committed(handled))

    def has_room(self, handled: Handled) -> bool:
        """Whether this fits into a commit."""
        if not self._keeps_metadata:
            return not handled.gaps
        return len(handled.encode()) <= METADATA_BYTES

    def commit(self, handled: Mapping[int, Handled]) -> None:
        """Commit and wait for the answer. Raises :exc:`ReplayBusy` when another one took over."""
        offsets = [
            TopicPartition(self._topic, number, part.position, part.encode()) for number, part in handled.items()
        ]
        try:
            answer = self._consumer.commit(offsets=offsets, asynchronous=False)
        except KafkaException as e:
            raise _not_committed(e.args[0]) from e
        for entry in answer or ():
            if entry.error is not None:
                raise _not_committed(entry.error)

    def close(self) -> None:
        """Leave the group."""
        self._consumer.close()

    def _committed(self, numbers: Iterable[int]) -> list[TopicPartition]:
        """Ask for the group's offsets; in a new cluster this creates the coordinator."""
        query = [TopicPartition(self._topic, number) for number in numbers]
        try:
            return ask(lambda seconds: self._consumer.committed(query, timeout=seconds), _QUERY_S)
        except KafkaException as e:
            raise KafkaFailed(f"The offsets of the group {GROUP} cannot be read ({said(e)}): try again.") from e

    def _poll(self, seconds: float) -> None:
        message = self._consumer.poll(seconds)  # for the group protocol only; records are read by another consumer
        error = None if message is None else message.error()
        if error is not None and (failure := final_error(error, self._topic, None, None)) is not None:
            raise failure

    def _on_assign(self, consumer: Consumer, partitions: list[TopicPartition]) -> None:
        self._assigned = {entry.partition for entry in partitions}
        at_end = [TopicPartition(entry.topic, entry.partition, OFFSET_END) for entry in partitions]
        consumer.assign(at_end)
        consumer.pause(at_end)

    def _on_revoke(self, _consumer: Consumer, _partitions: list[TopicPartition]) -> None:
        self._taken_away = True

    def _has_members(self) -> bool:
        try:
            return bool(self._cluster.describe_group(GROUP, _QUERY_S).members)
        except KafkaException as e:
            if e.args[0].code() == codes.NO_SUCH_GROUP:
                return False
            raise KafkaFailed(f"The group {GROUP} cannot be looked up ({said(e)}): try again.") from e


def _not_committed(error: KafkaError) -> TickwireError:
    if error.code() in codes.PLACE_LOST:
        return ReplayBusy()
    return KafkaFailed(
        f"The offsets of the group {GROUP} could not be committed ({said(error)}): correct that and run again; "
        "what was sent since the last commit is then sent again."
    )
