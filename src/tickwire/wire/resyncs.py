"""Books that wait a while before they are asked for again."""

import asyncio
from collections.abc import Callable

from tickwire.exchanges.contract import Resync, Symbol
from tickwire.wire.books import Books


class Resyncs:
    """Gives each book to *ask* once: now, or when *books* say that it has not been asked for too often."""

    def __init__(self, books: Books, ask: Callable[[Symbol], None]) -> None:
        self._books, self._ask = books, ask
        self._timers: dict[Symbol, asyncio.TimerHandle] = {}

    def put(self, resync: Resync) -> None:
        """Take a wish; one more while it waits is the same one."""
        symbol = resync.symbol
        if symbol in self._timers:
            return
        delay_s = self._books.resync_delay_s(symbol, resync.reason)
        if delay_s:
            self._timers[symbol] = asyncio.get_running_loop().call_later(delay_s, self._now, symbol)
        else:
            self._ask(symbol)

    def cancel(self) -> None:
        """Ask for nothing any more."""
        for timer in self._timers.values():
            timer.cancel()

    def _now(self, symbol: Symbol) -> None:
        del self._timers[symbol]
        self._ask(symbol)
