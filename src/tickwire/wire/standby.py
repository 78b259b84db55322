"""What a connection sees while another one serves, kept for the moment in which it takes over."""

from collections.abc import Callable
from typing import Any

from tickwire.errors import ConnectionLost
from tickwire.events.types import OrderBook, Ticker
from tickwire.exchanges.contract import Output, Reconnect, Refused


class Standby:
    """The newest message of each symbol, by the exchange's names, and what was refused."""

    def __init__(self) -> None:
        self.tickers: dict[str, Ticker] = {}
        self.books: dict[str, OrderBook] = {}  # of books that are valid
        self.refused: dict[str, Refused] = {}

    def handlers(self) -> dict[type[Output], Callable[[Any], None]]:
        """What takes the outputs of an adapter that would leave the session otherwise."""
        return {
            Ticker: self._ticker,
            OrderBook: self._book,
            Refused: self._refused,
            Reconnect: _asked_to_leave,
        }

    def _ticker(self, ticker: Ticker) -> None:
        self.tickers[ticker.exchange_symbol] = ticker

    def _book(self, message: OrderBook) -> None:
        if message.action == "invalid":
            self.books.pop(message.exchange_symbol, None)
        else:
            self.books[message.exchange_symbol] = message

    def _refused(self, refused: Refused) -> None:
        self.refused[refused.symbol.native] = refused


def _asked_to_leave(reconnect: Reconnect) -> None:
    raise ConnectionLost("planned", reconnect.why)
