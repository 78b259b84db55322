"""What may be asked of an exchange's REST interface within the windows that it counts by."""

from collections import deque
from collections.abc import Iterable

from tickwire.exchanges.contract import Limit


class WeightBudget:
    """Request weight spent within the windows of *limits*, and a time before which nothing may be asked at all.

    Exchanges count by calendar minutes and the like; a sliding window stays below their limit wherever theirs begins.
    A request of a group without a limit never waits for one. *now* is any clock that does not go back, in seconds.
    """

    def __init__(self, limits: Iterable[Limit]) -> None:
        self._windows: dict[str, list[_Window]] = {}
        for limit in limits:
            self._windows.setdefault(limit.group, []).append(_Window(limit))
        self._blocked_until = float("-inf")

    def wait_s(self, weight: int, now: float, group: str = "", share: float = 1.0) -> float:
        """Seconds until a request of *weight* may leave; 0 for now. Too heavy ones wait for an unused window.

        With it no more than *share* of each limit is spent.
        """
        waits = [window.wait_s(weight, now, share) for window in self._windows.get(group, ())]
        return max(0.0, self._blocked_until - now, *waits)

    def spend(self, weight: int, now: float, group: str = "") -> None:
        """Note a request that leaves now."""
        for window in self._windows.get(group, ()):
            window.spend(weight, now)

    def block(self, until: float) -> None:
        """Let nothing leave before *until*; an earlier time than the one in force changes nothing."""
        self._blocked_until = max(self._blocked_until, until)


class _Window:
    """What was spent of one limit."""

    __slots__ = ("_limit", "_spent", "_total")

    def __init__(self, limit: Limit) -> None:
        self._limit = limit
        self._spent: deque[tuple[float, int]] = deque()
        self._total = 0

    def wait_s(self, weight: int, now: float, share: float) -> float:
        self._forget(now)
        most = max(1, int(self._limit.weight * share))
        excess = self._total + min(weight, most) - most
        wait = 0.0
        for at, spent in self._spent:
            if excess <= 0:
                break
            excess -= spent
            wait = at + self._limit.seconds - now
        return wait

    def spend(self, weight: int, now: float) -> None:
        self._spent.append((now, weight))
        self._total += weight

    def _forget(self, now: float) -> None:
        spent = self._spent
        while spent and spent[0][0] + self._limit.seconds <= now:
            self._total -= spent.popleft()[1]
