"""The request weight that an exchange's REST limits allow."""

from collections import deque
from collections.abc import Iterable

from tickwire.exchanges.contract import Limit


class WeightBudget:
    """The weight spent within the windows of *limits*, and a time before which no request may be sent.

    Exchanges count by calendar minutes and the like; a sliding window stays below the limit wherever theirs begins. A
    request of a group without a limit does not wait. *now* is monotonic, in seconds.
    """

    def __init__(self, limits: Iterable[Limit]) -> None:
        self._windows: dict[str, list[_Window]] = {}
        for limit in limits:
            self._windows.setdefault(limit.group, []).append(_Window(limit))
        self._blocked_until = float("-inf")

    def wait_s(self, weight: int, now: float, group: str = "", share: float = 1.0) -> float:
        """Seconds until a request of *weight* may be sent; 0: now. A weight above the limit waits for an empty window.

        At most *share* of each limit may be spent with it.
        """
        waits = [window.wait_s(weight, now, share) for window in self._windows.get(group, ())]
        return max(0.0, self._blocked_until - now, *waits)

    def spend(self, weight: int, now: float, group: str = "") -> None:
        """Note a request that is sent now."""
        for window in self._windows.get(group, ()):
            window.spend(weight, now)

    def block(self, until: float) -> None:
        """Send nothing before *until*; it can only be moved later."""
        self._blocked_until = max(self._blocked_until, until)


class _Window:
    """The weight spent of one limit."""

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
