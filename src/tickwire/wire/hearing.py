"""Whether one subscription is heard. Times are one clock's, in seconds."""

from collections.abc import Callable
from math import inf

from tickwire.exchanges.contract import Channel, Symbol
from tickwire.wire.rhythm import Rhythm


class Hearing:
    """What is heard of one subscription for as long as the feed runs, over all connections.

    *heard* gives something that is another thing after every message; it is asked once a second or so. *whole* tells
    whether all that the exchange says is heard: no pause counts while it is not, nor the one before the first message
    of a subscription, old or new.
    """

    __slots__ = ("_counts", "_heard", "_seen", "_since", "_whole", "channel", "rhythm", "silent_since", "symbol")

    def __init__(
        self, channel: Channel, symbol: Symbol, heard: Callable[[], object], whole: Callable[[], bool] = lambda: True
    ) -> None:
        self.channel, self.symbol = channel, symbol
        self._whole = whole
        self.rhythm = Rhythm()
        self.silent_since: float | None = None  # while nothing counts after an alarm
        self._heard, self._seen = heard, heard()
        self._since = 0.0
        self._counts = False

    def quiet_s(self, now: float) -> float:
        """For how long this was asked without a message in between."""
        if self._heard() != self._seen:
            if self._counts:
                self.rhythm.pause(now - self._since)
                self.silent_since = None
            self.wake(now)
            self._counts = True
        self._counts = self._counts and self._whole()
        return now - self._since

    @property
    def most_s(self) -> float:
        """How long it may be silent now, by what is usual."""
        return self.rhythm.most_s if self._whole() else inf

    def wake(self, now: float) -> None:
        """Begin to measure: what was until *now* is no pause."""
        self._seen, self._since, self._counts = self._heard(), now, False

    def give_up(self, now: float) -> None:
        """Note that it is not waited for any longer, whoever is to blame."""
        if self._whole():
            self.rhythm.alarm(now - self._since)

    def begin_again(self, now: float) -> None:
        """Note that it alone is to blame, and is started again."""
        self.give_up(now)
        if self.silent_since is None:
            self.silent_since = self._since
        self.wake(now)
