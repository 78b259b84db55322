"""The log: records are appended, read in the same order, and removed when they are acknowledged."""

import logging
import math
import os
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import msgspec

from tickwire.errors import SpillFull, TickwireError
from tickwire.kafka.spill import folder as folders
from tickwire.kafka.spill.reader import Reader
from tickwire.kafka.spill.recovery import Found, path_of, recover
from tickwire.kafka.spill.segment import FRAME_BYTES, HEADER_BYTES, Segment
from tickwire.kafka.spill.sync import Front, Sync, encode, failure, unusable
from tickwire.records.codec import Record, complete

logger = logging.getLogger(__name__)

_SEGMENT_BYTES = 16 << 20
_SEGMENTS_AT_LEAST = 8  # a small budget is split into smaller files, so that acknowledged records free room early
_CARRY_BYTES = 1 << 18  # bytes that move to a new file at once, without a noticeable delay

_decode = msgspec.msgpack.Decoder(Record).decode


def decode(body: bytes) -> Record:
    """Decode a record that was appended. Raises msgspec.DecodeError."""
    record = _decode(body)
    return record if record.exchange_symbol else complete(record)


class SpillLog:
    """A strictly first-in, first-out log of records in a folder of its own, for one process and one thread.

    When :meth:`append` returns, the operating system has the record: killing the process does not lose it. A power loss
    can cost the records appended since the last due :meth:`sync`. Each record has a number, one higher than the record
    before it. Acknowledgements are saved at each due :meth:`sync`: after a crash, records acknowledged since then are
    handed out a second time; none is left out.

    If :attr:`waits` is false, only the caller of what :meth:`begin_sync` returns waits for the disk.

    Every method but :meth:`open` raises :exc:`~tickwire.errors.SpillFailed` when the disk fails.
    """

    def __init__(
        self, folder: Path, lock: int, found: Found, *, max_bytes: int, fsync_ms: int, monotonic: Callable[[], float]
    ) -> None:
        self.recovered = found.recovery
        self.waits = True  # whether append() may wait for the disk, between two files
        self.damaged = 0  # records that were intact at the start and that read() could no longer read
        self.folder, self._lock, self._max_bytes = folder, lock, max_bytes
        self._segment_bytes = min(_SEGMENT_BYTES, max_bytes // _SEGMENTS_AT_LEAST)
        self._segments, self._done, self._next = found.segments, found.done, found.next
        self._active: Segment | None = None  # the last segment, if this process created it
        self._bytes = sum(segment.size for segment in found.segments)
        self._records = found.recovery.records
        self._reader = Reader(self._segments)
        self._unread = self._first  # the number that read() hands out next
        self._gone: list[Segment] = []  # files that are no longer read and will be removed
        self._full = False  # the last file is full; the next one begins when it is on disk
        self._unsynced = self._names_unsynced = False
        self._done_unsaved = found.recovery.done_damaged or found.recovery.lost_records > 0
        self._monotonic, self._every = monotonic, fsync_ms / 1000
        self._due = monotonic() + self._every

    @classmethod
    def open(
        cls, folder: Path, *, max_bytes: int, fsync_ms: int, monotonic: Callable[[], float] = time.monotonic
    ) -> "SpillLog":
        """Open or create the folder, and read all of it once: about three seconds per GiB of small records.

        Raises :exc:`~tickwire.errors.SpillUnusable` if that fails, also if another process has the folder.
        """
        lock = -1
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            lock = folders.lock(folder)
            found = recover(folder)
            log = cls(folder, lock, found, max_bytes=max_bytes, fsync_ms=fsync_ms, monotonic=monotonic)
            sync = log._begin_sync()
            log._synced(sync, sync.run())
        except (OSError, TickwireError) as e:
            if lock >= 0:
                os.close(lock)
            if isinstance(e, OSError):
                raise unusable(folder, e) from e
            raise
        return log

    @property
    def records(self) -> int:
        """How many records are not acknowledged."""
        return self._records

    @property
    def empty(self) -> bool:
        """Whether everything is acknowledged."""
        return self._records == 0

    @property
    def bytes(self) -> int:
        """The size of the log's files."""
        return self._bytes

    @property
    def room_bytes(self) -> int:
        """How many bytes may still be added."""
        return max(0, self._max_bytes - self._bytes)

    @property
    def next(self) -> int:
        """The number of the next record."""
        return self._next

    def waits_below(self, number: int) -> bool:
        """Whether a record below this number is not acknowledged."""
        return not self._done.covers(self._first, number)

    def append(self, record: Record) -> int:
        """Write a record behind all others and return its number.

        Raises :exc:`~tickwire.errors.SpillFull` if the budget or the disk is full; then the log is unchanged.
        """
        body = encode(record)
        size = FRAME_BYTES + len(body)
        active = self._active
        if active is not None and active.end > active.first and active.size + size > self._segment_bytes:
            if self.waits:
                active = None
            else:
                self._full, self._due = True, -math.inf
        if active is None:
            size += HEADER_BYTES
        if self._bytes + size > self._max_bytes:
            raise SpillFull(str(self.folder), "budget")
        try:
            if active is None:
                active = self._begin_segment()
            before = active.size
            active.append(body)
        except OSError as e:
            raise failure(self.folder, e) from e
        self._bytes += active.size - before
        self._unsynced = True
        self._next += 1
        self._records += 1
        return self._next - 1

    def prepend(self, records: Sequence[Record]) -> None:
        """Write records before all others, in the order given; :meth:`read` starts again with the first of them.

        All of them are on disk when this returns; after a crash in between, none is. Raises
        :exc:`~tickwire.errors.SpillFull` like :meth:`append`; then none was written.
        """
        if records:
            self.flush()
            front = self.begin_prepend(records)
            self.end_prepend(front, front.run)
            self.rewind()

    def begin_prepend(self, records: Sequence[Record]) -> Front:
        """The work of :meth:`prepend`, to be run in another thread and then passed to :meth:`end_prepend`.

        No sync may run in between.
        """
        return Front(self.folder, self._first - len(records), records, self.room_bytes, self._done.runs())

    def end_prepend(self, front: Front, outcome: Callable[[], Segment]) -> None:
        """Note the result: *outcome* returns, or raises, what :meth:`Front.run` did.

        The records are now before all others; :meth:`read` continues where it was.
        """
        try:
            segment = outcome()
        except OSError as e:
            raise failure(self.folder, e) from e
        self._unread = max(self._unread, front.end)
        self._segments.insert(0, segment)
        self._bytes += segment.size
        self._records += len(front.records)

    def read(self, limit: int) -> list[tuple[int, Record]]:
        """Return the next unacknowledged records, at most *limit*, with their numbers, and advance behind them.

        A record that can no longer be read is skipped and counted in ``damaged``.
        """
        found: list[tuple[int, Record]] = []
        expected = max(self._unread, self._first)
        try:
            while len(found) < limit and (frame := self._reader.next()) is not None:
                number = frame.number
                if number < expected:  # the reader started over after an error
                    continue
                self._lost(expected, number)
                expected = number + 1
                if number not in self._done:
                    try:
                        found.append((number, decode(frame.body)))
                    except msgspec.DecodeError:
                        self._lost(number, expected)
        except OSError as e:
            self._reader.close()
            raise failure(self.folder, e) from e
        if len(found) < limit:
            self._lost(expected, self._next)
            expected = self._next
        self._unread = expected
        return found

    def rewind(self) -> None:
        """Let :meth:`read` start again at the first unacknowledged record."""
        self._reader.close()
        self._unread = self._first

    def acknowledge(self, number: int) -> None:
        """Note that a record need not be handed out again, in any order; a second time does nothing.

        A file is removed by the next :meth:`sync` when all its records and all files before it are acknowledged.
        """
        if number >= self._next:
            raise ValueError(f"record {number} was never written")
        if number >= self._first and self._done.add(number, number + 1):
            self._records -= 1
            self._done_unsaved = True

    def sync(self) -> None:
        """When due: fsync, save the acknowledgements, remove files that are no longer needed."""
        if sync := self.begin_sync():
            self.end_sync(sync, sync.run)

    def flush(self) -> None:
        """Do what :meth:`sync` does, due or not."""
        sync = self._begin_sync()
        self.end_sync(sync, sync.run)

    def begin_sync(self) -> Sync | None:
        """When due: the work of :meth:`sync`, to be run in another thread and then passed to :meth:`end_sync`."""
        now = self._monotonic()
        if now < self._due:
            return None
        self._due = now + self._every
        return self._begin_sync()

    def end_sync(self, sync: Sync, outcome: Callable[[], str | None]) -> None:
        """Note the result: *outcome* returns, or raises, what :meth:`Sync.run` did."""
        try:
            self._synced(sync, outcome())
        except OSError as e:
            self._unsynced |= sync.active is not None
            self._names_unsynced |= sync.names
            self._done_unsaved |= sync.done is not None
            raise failure(self.folder, e) from e

    def close(self) -> None:
        """Do what :meth:`sync` does, close all files and give the folder back."""
        try:
            self.flush()
        finally:
            self._reader.close()
            if self._active is not None:
                self._active.close()
            os.close(self._lock)

    @property
    def _first(self) -> int:
        return self._segments[0].first if self._segments else self._next

    def _begin_segment(self) -> Segment:
        # The previous file is complete on disk first: only the newest may have a torn end.
        if self._active is not None:
            self._active.sync()
        segment = Segment.create(path_of(self.folder, self._next), self._next, synced=self.waits)
        self._bytes += segment.size
        if self._active is not None:
            self._active.close()
        self._segments.append(segment)
        self._active = segment
        if self.waits:
            folders.sync_folder(self.folder)
        else:
            self._names_unsynced = True
        return segment

    def _begin_sync(self) -> Sync:
        active = self._active
        if active is not None and active.end > active.first and self._done.covers(active.first, active.end):
            active.close()
            self._active = active = None
        while self._segments and (segment := self._segments[0]) is not active:
            if not self._done.covers(segment.first, segment.end):
                break
            self._reader.leave(segment)
            self._gone.append(self._segments.pop(0))
            self._done.discard_below(self._first)
            self._names_unsynced = self._done_unsaved = True
        sync = Sync(
            self.folder,
            active if self._unsynced else None,
            active.size if active is not None else 0,
            self._next,
            tuple(self._gone),
            self._names_unsynced,
            self._done.runs() if self._done_unsaved else None,
        )
        self._unsynced = self._names_unsynced = self._done_unsaved = False
        return sync

    def _synced(self, sync: Sync, unsaved: str | None) -> None:
        self._bytes -= sum(segment.size for segment in sync.finished)
        del self._gone[: len(sync.finished)]
        if unsaved is not None:
            # The older list stays valid; until there is room, a crash means that more records are sent twice.
            logger.warning("spill.acknowledged_not_saved folder=%s cause=%s", self.folder, unsaved)
            self._done_unsaved = True
        if self._full and sync.active is not None and sync.active is self._active:
            self._begin_next(sync.active, sync.size, sync.end)

    def _begin_next(self, active: Segment, size: int, end: int) -> None:
        """Start the next file with the records from *end* on; those before are on disk. Retried later on failure."""
        if active.size == size:  # no record came since: wait for one, an empty file would stay for ever
            self._full = False
            return
        # A file that had no record when the sync began would be followed by one of the same name.
        nothing, too_much = end == active.first, active.size - size > _CARRY_BYTES
        if nothing or too_much or self._bytes + HEADER_BYTES > self._max_bytes:
            self._due = -math.inf
            return
        path = path_of(self.folder, end)
        following = Segment.create(path.with_suffix(folders.TEMPORARY), end, synced=False)
        try:
            active.carry(size, following)
            following.path = following.path.rename(path)
            active.cut(size, end)
        except OSError:
            following.remove()
            raise
        active.close()
        self._bytes += HEADER_BYTES
        self._segments.append(following)
        self._active = following
        self._full = False
        self._unsynced = self._names_unsynced = True

    def _lost(self, start: int, end: int) -> None:
        count = self._done.add(start, end)
        if count:
            self.damaged += count
            self._records -= count
            self._done_unsaved = True
            logger.error("spill.damaged folder=%s records=%d first=%d", self.folder, count, start)
