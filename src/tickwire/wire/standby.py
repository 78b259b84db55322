"""Keeps what a connection on standby receives, for the moment in which it takes over."""

from collections import defaultdict, deque
from collections.abc import Callable, Iterator
from typing import Any

from tickwire.errors import ConnectionLost
from tickwire.events.types import OrderBook, Ticker, Trade
from tickwire.exchanges.contract import Output, Reconnect, Refused, Symbol
from tickwire.wire.trades import KEPT


class Standby:
    """By native symbol, the newest ticker and book message and the latest trades; and refused subscriptions."""

    def __init__(self) -> None:
        self.tickers: dict[str, Ticker] = {}
        self.books: dict[str, OrderBook] = {}  # of valid books
        self._trades: defaultdict[str, deque[Trade]] = defaultdict(lambda: deque(maxlen=KEPT))
        self.refused: dict[str, Refused] = {}

    def handlers(self) -> dict[type[Output], Callable[[Any], None]]:
        """The functions that take outputs which would otherwise leave the session."""
        return {
            Ticker: self._ticker,
            OrderBook: self._book,
            Trade: self._trade,
            Refused: self._refused,
            Reconnect: _asked_to_leave,
        }

    def forget(self, symbol: Symbol) -> None:
        """Discard everything of a symbol."""
        for kept in (self.tickers, self.books, self._trades, self.refused):
            kept.pop(symbol.native, None)

    def take_trades(self) -> Iterator[Trade]:
        """Remove and give the latest trades of all symbols, each symbol's in order."""
        for trades in self._trades.values():
            yield from trades
        self._trades.clear()

    def _ticker(self, ticker: Ticker) -> None:
        self.tickers[ticker.exchange_symbol] = ticker

    def _book(self, message: OrderBook) -> None:
        if message.action == "invalid":
            self.books.pop(message.exchange_symbol, None)
        else:
            self.books[message.exchange_symbol] = message

    def _trade(self, trade: Trade) -> None:
        self._trades[trade.exchange_symbol].append(trade)

    def _refused(self, refused: Refused) -> None:
        self.refused[refused.symbol.native] = refused


def _asked_to_leave(reconnect: Reconnect) -> None:
    raise ConnectionLost("planned", reconnect.why)
