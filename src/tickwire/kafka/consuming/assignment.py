"""The partitions assigned to this member: their start, their progress, and what happens when they are revoked."""

import logging
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial

from confluent_kafka import Consumer, TopicPartition

from tickwire import metrics
from tickwire.errors import OffsetLost
from tickwire.kafka.consuming.commits import Commits
from tickwire.kafka.consuming.partitions import AssignedPartition, HandlerThreads, bytes_of, poll_records, share_room
from tickwire.kafka.consuming.positions import Position, earliest, resolve
from tickwire.kafka.consuming.processing import Processor
from tickwire.kafka.consuming.progress import CommitTracker, Partition
from tickwire.kafka.consuming.report import ConsumerReport
from tickwire.kafka.received import ReceivedRecord

logger = logging.getLogger(__name__)

DRAIN_SECONDS = 10.0  # time for started records to finish when their partition is revoked, and at the end
REVOKE_COMMIT_SECONDS = 10.0  # time for the last commit of a revoked partition
_NAMED = 3  # partitions named in one log line
_RESUMED_AT = 0.5  # share of its room that a paused partition still uses when it is resumed


class Assignment:
    """The partitions assigned to this member. Everything here runs on the polling thread.

    *begun* has the start offsets of partitions without a committed offset; *revoked* is called by a partition's worker
    after the partition has gone.
    """

    def __init__(
        self,
        consumer: Consumer,
        tracker: CommitTracker,
        commits: Commits,
        processor: Processor,
        workers: HandlerThreads,
        begun: dict[Partition, int],
        report: ConsumerReport,
        revoked: Callable[[str, int], object] | None,
    ) -> None:
        self._consumer, self._tracker, self._commits = consumer, tracker, commits
        self._processor, self._workers = processor, workers
        self._begun, self._report, self._revoked = begun, report, revoked
        self._assigned: dict[Partition, AssignedPartition] = {}
        self._paused: set[AssignedPartition] = set()
        self._room_bytes = share_room(())  # for each partition
        self._record_bytes = 1_000  # average of the latest records
        self._closing = False
        self.joined = False  # an assignment came, even an empty one
        self.leaving = False  # no more requests to Kafka

    @property
    def busy(self) -> bool:
        """Whether any record is being handled or waits for it."""
        return any(assigned.waiting for assigned in self._assigned.values())

    @property
    def poll_records(self) -> int:
        """How many records one poll may return."""
        return poll_records(self._room_bytes, self._record_bytes)

    def full(self, these: Iterable[AssignedPartition]) -> list[AssignedPartition]:
        """Those of *these* that are full and not paused yet."""
        open_ = (assigned for assigned in these if not assigned.closed and assigned not in self._paused)
        return [assigned for assigned in open_ if assigned.holds(1)]

    @property
    def none_has_room(self) -> bool:
        """Whether every partition has less than half of its room left: a pause would give no other one its turn."""
        return all(assigned.holds(_RESUMED_AT) for assigned in self._assigned.values())

    def pause(self, full: Sequence[AssignedPartition]) -> None:
        """Pause partitions until they have room."""
        self._consumer.pause([TopicPartition(*assigned.partition) for assigned in full])
        self._paused.update(full)

    def give(self, batch: Sequence[ReceivedRecord], these: set[AssignedPartition]) -> None:
        """Pass records of one partition to its worker, and add the partition to *these*."""
        assigned = self._assigned.get((batch[0].topic, batch[0].partition))
        if assigned is None:
            return  # fetched before the partition was revoked
        these.add(assigned)
        assigned.taken += len(batch)
        assigned.next, assigned.at_end = batch[-1].offset + 1, False
        size = bytes_of(batch)
        assigned.taken_bytes += size
        self._record_bytes = size // len(batch)
        self._workers.of(assigned.partition).put(assigned, batch)

    def at_end(self, partition: Partition, offset: int) -> None:
        """Note that *offset* is the partition's end; offsets up to it that did not come have no record."""
        assigned = self._assigned.get(partition)
        if assigned is None or offset < assigned.next:
            return
        if offset > assigned.next:
            self._workers.of(partition).put(assigned, offset)
        assigned.next, assigned.at_end = offset, True

    def resume(self) -> None:
        """Resume paused partitions that have room again."""
        ready = [assigned for assigned in self._paused if not assigned.holds(_RESUMED_AT)]
        if ready:
            self._consumer.resume([TopicPartition(*assigned.partition) for assigned in ready])
            self._paused.difference_update(ready)

    def wake(self, partition: Partition) -> None:
        """Wake a partition that waited for its commit."""
        if (assigned := self._assigned.get(partition)) is not None:
            self._workers.of(partition).wake(assigned)

    def export(self) -> None:
        """Update the metrics of the assigned partitions."""
        metrics.CONSUMER_JOINED.set(self.joined)
        metrics.CONSUMER_PARTITIONS.labels("assigned").set(len(self._tracker.assigned()))
        waiting = sum(assigned.waits > 0 for assigned in self._assigned.values())
        metrics.CONSUMER_PARTITIONS.labels("waiting_for_registry").set(waiting)

    def lags(self) -> Iterator[tuple[Partition, int]]:
        """How many offsets each partition is behind its end, if that is known."""
        for name, progress in self._tracker.assigned().items():
            assigned, end = self._assigned[name], 0
            if not assigned.at_end:
                known = self._consumer.get_watermark_offsets(TopicPartition(*name), cached=True)
                end = known[1] if known is not None else -1
            if end >= 0:
                yield name, max(0, max(end, assigned.next) - progress.position)

    def skip(self, lost: OffsetLost) -> None:
        """Continue at the earliest existing record, after the records that still wait for their handler."""
        partition = lost.topic, lost.partition
        assigned = self._assigned.get(partition)
        if assigned is None:
            return
        first = earliest(self._consumer, partition)
        skipped = max(0, first - lost.offset)
        logger.warning(
            "consumer.offset_lost topic=%s partition=%d offset=%d earliest=%d skipped=%d",
            *partition,
            lost.offset,
            first,
            skipped,
        )
        metrics.CONSUMER_SKIPPED.labels(lost.topic).inc(skipped)
        if first >= lost.offset:
            self._workers.of(partition).put(assigned, first)
            assigned.next = first
        else:  # a new topic of the same name: its offsets and our counts start again
            self._drain([assigned])
            self._open_partition(partition, Position(first, lost.offset))
            self._tell_revoked(partition)
        # Not seek(), which is refused (_STATE) for a partition that has stopped because of its offset.
        self._consumer.incremental_unassign([TopicPartition(*partition)])
        self._consumer.incremental_assign([TopicPartition(*partition, first)])

    def on_assign(self, consumer: Consumer, partitions: list[TopicPartition]) -> None:
        """Start reading newly assigned partitions."""
        self.joined = True
        positions = resolve(consumer, [(p.topic, p.partition) for p in partitions], self._begun)
        for name, position in positions.items():
            self._begun.setdefault(name, position.offset)
            self._open_partition(name, position)
        self._report.assigned = len(self._tracker.assigned())
        logger.info("consumer.assigned partitions=%s", _shown(positions))
        consumer.incremental_assign([TopicPartition(*name, position.offset) for name, position in positions.items()])

    def on_revoke(self, _consumer: Consumer, partitions: list[TopicPartition]) -> None:
        """Finish started records of revoked partitions, commit them, and give the partitions up."""
        if not self._closing:
            self._drain([assigned for p in partitions if (assigned := self._assigned.get((p.topic, p.partition)))])
        if not self.leaving:  # when leaving, no more requests are sent
            self._commits.send_and_look(self._consumer, REVOKE_COMMIT_SECONDS)
        self._give_up(partitions, "revoked")

    def on_lost(self, _consumer: Consumer, partitions: list[TopicPartition]) -> None:
        """Give partitions up without a commit: another consumer may already have them."""
        self.joined = False
        self._give_up(partitions, "lost")

    def close(self) -> None:
        """Finish started records, and start no more."""
        self._closing = True
        self._drain(list(self._assigned.values()))

    def _drain(self, these: Sequence[AssignedPartition]) -> None:
        """Start no more records, and wait for those being handled."""
        if not self._workers.close(these, DRAIN_SECONDS, lambda: self._processor.stuck):
            logger.warning("consumer.handler_unfinished seconds=%g", DRAIN_SECONDS)

    def _give_up(self, partitions: Sequence[TopicPartition], how: str) -> None:
        names = [(p.topic, p.partition) for p in partitions]
        self._tracker.lose(names)
        if self._closing:
            return
        self._report.assigned = len(self._tracker.assigned())
        logger.info("consumer.%s partitions=%s", how, names)
        for name in names:
            self._report.forget_lag(name)
            assigned = self._assigned.pop(name, None)
            if assigned is not None:
                assigned.closed = True
                if assigned in self._paused:
                    self._paused.remove(assigned)
                    self._consumer.resume([TopicPartition(*name)])  # else it stays paused when it is assigned again
            self._tell_revoked(name)
        self._room_bytes = share_room(self._assigned.values())
        for assigned in self._assigned.values():
            self._workers.of(assigned.partition).wake(assigned)

    def _open_partition(self, partition: Partition, position: Position) -> None:
        self._assigned[partition] = AssignedPartition(
            partition, self._tracker.assign(partition, position.offset, position.committed)
        )
        self._room_bytes = share_room(self._assigned.values())

    def _tell_revoked(self, partition: Partition) -> None:
        if self._revoked is not None:
            self._workers.of(partition).call(partial(self._revoked, *partition))


def _shown(positions: dict[Partition, Position]) -> str:
    """The first few partitions with their start positions, and the number of the others."""
    first = [f"{topic}-{number}@{position.offset}" for (topic, number), position in [*positions.items()][:_NAMED]]
    more = len(positions) - len(first)
    return ",".join(first) + (f" and {more} more" if more else "")
