"""The publisher's use of the spill: in an outage records go through the disk, and at the end the remaining ones.

The order of a key across memory and disk is: records handed to the producer, records on disk, new records. So while
records on disk have not been handed over, new ones are written behind them.
"""

import logging
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import NamedTuple

from tickwire import metrics
from tickwire.config.kafka_config import KafkaConfig
from tickwire.errors import SpillFailed, SpillFull, TickwireError
from tickwire.kafka.producing.disk_room import DiskRoom
from tickwire.kafka.producing.in_flight import IN_MEMORY, InFlight
from tickwire.kafka.producing.ledger import Hole, Lane, Ledger, RecoveredAccount
from tickwire.kafka.producing.when_full import Send
from tickwire.kafka.spill import Front, SpillLog, Sync
from tickwire.kafka.spill.segment import Segment
from tickwire.records.codec import Record

logger = logging.getLogger(__name__)

_READ = 500  # records read at once, in one turn of the loop
_OVERHEAD_BYTES = 256  # bytes of a record on disk besides its value


class _Shelter(NamedTuple):
    """Records in flight that are being written to disk, and how to find those still in flight."""

    entries: Sequence[InFlight]
    front: Front
    written: Future[Segment]
    on_their_way: Callable[[], Iterable[InFlight]]


class OutageBuffer:
    """Takes records while the producer has no room, and hands them over later, in order.

    *lose* is called with each record for which there is no room, *broke* with each lane that lost records on disk,
    *failed* when the disk fails. It implements :class:`~tickwire.kafka.producing.when_full.WhenFull`; its records are
    on disk, so ``entries`` is empty.
    """

    def __init__(
        self,
        config: KafkaConfig,
        ledger: Ledger,
        clock: Callable[[], float],
        *,
        lose: Callable[[Lane, Record], None],
        broke: Callable[[Lane], None],
        failed: Callable[[TickwireError], None],
    ) -> None:
        self._config, self._ledger = config, ledger
        self._lose, self._broke, self._failed = lose, broke, failed
        self._log: SpillLog | None = None
        self._disk = ThreadPoolExecutor(1, "tickwire-spill")  # so that the event loop does not wait for the disk
        self._syncing: tuple[Sync, Future[str | None]] | None = None
        self._sheltering: _Shelter | None = None
        self._found = 0  # records of an earlier run
        self._older = 0  # how many of these have not been read
        self._unread = 0  # records of any run that have not been read
        self._read: deque[tuple[int, Record]] = deque()  # read, but not handed over
        self._read_older = 0  # how many of these are of an earlier run
        self._own_from: int | None = None  # number of this run's first record
        self._lost_older = 0
        self._damaged = 0
        self._waited_below = 0  # numbers of the records that waited when Kafka was last away
        self.sent = 0  # records on disk that were handed over and have no outcome yet
        self._most_sent = max(1, config.queue_max_messages // 2)  # the rest of the queue is for new records
        # Room is reserved for the records in memory, which are written at the end.
        queue = config.queue_max_bytes + config.queue_max_messages * _OVERHEAD_BYTES
        self._reserve = min(queue, config.spill_max_bytes // 2)
        self._disk_room = DiskRoom(clock, self._disk)
        self._full = False  # whether the log has said so

    def open(self, log: SpillLog, lost: int) -> None:
        """Use *log*, with the records of an earlier run, of which *lost* were damaged."""
        self._log = log
        log.waits = False
        if log.records:
            logger.warning("spill.found folder=%s records=%d (they are sent first)", log.folder, log.records)
        self._lost_older = lost
        self._found = log.records + lost
        self._older = self._unread = log.records
        self.back()
        self.export()

    def __len__(self) -> int:
        """How many records on disk have not been handed to the producer."""
        return self._unread + len(self._read)

    @property
    def recovering(self) -> bool:
        """Whether records of an earlier run still wait: no record of this run may overtake them."""
        return self._older + self._read_older > 0

    def back(self) -> None:
        """Note that Kafka is back, and what waits."""
        self._waited_below = 0 if self._log is None else self._log.next

    @property
    def catching_up(self) -> bool:
        """Whether new records belong on disk because they stand behind some that waited; not if that is full."""
        return self._log is not None and not self._full and self._log.waits_below(self._waited_below)

    @property
    def records(self) -> int:
        """How many records on disk are not acknowledged."""
        return 0 if self._log is None else self._log.records

    @property
    def room(self) -> int:
        """How many bytes may be added before records are refused."""
        return 0 if self._log is None else max(0, self._log.room_bytes - self._reserve)

    @property
    def has_room(self) -> bool:
        """Whether invalidated books may start again: an eighth of the room must be free."""
        most = self._config.spill_max_bytes - self._reserve
        roomy = not self._disk_room.full and self.room >= most // 8
        self._full = self._full and not roomy
        return roomy

    def recovered(self) -> RecoveredAccount:
        """What became of an earlier run's records."""
        return self._ledger.recovered(self._found, self._lost_older)

    def hold(self, lane: Lane, record: Record) -> None:
        """Write *record* behind all others, or lose it if the budget or the disk is full."""
        log = self._log
        if log is None or self.room < len(record.value) + _OVERHEAD_BYTES:
            self._refuse(lane, record, "budget")
        elif self._disk_room.full:
            self._refuse(lane, record, "disk")
        else:
            self._append(log, lane, record)

    def drain(self, send: Send) -> None:
        """Hand over records from disk, the oldest first, while there is room."""
        log = self._log
        if log is None:
            return
        try:
            if not self._read and self._unread:
                self._read_more(log)
            while self._read and self.sent < self._most_sent:
                number, record = self._read[0]
                if not self._hand_over(number, record, send):
                    return
                self._read.popleft()
                self._read_older -= self._is_older(number)
        except SpillFailed as e:
            self._failed(e)

    def entries(self) -> Iterator[InFlight]:
        """None: no record is only in memory."""
        return iter(())

    def ended(self, entry: InFlight) -> None:
        """Note that a record was acknowledged, refused or dropped; one from the disk leaves it."""
        if entry.place == IN_MEMORY:
            return
        self.sent -= 1
        entry.stream.spilled -= 1
        if self._log is not None:
            try:
                self._log.acknowledge(entry.place)
            except SpillFailed as e:
                self._failed(e)

    def shelter(self, on_their_way: Callable[[], Iterable[InFlight]]) -> None:
        """Start writing records that are only in memory in front of those on disk, so that a crash loses none.

        *on_their_way* gives the records in flight, in order, now and later; they stay in flight.
        """
        if self._log is None or self._sheltering is not None:
            return
        entries = _up_to_the_last_in_memory(on_their_way())
        if entries:
            front = self._log.begin_prepend([entry.record for entry in entries])
            self._sheltering = _Shelter(entries, front, self._disk.submit(front.run), on_their_way)

    def _end_shelter(self, log: SpillLog) -> None:
        """Wait for that, and count records that are still in flight as on disk from now on."""
        shelter, self._sheltering = self._sheltering, None
        if shelter is None:
            return
        try:
            log.end_prepend(shelter.front, shelter.written.result)
        except SpillFull as e:
            logger.error("spill.not_sheltered records=%d error=%r", len(shelter.entries), str(e))  # noqa: TRY400
            return
        except SpillFailed as e:
            self._failed(e)
            return
        still = set(shelter.on_their_way())
        for number, entry in enumerate(shelter.entries, shelter.front.first):
            if not entry.stream.recovered and (self._own_from is None or number < self._own_from):
                self._own_from = number  # records of an earlier run come first
            if entry not in still:
                log.acknowledge(number)
                continue
            if entry.place == IN_MEMORY:
                entry.stream.spilled += 1
                self.sent += 1
            else:
                log.acknowledge(entry.place)
            entry.place = number

    def sync(self) -> None:
        """When due, start an fsync; note the end of the last one. Never blocks."""
        log, syncing = self._log, self._syncing
        if log is not None:
            self._disk_room.look(log.folder)
        if log is None or (syncing is not None and not syncing[1].done()):
            return
        if self._sheltering is not None:
            if not self._sheltering.written.done():
                return
            self._end_shelter(log)
        if syncing is not None:
            self._end_sync(log)
        if (log.records or log.bytes) and (sync := log.begin_sync()):
            self._syncing = sync, self._disk.submit(sync.run)

    def _end_sync(self, log: SpillLog) -> None:
        if self._syncing is None:
            return
        (sync, future), self._syncing = self._syncing, None
        try:
            log.end_sync(sync, future.result)
        except SpillFull:
            pass  # it is tried again; appending reports that the disk is full
        except SpillFailed as e:
            self._failed(e)

    def export(self) -> None:
        """Update the metrics."""
        if self._log is not None:
            metrics.SPILL_RECORDS.set(self._log.records)
            metrics.SPILL_BYTES.set(self._log.bytes)
            metrics.SPILL_ROOM.set(self._log.room_bytes)

    def close(self, handed_over: Sequence[InFlight], waiting: Sequence[InFlight]) -> list[InFlight]:
        """Write the remaining records to disk in order, for the next start, and close; return the lost ones.

        *handed_over* ones are unacknowledged, some of them from the disk; *waiting* ones come behind them.
        """
        log, self._log = self._log, None
        if log is None:
            return [entry for entry in (*handed_over, *waiting) if entry.place == IN_MEMORY]
        self._end_sync(log)  # waits for it
        self._end_shelter(log)
        self._disk.shutdown()
        log.waits = True
        lost = self._keep(log, handed_over, waiting)
        try:
            log.close()
        except SpillFailed as e:
            self._failed(e)
        metrics.SPILL_RECORDS.set(log.records)
        metrics.SPILL_BYTES.set(log.bytes)
        return lost

    def _keep(self, log: SpillLog, handed_over: Sequence[InFlight], waiting: Sequence[InFlight]) -> list[InFlight]:
        # All records up to the last one that is only in memory are written again, to keep their order. All unread
        # records are behind them. A crash in between means duplicates.
        again = _up_to_the_last_in_memory(handed_over)
        left = deque((*again, *waiting))
        try:
            log.flush()  # frees room
            log.prepend([entry.record for entry in again])
            for _ in again:
                entry = left.popleft()
                if entry.place == IN_MEMORY:
                    entry.stream.spilled += 1
                else:
                    log.acknowledge(entry.place)
            while left:
                log.append(left[0].record)
                left.popleft().stream.spilled += 1
        except (SpillFull, SpillFailed) as e:
            lost = [entry for entry in left if entry.place == IN_MEMORY]
            logger.error("spill.not_kept records=%d error=%r", len(lost), str(e))  # noqa: TRY400 - says it all
            self._drop_behind(log, lost)
            return lost
        return []

    def _drop_behind(self, log: SpillLog, lost: Sequence[InFlight]) -> None:
        """Drop changes of books from the disk that would follow a hole."""
        for entry in lost:
            entry.lane.hole = Hole.OPEN if entry.lane.is_book else Hole.NONE
        try:
            log.rewind()
            while batch := log.read(_READ):
                for number, record in batch:
                    lane_ = self._ledger.lane(record)
                    if lane_ is not None and lane_.hole:
                        self._close_or_drop(log, number, record, lane_)
        except SpillFailed as e:
            self._failed(e)

    def _close_or_drop(self, log: SpillLog, number: int, record: Record, lane: Lane) -> None:
        if record.action == "snapshot":
            lane.hole = Hole.NONE
        if record.may_follow_hole:
            return
        log.acknowledge(number)
        if self._is_older(number):
            stream = self._ledger.stream(record, recovered=True)
            stream.events += 1
        else:
            stream = lane.stream
            stream.spilled -= 1
        stream.dropped += 1

    def _append(self, log: SpillLog, lane: Lane, record: Record) -> None:
        try:
            number = log.append(record)
        except SpillFull as e:
            if e.reason == "disk":
                self._disk_room.filled()
            self._refuse(lane, record, e.reason)
        except SpillFailed as e:
            self._lose(lane, record)
            self._failed(e)
        else:
            if self._own_from is None:
                self._own_from = number
            lane.stream.spilled += 1
            self._unread += 1

    def _refuse(self, lane: Lane, record: Record, reason: str) -> None:
        if not self._full:
            self._full = True
            logger.error(
                "spill.full reason=%s records=%d (books are invalidated, trades are dropped)", reason, self.records
            )
        self._lose(lane, record)

    def _read_more(self, log: SpillLog) -> None:
        batch = log.read(_READ)
        damaged, self._damaged = log.damaged - self._damaged, log.damaged
        older = sum(self._is_older(number) for number, _ in batch)
        self._read.extend(batch)
        self._unread -= len(batch) + damaged
        self._read_older += older
        self._older -= older
        if damaged:
            self._count_damage(damaged)

    def _count_damage(self, damaged: int) -> None:
        """Count damaged records. Whose they were is unknown, so every book has a hole."""
        metrics.SPILL_LOST.inc(damaged)
        older = min(damaged, self._older)
        self._older -= older
        self._lost_older += older
        books = self._ledger.books()
        streams = (*(lane.stream for lane in books), *self._ledger.streams())
        stream = next((stream for stream in streams if stream.spilled and not stream.recovered), None)
        if damaged > older and stream is not None:
            stream.spilled -= damaged - older
            stream.failed += damaged - older
        for lane in books:
            self._broke(lane)

    def _is_older(self, number: int) -> bool:
        return self._own_from is None or number < self._own_from

    def _hand_over(self, number: int, record: Record, send: Send) -> bool:
        older = self._is_older(number)
        lane = self._ledger.lane(record) or self._ledger.open_lane(record)
        stream = self._ledger.stream(record, recovered=True) if older else lane.stream
        # Counted before the call, within which a record that can never be sent already ends.
        self.sent += 1
        stream.events += older
        stream.spilled += older
        if send(InFlight(stream, lane, record, number)):
            return True
        self.sent -= 1
        stream.events -= older
        stream.spilled -= older
        return False


def _up_to_the_last_in_memory(entries: Iterable[InFlight]) -> list[InFlight]:
    """The entries up to the last one that is only in memory: all must be written to keep their order."""
    found = list(entries)
    while found and found[-1].place != IN_MEMORY:
        found.pop()
    return found
