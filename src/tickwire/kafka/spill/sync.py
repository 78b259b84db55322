"""What the disk has to do for a log, apart from it; and what is said of a folder that the disk does not serve."""

import errno
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from tickwire.errors import SpillFailed, SpillFull, SpillUnusable, TickwireError
from tickwire.kafka.spill.folder import save_done, sync_folder
from tickwire.kafka.spill.numbers import Runs
from tickwire.kafka.spill.segment import Segment

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
