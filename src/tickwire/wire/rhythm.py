"""How long one subscription is usually silent, and so how long it may be. Pure; times in seconds.

"Usual" is the mean over time: the average length of the pause in which a random moment of the last hour lies. For
messages at random times it is twice the mean gap; for bursts it is longer, as is the silence between them.
"""

from math import exp

_LEAST_S = 15.0  # a shorter silence is never unusual: exchanges stop for seconds now and then
_TIMES = 8.0  # times the usual pause; of random messages one pause in nine million is as long
_TIMES_LONGEST = 1.5
_MEMORY_S = 3600.0  # time constant of the usual pause; twice that for the longest pause
_UNKNOWN_S = 75.0  # the usual pause at first, with the weight of one second
_KNOWN = 20  # pauses needed to know what is usual
_CALM_S = 600.0  # without an alarm, after which the limit is no longer raised


class Rhythm:
    """The pauses of one subscription, including those that ended in an alarm."""

    __slots__ = ("_calm_s", "_longest_s", "_patience", "_pauses", "_seen_s", "usual_s")

    def __init__(self) -> None:
        self.usual_s = _UNKNOWN_S
        self._seen_s, self._longest_s = 1.0, 0.0
        self._calm_s, self._patience = 0.0, 1.0
        self._pauses = 0

    @property
    def known(self) -> bool:
        """Whether there were enough pauses to know what is usual."""
        return self._pauses >= _KNOWN

    @property
    def most_s(self) -> float:
        """How long it may be silent now."""
        return self._patience * max(_LEAST_S, _TIMES * self.usual_s, _TIMES_LONGEST * self._longest_s)

    def pause(self, seconds: float) -> None:
        """Note a pause that ended with a message."""
        self._pauses += 1
        self._seen_s = min(self._seen_s + seconds, _MEMORY_S)
        self.usual_s += min(1.0, seconds / self._seen_s) * (seconds - self.usual_s)
        self._longest_s = max(seconds, self._longest_s * exp(-seconds / (2 * _MEMORY_S)))
        self._calm_s += seconds
        if self._calm_s >= _CALM_S:
            self._patience = 1.0

    def alarm(self, seconds: float) -> None:
        """Note a pause that ended in an alarm: the limit doubles after it."""
        self.pause(seconds)
        self._patience, self._calm_s = 2 * self._patience, 0.0
