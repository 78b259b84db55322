"""What may be asked of an exchange's REST interface within a minute."""

from collections import deque

WINDOW_S = 60.0


class WeightBudget:
    """Request weight spent within the last minute, and a time before which nothing may be asked at all.

    Exchanges count by calendar minutes; a sliding minute stays below their limit wherever theirs begins.
    ``per_minute`` None: no limit. *now* is any clock that does not go back, in seconds.
    """

    __slots__ = ("_blocked_until", "_per_minute", "_spent", "_total")

    def __init__(self, per_minute: int | None) -> None:
        self._per_minute = per_minute
        self._spent: deque[tuple[float, int]] = deque()
        self._total = 0
        self._blocked_until = float("-inf")

    def wait_s(self, weight: int, now: float) -> float:
        """Seconds until a request of *weight* may leave; 0 for now. Too heavy ones wait for an unused minute."""
        self._forget(now)
        blocked = max(0.0, self._blocked_until - now)
        if self._per_minute is None:
            return blocked
        excess = self._total + min(weight, self._per_minute) - self._per_minute
        wait = 0.0
        for at, spent in self._spent:
            if excess <= 0:
                break
            excess -= spent
            wait = at + WINDOW_S - now
        return max(blocked, wait)

    def spend(self, weight: int, now: float) -> None:
        """Note a request that leaves now."""
        if self._per_minute is not None:
            self._spent.append((now, weight))
            self._total += weight

    def block(self, until: float) -> None:
        """Let nothing leave before *until*; an earlier time than the one in force changes nothing."""
        self._blocked_until = max(self._blocked_until, until)

    def _forget(self, now: float) -> None:
        spent = self._spent
        while spent and spent[0][0] + WINDOW_S <= now:
            self._total -= spent.popleft()[1]
