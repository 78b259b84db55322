"""Tickers and trades of symbols that are read only to be ready for them."""

from collections.abc import Callable, Iterable

from tickwire.events.types import MarketEvent
from tickwire.exchanges.contract import Symbol


class Quiet:
    """Hands events to *emit*, but for those of symbols that another process serves."""

    def __init__(self, emit: Callable[[MarketEvent], None]) -> None:
        self._emit, self._quiet = emit, frozenset[str]()

    def keep(self, symbols: Iterable[Symbol]) -> None:
        """Hand out nothing of these from now on, and of all others everything."""
        self._quiet = frozenset(symbol.native for symbol in symbols)

    def __call__(self, event: MarketEvent) -> None:
        """Take one event."""
        if event.exchange_symbol not in self._quiet:
            self._emit(event)
