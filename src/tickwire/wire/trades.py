"""The trades of a feed over all its connections: none is handed out twice, and what is missing is counted."""

import logging
from collections import deque
from collections.abc import Callable, Iterable

from tickwire.events.types import Trade
from tickwire.exchanges.contract import Exchange, Symbol
from tickwire.wire.tally import Tally

logger = logging.getLogger(__name__)

KEPT = 250  # trades of a symbol that a connection on standby keeps
_REMEMBERED = 2 * KEPT  # ids of a symbol: a connection that takes over may be that much behind the one before


class _Seen:
    __slots__ = ("ids", "last", "order")

    def __init__(self) -> None:
        self.last: int | None = None  # number of the last trade, where they are numbered
        self.ids: set[str] = set()
        self.order: deque[str] = deque()


class Trades:
    """Hands trades to *emit*.

    Where *exchange* numbers the trades of a symbol, each number that is not the next one is a gap. What follows is
    handed out all the same: an exchange may number anew.
    """

    def __init__(self, exchange: Exchange, emit: Callable[[Trade], None], tally: Tally) -> None:
        self._exchange, self._numbered = exchange.name, exchange.trades_numbered
        self._emit, self._tally = emit, tally
        self._seen: dict[str, _Seen] = {}  # by the exchange's names

    def forget(self, symbols: Iterable[Symbol]) -> None:
        """Begin anew with these, if they come back."""
        for symbol in symbols:
            self._seen.pop(symbol.native, None)

    def handle(self, trade: Trade) -> None:
        """Take the next trade of a symbol; one that was handed out a short while ago ends here."""
        native, trade_id = trade.exchange_symbol, trade.trade_id
        seen = self._seen.get(native)
        if seen is None:
            seen = self._seen[native] = _Seen()
        if trade_id in seen.ids:
            return
        seen.ids.add(trade_id)
        seen.order.append(trade_id)
        if len(seen.order) > _REMEMBERED:
            seen.ids.discard(seen.order.popleft())
        if self._numbered:
            number, last = int(trade_id), seen.last
            seen.last = number
            if last is not None and number != last + 1:
                self._tally.trade_gaps.add()
                logger.warning(
                    "feed.trade_gap exchange=%s symbol=%s last=%d next=%d", self._exchange, trade.symbol, last, number
                )
        self._emit(trade)
