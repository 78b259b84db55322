"""The order-book messages of one symbol on one connection, before they are numbered."""

from typing import cast

import msgspec

from tickwire.events.book import Book, Levels
from tickwire.events.types import Level, MarketEvent, Micros, OrderBook
from tickwire.exchanges.contract import Symbol


def json_prefix(name: str, event: MarketEvent) -> bytes:
    """The text of the event's value in front of the content of the field *name*."""
    text, mark = msgspec.json.encode(event), f'"{name}":'.encode()
    return text[: text.index(mark) + len(mark)]


class BookMessages:
    """Makes snapshots, deltas and ``invalid``; *depth* is the number of levels that they promise."""

    __slots__ = ("_exchange", "_native", "_started", "_symbol", "depth")

    def __init__(self, exchange: str, symbol: Symbol, depth: int) -> None:
        self._exchange, self._symbol, self._native, self.depth = exchange, symbol.canonical, symbol.native, depth
        self._started = False

    def snapshot(self, book: Book, sequence: int | None, exchange_us: Micros | None, received_us: Micros) -> OrderBook:
        """All of *book*; the first one is ``initial``, later ones are ``resync``."""
        reason = "resync" if self._started else "initial"
        self._started = True
        return OrderBook(
            action="snapshot",
            exchange=self._exchange,
            symbol=self._symbol,
            exchange_symbol=self._native,
            depth=self.depth,
            bids=book.bids.top(),
            asks=book.asks.top(),
            reason=reason,
            sequence=sequence,
            exchange_us=exchange_us,
            received_us=received_us,
        )

    def delta(
        self, bids: Levels, asks: Levels, sequence: int | None, exchange_us: Micros | None, received_us: Micros
    ) -> OrderBook:
        """Changed levels, as :meth:`~tickwire.events.book.Book.apply` gave them back."""
        return OrderBook(
            action="delta",
            exchange=self._exchange,
            symbol=self._symbol,
            exchange_symbol=self._native,
            depth=self.depth,
            bids=cast("list[Level]", bids),
            asks=cast("list[Level]", asks),
            sequence=sequence,
            exchange_us=exchange_us,
            received_us=received_us,
        )

    def invalid(self, reason: str, sequence: int | None, received_us: Micros) -> OrderBook:
        """Do not use the book until its next snapshot."""
        return OrderBook(
            action="invalid",
            exchange=self._exchange,
            symbol=self._symbol,
            exchange_symbol=self._native,
            depth=self.depth,
            bids=[],
            asks=[],
            reason=reason,
            sequence=sequence,
            received_us=received_us,
        )
