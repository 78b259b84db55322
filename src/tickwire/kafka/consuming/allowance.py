"""How many records may still be begun, where a consumer is told how many it is to read."""

import threading
from collections.abc import Callable

from tickwire.kafka.consuming.partitions import AssignedPartition


class Allowance:
    """Shared by all workers. *wake* is called with partitions that got nothing when there is something again."""

    def __init__(self, most: int | None, wake: Callable[[AssignedPartition], None]) -> None:
        self._left, self._wake = most, wake
        self.limited = most is not None
        self._starved: set[AssignedPartition] = set()
        self._lock = threading.Lock()

    def take(self, assigned: AssignedPartition, number: int) -> int:
        """How many of so many records of a partition may be begun; they count as begun."""
        if self._left is None:
            return number
        with self._lock:
            taken = min(number, self._left)
            self._left -= taken
            if not taken:
                self._starved.add(assigned)
            return taken

    def give_back(self, number: int) -> None:
        """Let others be begun in place of so many that were not handled."""
        if self._left is None or not number:
            return
        with self._lock:
            self._left += number
            starved, self._starved = self._starved, set()
        for assigned in starved:
            self._wake(assigned)

    def is_at_most(self, number: int) -> bool:
        """Tell whether there is no more than this."""
        return self._left is not None and self._left <= number
