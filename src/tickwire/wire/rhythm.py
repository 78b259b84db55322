"""How long one symbol is usually quiet, and when its quiet is odd. Pure; times are seconds of one clock."""

_WATCHED_S = 300.0  # before anything is said of it
_LEAST_S = 30.0
_TIMES = 10.0


class Rhythm:
    """The pauses of one symbol since :meth:`begin`."""

    __slots__ = ("_began", "last_s", "longest_s")

    def __init__(self) -> None:
        self.begin(0.0)

    def begin(self, now: float) -> None:
        """Forget what was."""
        self._began, self.last_s, self.longest_s = now, 0.0, 0.0

    def pause(self, seconds: float) -> None:
        """Note a pause that is over."""
        self.last_s, self.longest_s = seconds, max(self.longest_s, seconds)

    def is_odd(self, quiet_s: float, now: float) -> bool:
        """Whether a pause of *quiet_s* is many times as long as the longest one in the five minutes or more before."""
        watched_s = now - quiet_s - self._began
        return watched_s >= _WATCHED_S and quiet_s >= max(_LEAST_S, _TIMES * self.longest_s)
