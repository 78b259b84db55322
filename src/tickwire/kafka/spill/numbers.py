"""A set of integers, stored as runs, because most of them are consecutive."""

from bisect import bisect_left, bisect_right
from collections.abc import Iterable
from typing import TypeAlias

Runs: TypeAlias = list[tuple[int, int]]


class NumberSet:
    """Numbers as sorted runs ``[start, end)`` that neither overlap nor touch."""

    def __init__(self, runs: Iterable[tuple[int, int]] = ()) -> None:
        self._starts: list[int] = []
        self._ends: list[int] = []
        for start, end in runs:
            self.add(start, end)

    def __contains__(self, number: int) -> bool:
        at = bisect_right(self._starts, number)
        return at > 0 and number < self._ends[at - 1]

    def runs(self) -> Runs:
        """List the runs, lowest first."""
        return list(zip(self._starts, self._ends, strict=True))

    @property
    def end(self) -> int | None:
        """One more than the highest number; None when there is none."""
        return self._ends[-1] if self._ends else None

    def add(self, start: int, end: int) -> int:
        """Add ``start`` to ``end - 1`` and return how many of them are new."""
        if start >= end:
            return 0
        # Runs that overlap or touch the new one become one with it.
        low, high = bisect_left(self._ends, start), bisect_right(self._starts, end)
        merged = list(zip(self._starts[low:high], self._ends[low:high], strict=True))
        known = sum(min(e, end) - max(s, start) for s, e in merged)
        self._starts[low:high] = [min(start, merged[0][0]) if merged else start]
        self._ends[low:high] = [max(end, merged[-1][1]) if merged else end]
        return end - start - known

    def count(self, start: int, end: int) -> int:
        """Count the numbers of ``start`` to ``end - 1`` that are in the set."""
        return sum(max(0, min(e, end) - max(s, start)) for s, e in zip(self._starts, self._ends, strict=True))

    def covers(self, start: int, end: int) -> bool:
        """Say whether all of ``start`` to ``end - 1`` are in the set."""
        at = bisect_right(self._starts, start)
        return start >= end or (at > 0 and end <= self._ends[at - 1])

    def discard_below(self, number: int) -> None:
        """Forget every number below this one."""
        at = bisect_right(self._ends, number)
        del self._starts[:at], self._ends[:at]
        if self._starts and self._starts[0] < number:
            self._starts[0] = number
