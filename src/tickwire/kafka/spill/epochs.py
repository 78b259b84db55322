"""The last epoch of order books, kept on disk so that epochs grow over restarts whatever the clock says."""

import logging
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tickwire.kafka.spill.owner import replace

logger = logging.getLogger(__name__)

EPOCH = "epoch"
_AHEAD = 10_000  # epochs are milliseconds: about one write in ten seconds, while books start


class Epochs:
    """Epochs of one producer, in a file that a thread writes: nobody waits for the disk but :meth:`close`.

    The file says more than was given out, from the moment on when the disk has it; after an orderly end, just that.
    """

    def __init__(self, folder: Path, last: int) -> None:
        self.last = last  # no epoch above it was given out before this run
        self._path = folder / EPOCH
        self._newest = last
        self._kept = self._asked = read_epoch(folder)
        self._disk = ThreadPoolExecutor(1, "tickwire-epochs")
        self._keep(last)

    def given(self, epoch: int) -> None:
        """Keep *epoch*, which is given out now; it is written when it is above what was kept ahead."""
        self._newest = max(self._newest, epoch)
        if epoch > self._asked:
            self._asked = epoch + _AHEAD
            self._disk.submit(self._keep, self._asked)

    def close(self) -> None:
        """Keep the last one and no more; blocks."""
        self._disk.submit(self._keep, self._newest).result()

    def _keep(self, epoch: int) -> None:
        if epoch == self._kept:
            return
        try:
            replace(self._path, str(epoch).encode())
        except OSError as e:  # a full disk: tried again with the next epoch
            logger.warning("spill.epoch_not_kept path=%s cause=%s", self._path, e.strerror)
            self._asked = self._kept
        else:
            self._kept = epoch


def read_epoch(folder: Path) -> int:
    """The last epoch that the folder knows of; 0 where it knows none. Raises OSError."""
    try:
        return int((folder / EPOCH).read_text())
    except (FileNotFoundError, ValueError):
        return 0
