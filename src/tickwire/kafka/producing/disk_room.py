"""Finds out when a full disk has room again, by asking the disk itself, so that quotas count too."""

from collections.abc import Callable
from concurrent.futures import Executor, Future
from pathlib import Path

from tickwire.kafka.spill import has_room

_EVERY_S = 1.0
# A little room would fill at once and restart every book again: if the disk fills soon after, twice as much is
# required.
_LEAST_BYTES, _MOST_BYTES = 1 << 19, 1 << 26
_SOON_S = 60.0


class DiskRoom:
    """Whether the disk is full, as far as known. Times are seconds of *clock*; *disk* runs blocking calls."""

    def __init__(self, clock: Callable[[], float], disk: Executor) -> None:
        self._clock, self._disk = clock, disk
        self.full = False
        self._wanted = _LEAST_BYTES
        self._asked: Future[bool] | None = None
        self._look_at, self._found_at = 0.0, float("-inf")

    def filled(self) -> None:
        """Note that the disk did not take a record."""
        now = self._clock()
        if not self.full:
            soon = now - self._found_at < _SOON_S
            self._wanted = min(2 * self._wanted, _MOST_BYTES) if soon else _LEAST_BYTES
        self.full, self._look_at = True, now + _EVERY_S

    def look(self, folder: Path) -> None:
        """When due, have the executor check the room in *folder*, and note its answer; never blocks."""
        if not self.full:
            return
        if self._asked is None:
            if self._clock() >= self._look_at:
                self._asked = self._disk.submit(has_room, folder, self._wanted)
        elif self._asked.done():
            self.full, self._asked = not self._asked.result(), None
            self._look_at = self._clock() + _EVERY_S
            if not self.full:
                self._found_at = self._clock()
