"""The limit of dead letters above which the handler is more likely wrong than the data. Pure.

The idea is that of Arroyo's ``DlqLimit``: https://github.com/getsentry/arroyo.
"""

import threading
from collections import deque

WINDOW = 1_000  # records


class DeadLetterLimit:
    """Counts over all partitions of this process. Safe to share between threads."""

    def __init__(self, max_ratio: float, max_consecutive: int) -> None:
        self._max_in_window = max_ratio * WINDOW
        self._max_consecutive = max_consecutive
        self._lock = threading.Lock()
        self._count = 0
        self._consecutive = 0
        self._dead: deque[int] = deque()  # numbers of the dead letters among the last records

    def good(self, number: int) -> None:
        """Count records that were processed."""
        with self._lock:
            self._count += number
            self._consecutive = 0

    def dead(self) -> str | None:
        """Count a dead letter; return the reason if the limit is exceeded.

        The window is full-sized from the start, so a few bad records at the beginning do not count as a large share.
        """
        with self._lock:
            self._count += 1
            self._consecutive += 1
            self._dead.append(self._count)
            while self._dead[0] <= self._count - WINDOW:
                self._dead.popleft()
            if self._consecutive > self._max_consecutive:
                return f"{self._consecutive} in a row, KAFKA_DLQ_MAX_CONSECUTIVE is {self._max_consecutive}"
            if len(self._dead) > self._max_in_window:
                return (
                    f"{len(self._dead)} of the last {min(self._count, WINDOW)}, KAFKA_DLQ_MAX_RATIO is "
                    f"{self._max_in_window / WINDOW:g} of {WINDOW}"
                )
        return None
