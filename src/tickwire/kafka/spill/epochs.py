"""Keeps the last epoch of order books on disk, so that epochs grow over restarts whatever the clock says."""

import logging
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from time import time

from tickwire.events.sequencer import epoch_ahead
from tickwire.kafka.spill.folder import replace

logger = logging.getLogger(__name__)

EPOCH = "epoch"
_ANY = 1 << 62
_AGAIN_S = 1.0


class Epochs:
    """The epochs of one producer, in a file whose number is never below an epoch that was given out.

    A thread reserves epochs in advance, so only :meth:`open` and :meth:`close` wait for the disk. After an orderly end
    the file has the last epoch given out.
    """

    def __init__(self, folder: Path, last: int, clock: Callable[[], float] = time) -> None:
        self.last = last  # no epoch above it has been given out
        self._path, self._clock = folder / EPOCH, clock
        self._kept = self._asked = read_epoch(folder)
        self._failed_at: float | None = None
        self._disk = ThreadPoolExecutor(1, "tickwire-epochs")
        self._keep(last)

    def open(self) -> None:
        """Reserve the first epochs; blocks."""
        self._asked = self._ahead()
        self._keep(self._asked)

    @property
    def most(self) -> int:
        """The highest clock time that may be given out; unlimited if the disk fails."""
        return self._kept if self._kept > self.last else _ANY

    def may_begin(self, _epoch: int) -> bool:
        """Always true: no other process has these books."""
        return True

    def look(self) -> None:
        """Reserve more when half of them are used; call it several times a second."""
        failed_at = self._failed_at  # abs(), because the clock may be set back
        if self._asked < self._ahead(2) and (failed_at is None or abs(self._clock() - failed_at) >= _AGAIN_S):
            self._asked = self._ahead()
            self._disk.submit(self._keep, self._asked)

    def given(self, epoch: int) -> None:
        """Note that *epoch* is given out now."""
        self.last = max(self.last, epoch)

    def close(self) -> None:
        """Save the last epoch given out; blocks."""
        self._disk.submit(self._keep, self.last).result()

    def _ahead(self, part: int = 1) -> int:
        return epoch_ahead(self.last, int(self._clock() * 1000), part)

    def _keep(self, epoch: int) -> None:
        if epoch == self._kept:
            return
        try:
            replace(self._path, str(epoch).encode())
        except OSError as e:  # a full disk: tried again
            if self._failed_at is None:
                words = "tried again every second; until then epochs may go back after a crash, if the clock does"
                logger.warning("spill.epoch_not_kept path=%s cause=%s (%s)", self._path, e.strerror, words)
            self._failed_at = self._clock()
            self._asked = self._kept
        else:
            self._kept, self._failed_at = epoch, None


def read_epoch(folder: Path) -> int:
    """The epoch kept in the folder; 0 if there is none. Raises OSError."""
    try:
        return int((folder / EPOCH).read_text())
    except (FileNotFoundError, ValueError):
        return 0
