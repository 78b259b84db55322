"""How many records may still be started, for a consumer with a maximum number of records."""

import threading
from collections.abc import Callable

from tickwire.kafka.consuming.partitions import AssignedPartition


class Allowance:
    """Shared by all workers. *wake* is called with partitions that got nothing when records may be started again."""

    def __init__(self, most: int | None, wake: Callable[[AssignedPartition], None]) -> None:
        self._left, self._wake = most, wake
        self.limited = most is not None
        self._starved: set[AssignedPartition] = set()
        self._lock = threading.Lock()

    def take(self, assigned: AssignedPartition, number: int) -> int:
        """How many of *number* records of a partition may be started; they count as started."""
        if self._left is None:
            return number
        with self._lock:
            taken = min(number, self._left)
            self._left -= taken
            if not taken:
                self._starved.add(assigned)
            return taken

    def give_back(self, number: int) -> None:
        """Give back *number* records that were not handled."""
        if self._left is None or not number:
            return
        with self._lock:
            self._left += number
            starved, self._starved = self._starved, set()
        for assigned in starved:
            self._wake(assigned)

    def is_at_most(self, number: int) -> bool:
        """Whether at most *number* are left."""
        return self._left is not None and self._left <= number
