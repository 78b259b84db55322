"""The log itself: records go in at the end, come out in the same order, and leave when they are acknowledged."""

import builtins
import errno
import logging
import os
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import msgspec

from tickwire.errors import SpillFailed, SpillFull, SpillUnusable, TickwireError
from tickwire.kafka.spill import folder as folders
from tickwire.kafka.spill.reader import Reader
from tickwire.kafka.spill.recovery import Found, path_of, recover
from tickwire.kafka.spill.segment import FRAME_BYTES, HEADER_BYTES, Segment
from tickwire.records.codec import Record

logger = logging.getLogger(__name__)

_SEGMENT_BYTES = 16 << 20
_SEGMENTS_AT_LEAST = 8  # a small budget is cut into smaller files, so that acknowledged room comes back early
_DISK_FULL = frozenset({errno.ENOSPC, errno.EDQUOT})

_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(tuple[str, bytes, bytes, list[tuple[str, bytes]], int, str, str]).decode


def decode(body: bytes) -> Record:
    """Read what was appended. Raises msgspec.DecodeError."""
    return Record(*_decode(body))


class SpillLog:
    """A strictly first-in, first-out log of records in a folder of its own, for one process and one thread.

    When :meth:`append` returns, the operating system has the record: killing the process does not lose it. A power
    loss can cost what was appended since the last :meth:`sync` that was due. Each record has a number, one higher than
    the record before it. What is acknowledged is saved at each due :meth:`sync`: a crash in between means that records
    acknowledged since then are handed out a second time, never that one is left out.

    Every method but :meth:`open` raises :exc:`~tickwire.errors.SpillFailed` when the disk fails.
    """

    def __init__(
        self, folder: Path, lock: int, found: Found, *, max_bytes: int, fsync_ms: int, monotonic: Callable[[], float]
    ) -> None:
        self.recovered = found.recovery
        self.damaged = 0  # records that were intact at the start and that read() could not read any more
        self.folder, self._lock, self._max_bytes = folder, lock, max_bytes
        self._segment_bytes = min(_SEGMENT_BYTES, max_bytes // _SEGMENTS_AT_LEAST)
        self._segments, self._done, self._next = found.segments, found.done, found.next
        self._active: Segment | None = None  # the last segment, when this process created it at the end
        self._bytes = sum(segment.size for segment in found.segments)
        self._records = found.recovery.records
        self._reader = Reader(self._segments)
        self._unread = self._first  # the number that read() hands out next
        self._unsynced = False
        self._done_unsaved = found.recovery.done_damaged or found.recovery.lost_records > 0
        self._monotonic, self._every = monotonic, fsync_ms / 1000
        self._due = monotonic() + self._every

    @classmethod
    def open(
        cls, folder: Path, *, max_bytes: int, fsync_ms: int, monotonic: Callable[[], float] = time.monotonic
    ) -> "SpillLog":
        """Open or create the folder, and read all of it once: three seconds or so for each GiB of small records.

        Raises :exc:`~tickwire.errors.SpillUnusable` when that cannot be done, another process has the folder included.
        """
        lock = -1
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            lock = folders.lock(folder)
            found = recover(folder)
            log = cls(folder, lock, found, max_bytes=max_bytes, fsync_ms=fsync_ms, monotonic=monotonic)
            log._remove_finished()
            log._save_done()
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
        """How many bytes the log's files have."""
        return self._bytes

    @property
    def room_bytes(self) -> int:
        """How many bytes may still be added."""
        return max(0, self._max_bytes - self._bytes)

    def append(self, record: Record) -> int:
        """Write a record behind all others and return its number.

        Raises :exc:`~tickwire.errors.SpillFull` when the budget or the disk is full; the log is then as it was before.
        """
        body = _encode(msgspec.structs.astuple(record))
        size = FRAME_BYTES + len(body)
        active = self._active
        if active is None or (active.end > active.first and active.size + size > self._segment_bytes):
            active = None
            size += HEADER_BYTES
        if self._bytes + size > self._max_bytes:
            raise SpillFull(str(self.folder), "budget")
        try:
            if active is None:
                active = self._begin_segment()
            before = active.size
            active.append(body)
        except OSError as e:
            raise self._failure(e) from e
        self._bytes += active.size - before
        self._unsynced = True
        self._next += 1
        self._records += 1
        return self._next - 1

    def prepend(self, records: Sequence[Record]) -> None:
        """Write records before all others, in the order given; :meth:`read` starts again with the first of them.

        All of them are on disk when this returns; after a crash in between, none of them is. Raises
        :exc:`~tickwire.errors.SpillFull` like :meth:`append`, then without having written any.
        """
        if not records:
            return
        bodies = [_encode(msgspec.structs.astuple(record)) for record in records]
        if self._bytes + HEADER_BYTES + sum(FRAME_BYTES + len(body) for body in bodies) > self._max_bytes:
            raise SpillFull(str(self.folder), "budget")
        try:
            # These numbers may have been used before; the saved list must have forgotten them.
            folders.save_done(self.folder, self._done)
            segment = self._write_first(bodies)
        except OSError as e:
            raise self._failure(e) from e
        self._segments.insert(0, segment)
        self._bytes += segment.size
        self._records += len(records)
        self.rewind()

    def read(self, limit: int) -> list[tuple[int, Record]]:
        """Return the next records that are not acknowledged, at most *limit*, with their numbers; move on behind them.

        A record that cannot be read any more is passed over and counted in ``damaged``.
        """
        found: list[tuple[int, Record]] = []
        expected = max(self._unread, self._first)
        try:
            while len(found) < limit and (frame := self._reader.next()) is not None:
                number = frame.number
                if number < expected:  # the reader began again after an error
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
            raise self._failure(e) from e
        if len(found) < limit:
            self._lost(expected, self._next)
            expected = self._next
        self._unread = expected
        return found

    def rewind(self) -> None:
        """Let :meth:`read` begin again with the first record that is not acknowledged."""
        self._reader.close()
        self._unread = self._first

    def acknowledge(self, number: int) -> None:
        """Take note that a record needs not be handed out again. Any order; a second time does nothing.

        A file goes when all its records, and all files before it, are done with.
        """
        if number >= self._next:
            raise ValueError(f"record {number} was never written")
        if number < self._first or not self._done.add(number, number + 1):
            return
        self._records -= 1
        self._done_unsaved = True
        try:
            self._remove_finished()
        except OSError as e:
            raise self._failure(e) from e

    def sync(self) -> None:
        """When it is due: wait until the disk has everything, save what is acknowledged, remove what is not needed."""
        now = self._monotonic()
        if now >= self._due:
            self._due = now + self._every
            self.flush()

    def flush(self) -> None:
        """Do what :meth:`sync` does, due or not."""
        try:
            if self._unsynced and self._active is not None:
                self._active.sync()
            self._unsynced = False
            active = self._active
            if active is not None and active.end > active.first and self._done.covers(active.first, active.end):
                active.close()
                self._active = None
            self._remove_finished()
        except OSError as e:
            raise self._failure(e) from e
        self._save_done()

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

    def _write_first(self, bodies: Sequence[builtins.bytes]) -> Segment:
        first = self._first - len(bodies)
        path = path_of(self.folder, first)
        segment = Segment.create(path.with_suffix(folders.TEMPORARY), first)
        try:
            for body in bodies:
                segment.append(body)
            segment.sync()
            segment.path = segment.path.rename(path)
            folders.sync_folder(self.folder)
        except OSError:
            segment.remove()
            raise
        segment.close()
        return segment

    def _begin_segment(self) -> Segment:
        # The file before is complete on disk first: only the newest may have a torn end.
        if self._active is not None:
            self._active.sync()
        segment = Segment.create(path_of(self.folder, self._next), self._next)
        self._bytes += segment.size
        if self._active is not None:
            self._active.close()
        self._segments.append(segment)
        self._active = segment
        folders.sync_folder(self.folder)
        return segment

    def _remove_finished(self) -> None:
        removed = False
        while self._segments and self._segments[0] is not self._active:
            segment = self._segments[0]
            if not self._done.covers(segment.first, segment.end):
                break
            self._reader.leave(segment)
            segment.remove()
            del self._segments[0]
            self._bytes -= segment.size
            removed = True
        if removed:
            folders.sync_folder(self.folder)
            self._done.discard_below(self._first)
            self._done_unsaved = True

    def _save_done(self) -> None:
        if not self._done_unsaved:
            return
        try:
            folders.save_done(self.folder, self._done)
        except OSError as e:
            if e.errno not in _DISK_FULL:
                raise self._failure(e) from e
            # The older list stays and is true; until there is room, a crash means more records sent twice.
            logger.warning("spill.acknowledged_not_saved folder=%s cause=%s", self.folder, e.strerror)
            return
        self._done_unsaved = False

    def _lost(self, start: int, end: int) -> None:
        count = self._done.add(start, end)
        if count:
            self.damaged += count
            self._records -= count
            self._done_unsaved = True
            logger.error("spill.damaged folder=%s records=%d first=%d", self.folder, count, start)

    def _failure(self, error: OSError) -> TickwireError:
        if error.errno in _DISK_FULL:
            return SpillFull(str(self.folder), "disk")
        return SpillFailed(str(self.folder), error.strerror or str(error))


def unusable(folder: Path, error: OSError) -> SpillUnusable:
    """Say why a folder cannot be used."""
    reason = (error.strerror or str(error)).lower()
    if error.filename is not None and Path(error.filename) != folder:
        reason += f": {Path(error.filename).name}"
    if error.errno in _DISK_FULL:
        return SpillUnusable(str(folder), reason, "free space on its disk")
    return SpillUnusable(str(folder), reason)
