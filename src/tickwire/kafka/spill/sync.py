"""What the disk has to do for a log, apart from it; and what is said of a folder that the disk does not serve."""

import errno
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import msgspec

from tickwire.errors import SpillFailed, SpillFull, SpillUnusable, TickwireError
from tickwire.kafka.spill.folder import TEMPORARY, save_done, sync_folder
from tickwire.kafka.spill.numbers import Runs
from tickwire.kafka.spill.recovery import path_of
from tickwire.kafka.spill.segment import FRAME_BYTES, HEADER_BYTES, Segment
from tickwire.records.codec import Record

encode = msgspec.msgpack.Encoder().encode

_DISK_FULL = frozenset({errno.ENOSPC, errno.EDQUOT})


class Sync(NamedTuple):
    """What the disk has to do: :meth:`run` waits for it and touches nothing of the log, so any thread will do."""

    folder: Path
    active: Segment | None  # of which the disk gets all
    size: int  # of it, when this began
    end: int
    finished: Sequence[Segment]
    names: bool  # whether files were made or removed
    done: Runs | None  # to be saved

    def run(self) -> str | None:
        """Do it; return why a full disk kept the list of what is acknowledged from being saved. Raises OSError."""
        if self.active is not None:
            self.active.sync()
        for segment in self.finished:
            segment.remove()
        if self.names:
            sync_folder(self.folder)
        if self.done is not None:
            try:
                save_done(self.folder, self.done)
            except OSError as e:
                if e.errno not in _DISK_FULL:
                    raise
                return e.strerror
        return None


class Front(NamedTuple):
    """What the disk has to do to get records in front of a log's: :meth:`run` touches nothing of the log either."""

    folder: Path
    first: int  # the number of the first of them
    records: Sequence[Record]
    room: int  # bytes that they may take
    done: Runs  # to be saved before: their numbers may have been used once, and be listed as done with

    @property
    def end(self) -> int:
        """One more than the number of the last of them."""
        return self.first + len(self.records)

    def run(self) -> Segment:
        """Write all of them or, as a crash in between does, none. Raises OSError and SpillFull."""
        bodies = [encode(record) for record in self.records]
        if HEADER_BYTES + sum(FRAME_BYTES + len(body) for body in bodies) > self.room:
            raise SpillFull(str(self.folder), "budget")
        save_done(self.folder, self.done)
        path = path_of(self.folder, self.first)
        segment = Segment.create(path.with_suffix(TEMPORARY), self.first)
        try:
            for body in bodies:
                segment.append(body)
            segment.sync()
            segment.path = segment.path.rename(path)
            sync_folder(self.folder)
        except OSError:
            segment.remove()
            raise
        segment.close()
        return segment


def failure(folder: Path, error: OSError) -> TickwireError:
    """Say what kept a folder in use from being read or written: a full disk, or worse."""
    if error.errno in _DISK_FULL:
        return SpillFull(str(folder), "disk")
    return SpillFailed(str(folder), error.strerror or str(error))


def unusable(folder: Path, error: OSError) -> SpillUnusable:
    """Say why a folder cannot be used."""
    reason = (error.strerror or str(error)).lower()
    if error.filename is not None and Path(error.filename) != folder:
        reason += f": {Path(error.filename).name}"
    if error.errno in _DISK_FULL:
        return SpillUnusable(str(folder), reason, "free space on its disk")
    return SpillUnusable(str(folder), reason)
