"""Suppresses tickers and trades of symbols on standby."""

from collections.abc import Callable, Iterable

from tickwire.events.types import MarketEvent
from tickwire.exchanges.contract import Symbol


class Quiet:
    """Passes events to *emit*, except those of symbols on standby."""

    def __init__(self, emit: Callable[[MarketEvent], None]) -> None:
        self._emit, self._quiet = emit, frozenset[str]()

    def keep(self, symbols: Iterable[Symbol]) -> None:
        """Suppress events of these symbols, and only of these, from now on."""
        self._quiet = frozenset(symbol.native for symbol in symbols)

    def __call__(self, event: MarketEvent) -> None:
        """Take one event."""
        if event.exchange_symbol not in self._quiet:
            self._emit(event)
