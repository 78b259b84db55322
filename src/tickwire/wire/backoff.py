"""How long to wait before trying again."""

from collections import deque
from collections.abc import Callable

BASE_S = 0.5
CAP_S = 30.0
HEALTHY_S = 60.0  # a connection that lived this long resets the count
_MOST_DOUBLINGS = 30  # keeps 2**n small in a process that tries for years

_WINDOW_S = 60.0
_AT_ONCE = 3  # restarts of a book within the window


class Backoff:
    """Exponential back-off with full jitter: a random delay up to a ceiling that doubles with every failure.

    The ceiling grows from *base_s* to *cap_s*.
    https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/ *random* gives numbers from 0 to 1.
    """

    __slots__ = ("_base_s", "_cap_s", "_failures", "_random")

    def __init__(self, random: Callable[[], float], base_s: float = BASE_S, cap_s: float = CAP_S) -> None:
        self._random, self._base_s, self._cap_s = random, base_s, cap_s
        self._failures = 0

    def delay_s(self, lived_s: float = 0.0) -> float:
        """Seconds to wait after a connection that lived for *lived_s* seconds."""
        if lived_s >= HEALTHY_S:
            self._failures = 0
        ceiling = min(self._cap_s, self._base_s * 2.0 ** min(self._failures, _MOST_DOUBLINGS))
        self._failures += 1
        return self._random() * ceiling


class Restarts:
    """The delay before a book's next restart, which depends on the restarts within the last minute.

    *now* is any clock that does not go back, in seconds; *random* gives numbers from 0 to 1.
    """

    __slots__ = ("_at", "_random")

    def __init__(self, random: Callable[[], float]) -> None:
        self._random = random
        self._at: deque[float] = deque(maxlen=_AT_ONCE + 8)

    def delay_s(self, now: float) -> float:
        """Seconds until this restart may begin: 0 for the first few, then doubled each time."""
        while self._at and now - self._at[0] >= _WINDOW_S:
            self._at.popleft()
        beyond = len(self._at) - _AT_ONCE
        delay = 0.0 if beyond < 0 else min(CAP_S, BASE_S * 2.0**beyond) * (0.5 + self._random() / 2)
        self._at.append(now + delay)
        return delay
