"""How long to wait before trying again."""

from collections.abc import Callable

BASE_S = 0.5
CAP_S = 30.0
HEALTHY_S = 60.0  # a connection that lived so long starts the count again
_MOST_DOUBLINGS = 30  # keeps 2**n small in a process that tries for years


class Backoff:
    """Exponential back-off with full jitter: anything from 0 to the ceiling, which doubles with every failure.

    https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/ *random* gives numbers from 0 to 1.
    """

    __slots__ = ("_failures", "_random")

    def __init__(self, random: Callable[[], float]) -> None:
        self._random = random
        self._failures = 0

    def delay_s(self, lived_s: float = 0.0) -> float:
        """Seconds to wait after a try that held for *lived_s* seconds."""
        if lived_s >= HEALTHY_S:
            self._failures = 0
        ceiling = min(CAP_S, BASE_S * 2.0 ** min(self._failures, _MOST_DOUBLINGS))
        self._failures += 1
        return self._random() * ceiling
