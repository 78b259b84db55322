"""Adapters of exchanges that do not send best prices with sizes: tickers are derived from the book."""

from collections.abc import Sequence
from typing import Generic

from msgspec.structs import replace

from tickwire.events.types import Level, Micros, OrderBook
from tickwire.exchanges.contract import Channel, Fetch, Output, Refused, Resync, Subscribed, Symbol
from tickwire.exchanges.kit.adapter import Kept, KitAdapter
from tickwire.exchanges.kit.requests import Item

_NOTHING = (None, None)


class DerivedAdapter(KitAdapter[Kept], Generic[Kept]):
    """Subscribes to books for tickers too, and gives a ticker when a best level has changed.

    ``receive`` of an exchange's adapter passes its outputs through :meth:`derived`.
    """

    def __init__(self, symbols: Sequence[Symbol], channels: Sequence[Channel], depth: int) -> None:
        self._wanted = [channel for channel in channels if channel != "trade"]
        subscribed: list[Channel] = ["orderbook"] if self._wanted else []
        self._told: dict[str, tuple[Level | None, Level | None]] = {}  # levels of the last ticker, by native name
        super().__init__(symbols, [*subscribed, *(channel for channel in channels if channel == "trade")], depth)
        self.spoken = [channel for channel in channels if channel != "ticker" or "orderbook" not in channels]

    def enter(self, symbols: Sequence[Symbol]) -> list[Item]:
        """Prepare for these symbols; return the subscriptions to request."""
        items = super().enter(symbols)
        if "ticker" in self._wanted:
            self._tickers |= {symbol.native: symbol for symbol in symbols}
        for symbol in symbols:
            self._told.pop(symbol.native, None)
        return items

    def fetched(self, fetch: Fetch, body: bytes, received_us: Micros) -> list[Output]:
        """Pass a fetched body to its book. Raises :exc:`~tickwire.errors.FrameRejected`."""
        return self.derived(super().fetched(fetch, body, received_us))

    def renew(self, channel: Channel, symbol: Symbol, received_us: Micros) -> list[Output]:
        """Unsubscribe and subscribe again; for tickers, the book from which they are derived."""
        if channel == "ticker":
            return self.derived(self.restart(symbol, "stale", received_us))
        return super().renew(channel, symbol, received_us)

    def pending(self) -> list[Item]:
        """Subscriptions that wait for an answer or the start of their book, on each requested channel."""
        waiting = super().pending()
        return [(channel, symbol) for asked, symbol in waiting for channel in self._meant(asked)]

    def derived(self, out: list[Output]) -> list[Output]:
        """Turn a book's outputs into those of the requested channels."""
        if self._wanted == ["orderbook"]:
            return out
        given: list[Output] = []
        changed: dict[str, OrderBook] = {}
        for output in out:
            match output:
                case Subscribed() | Refused():
                    given += [replace(output, channel=channel) for channel in self._meant(output.channel)]
                case OrderBook():
                    if "orderbook" in self._wanted:
                        given.append(output)
                    changed[output.exchange_symbol] = output
                case Resync() if "orderbook" not in self._wanted:
                    given += self.resync(output.symbol)  # the feed does not know this book
                case _:
                    given.append(output)
        return given + [ticker for message in changed.values() for ticker in self._read_off(message)]

    def _meant(self, channel: Channel) -> Sequence[Channel]:
        return self._wanted if channel == "orderbook" else (channel,)

    def _read_off(self, message: OrderBook) -> list[Output]:
        native = message.exchange_symbol
        book = self._books[native].current
        if book is None:
            return []
        best = book.bids.best(), book.asks.best()
        if native not in self._tickers or self._told.get(native) == best:
            return []
        self._told[native] = best
        (bid, bid_size), (ask, ask_size) = best[0] or _NOTHING, best[1] or _NOTHING
        number, at_us = message.sequence, message.exchange_us
        best_now = bid, bid_size, ask, ask_size
        return self.ticker(native, *best_now, message.received_us, sequence=number, exchange_us=at_us)
