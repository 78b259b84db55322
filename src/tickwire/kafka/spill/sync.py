"""The blocking disk work of a log, to be run in another thread; and the errors for a failing disk."""

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
    """One sync: :meth:`run` waits for the disk and touches nothing of the log, so it may run in any thread."""

    folder: Path
    active: Segment | None  # to be fsynced
    size: int  # its size when this began
    end: int
    finished: Sequence[Segment]
    names: bool  # whether files were created or removed, so that the folder is fsynced too
    done: Runs | None  # to be saved

    def run(self) -> str | None:
        """Do it; return why the acknowledgements could not be saved on a full disk, else None. Raises OSError."""
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
    """The work of prepending records to a log: :meth:`run` touches nothing of the log either."""

    folder: Path
    first: int  # number of the first record
    records: Sequence[Record]
    room: int  # bytes that the records may take
    done: Runs  # saved before: the numbers may have been used before, and be listed as acknowledged

    @property
    def end(self) -> int:
        """One more than the last record's number."""
        return self.first + len(self.records)

    def run(self) -> Segment:
        """Write all records; after a crash in between, none is there. Raises OSError and SpillFull."""
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
    """The error for a folder in use that cannot be read or written."""
    if error.errno in _DISK_FULL:
        return SpillFull(str(folder), "disk")
    return SpillFailed(str(folder), error.strerror or str(error))


def unusable(folder: Path, error: OSError) -> SpillUnusable:
    """The error for a folder that cannot be opened."""
    reason = (error.strerror or str(error)).lower()
    if error.filename is not None and Path(error.filename) != folder:
        reason += f": {Path(error.filename).name}"
    if error.errno in _DISK_FULL:
        return SpillUnusable(str(folder), reason, "free space on its disk")
    return SpillUnusable(str(folder), reason)
