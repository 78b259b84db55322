"""Notices when a subscription falls silent. Times are monotonic, in seconds."""

from collections.abc import Callable, Iterable
from functools import partial
from math import inf

from tickwire.exchanges.contract import AdapterContract, Channel, ConnectionPlan, Symbol
from tickwire.wire.rhythm import Rhythm
from tickwire.wire.trades import Trades


class Hearing:
    """The messages of one subscription as long as the feed runs, over all connections.

    *heard* returns a value that changes with every message; it is called about once a second. *whole* tells whether all
    messages of the exchange are seen: while they are not, pauses do not count, and neither does the one before the
    first message of a subscription.
    """

    __slots__ = ("_counts", "_heard", "_seen", "_since", "_whole", "channel", "rhythm", "silent_since", "symbol")

    def __init__(
        self, channel: Channel, symbol: Symbol, heard: Callable[[], object], whole: Callable[[], bool] = lambda: True
    ) -> None:
        self.channel, self.symbol = channel, symbol
        self._whole = whole
        self.rhythm = Rhythm()
        self.silent_since: float | None = None  # start of the silence after an alarm, in which nothing counts
        self._heard, self._seen = heard, heard()
        self._since = 0.0
        self._counts = False

    def quiet_s(self, now: float) -> float:
        """How many seconds there has been no message."""
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
        """How many seconds it may be silent, by its usual pauses; for tickers and trades unlimited until known."""
        return self.rhythm.most_s if self._whole() and (self.channel == "orderbook" or self.rhythm.known) else inf

    def listen(self, heard: Callable[[], object], now: float) -> None:
        """Use *heard* from *now* on, for a new connection."""
        self._heard = heard
        self.wake(now)

    def wake(self, now: float) -> None:
        """Start measuring: the time until *now* is no pause."""
        self._seen, self._since, self._counts = self._heard(), now, False

    def give_up(self, now: float) -> None:
        """Note that the silence ended in an alarm, whatever its cause."""
        if self._whole():
            self.rhythm.alarm(now - self._since)

    def begin_again(self, now: float) -> None:
        """Note that this subscription alone was silent, and is restarted."""
        self.give_up(now)
        if self.silent_since is None:
            self.silent_since = self._since
        self.wake(now)


class Hearings:
    """The hearings of a feed's tickers and *trades*; books have their own."""

    def __init__(self, trades: Trades) -> None:
        self._trades = trades
        self._of: dict[tuple[Channel, Symbol], Hearing] = {}

    def listen(self, plan: ConnectionPlan, adapter: AdapterContract, now: float) -> list[Hearing]:
        """The hearings of a new connection, which observe its *adapter* from *now* on."""
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
        """Forget these symbols."""
        for symbol in symbols:
            for channel in ("ticker", "trade"):
                self._of.pop((channel, symbol), None)
