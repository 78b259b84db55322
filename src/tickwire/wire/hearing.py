"""Whether one subscription is heard. Times are one clock's, in seconds."""

from collections.abc import Callable, Iterable
from functools import partial
from math import inf

from tickwire.exchanges.contract import AdapterContract, Channel, ConnectionPlan, Symbol
from tickwire.wire.rhythm import Rhythm
from tickwire.wire.trades import Trades


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
        """How long it may be silent now, by what is usual; what is no book for ever, until that is known."""
        return self.rhythm.most_s if self._whole() and (self.channel == "orderbook" or self.rhythm.known) else inf

    def listen(self, heard: Callable[[], object], now: float) -> None:
        """Listen to this from *now* on."""
        self._heard = heard
        self.wake(now)

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


class Hearings:
    """What is heard of a feed's tickers and *trades*; books have their own."""

    def __init__(self, trades: Trades) -> None:
        self._trades = trades
        self._of: dict[tuple[Channel, Symbol], Hearing] = {}

    def listen(self, plan: ConnectionPlan, adapter: AdapterContract, now: float) -> list[Hearing]:
        """Give those of a connection, which listen to its *adapter* from *now* on."""
        heard: list[Hearing] = []
        for channel in plan.channels:
            if channel != "orderbook" and channel in adapter.spoken:
                heard += [self._listening(channel, symbol, adapter, now) for symbol in plan.symbols]
        return heard

    def _listening(self, channel: Channel, symbol: Symbol, adapter: AdapterContract, now: float) -> Hearing:
        hear = partial(adapter.tickers, symbol) if channel == "ticker" else partial(self._trades.newest, symbol.native)
        hearing = self._of.get((channel, symbol))
        if hearing is None:
            hearing = self._of[channel, symbol] = Hearing(channel, symbol, hear)
        hearing.listen(hear, now)
        return hearing

    def forget(self, symbols: Iterable[Symbol]) -> None:
        """Begin anew with these, if they come back."""
        for symbol in symbols:
            for channel in ("ticker", "trade"):
                self._of.pop((channel, symbol), None)
