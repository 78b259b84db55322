"""Delays the requests for books that broke too often."""

import asyncio
from collections.abc import Callable

from tickwire.exchanges.contract import Resync, Symbol
from tickwire.wire.books import Books


class Resyncs:
    """Calls *ask* once for each book: at once, or after the delay that *books* gives."""

    def __init__(self, books: Books, ask: Callable[[Symbol], None]) -> None:
        self._books, self._ask = books, ask
        self._timers: dict[Symbol, asyncio.TimerHandle] = {}

    def put(self, resync: Resync) -> None:
        """Schedule a request; a second one for the same book is merged with it."""
        symbol = resync.symbol
        if symbol in self._timers:
            return
        delay_s = self._books.resync_delay_s(symbol, resync.reason)
        if delay_s:
            self._timers[symbol] = asyncio.get_running_loop().call_later(delay_s, self._now, symbol)
        else:
            self._ask(symbol)

    def cancel(self) -> None:
        """Cancel all delayed requests."""
        for timer in self._timers.values():
            timer.cancel()

    def _now(self, symbol: Symbol) -> None:
        del self._timers[symbol]
        self._ask(symbol)
