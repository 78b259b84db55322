"""How long one subscription is usually silent, and so how long it may be. Pure; times are seconds.

What is usual is the mean pause over time: that of the pause in which a moment of the last hour lies. For messages that
come at random it is twice the mean gap, and where they come in bursts it is longer, as the silence between them is.
"""

from math import exp

_LEAST_S = 15.0  # no shorter silence is odd: exchanges stop for seconds now and then
_TIMES = 8.0  # what is usual; of random messages one pause in nine million is that long
_TIMES_LONGEST = 1.5
_MEMORY_S = 3600.0  # of what is usual; of the longest pause it is twice as long
_UNKNOWN_S = 75.0  # taken for usual at first, as if that had been so for a second
_KNOWN = 20  # pauses; fewer say little: of random messages the next is as odd by chance
_CALM_S = 600.0  # since the last alarm: the patience is as at first


class Rhythm:
    """The pauses of one subscription. Those that end by themselves and those that ended in an alarm all count."""

    __slots__ = ("_calm_s", "_longest_s", "_patience", "_pauses", "_seen_s", "usual_s")

    def __init__(self) -> None:
        self.usual_s = _UNKNOWN_S
        self._seen_s, self._longest_s = 1.0, 0.0
        self._calm_s, self._patience = 0.0, 1.0
        self._pauses = 0

    @property
    def known(self) -> bool:
        """Whether there were enough pauses to tell what is usual."""
        return self._pauses >= _KNOWN

    @property
    def most_s(self) -> float:
        """How long it may be silent now; more is odd."""
        return self._patience * max(_LEAST_S, _TIMES * self.usual_s, _TIMES_LONGEST * self._longest_s)

    def pause(self, seconds: float) -> None:
        """Note a pause that is over."""
        self._pauses += 1
        self._seen_s = min(self._seen_s + seconds, _MEMORY_S)
        self.usual_s += min(1.0, seconds / self._seen_s) * (seconds - self.usual_s)
        self._longest_s = max(seconds, self._longest_s * exp(-seconds / (2 * _MEMORY_S)))
        self._calm_s += seconds
        if self._calm_s >= _CALM_S:
            self._patience = 1.0

    def alarm(self, seconds: float) -> None:
        """Note a pause that was not waited for longer than this: after it the patience is twice what it was."""
        self.pause(seconds)
        self._patience, self._calm_s = 2 * self._patience, 0.0
