"""The trades of a feed over all its connections: removes duplicates and counts gaps."""

import logging
from collections import deque
from collections.abc import Callable, Iterable

from tickwire.events.numbers import TradeNumbers
from tickwire.events.types import Trade
from tickwire.exchanges.contract import Exchange, Symbol
from tickwire.wire.tally import Tally

logger = logging.getLogger(__name__)

KEPT = 250  # trades of a symbol that a connection on standby keeps
_REMEMBERED = 2 * KEPT  # ids of a symbol: a connection that takes over may be that far behind the one before


class _Numbers(TradeNumbers):
    """The numbers of a symbol's last trades, as runs without holes; the short way extends the newest run."""

    __slots__ = ("_first", "_older")

    def __init__(self, number: int) -> None:
        self._older: list[range] = []  # newest first
        self._first = self.last = number
        self.ahead = True

    def has(self, number: int) -> bool:
        """Whether a trade with this number was handed out recently."""
        return any(number in run for run in self._runs())

    def add(self, number: int) -> None:
        """Add a new number as the last one."""
        if number != self.last + 1:
            self._older, self._first = self._runs(), number
        self.last = number
        self.ahead = all(run[-1] <= number for run in self._runs())

    def _runs(self) -> list[range]:
        """The remembered runs, newest first."""
        runs, left = list[range](), _REMEMBERED
        for run in (range(self._first, self.last + 1), *self._older):
            if left > 0:
                runs.append(run[-left:])
                left -= len(run)
        return runs


class _Ids:
    """The ids of a symbol's last trades."""

    __slots__ = ("_ids", "_order")

    def __init__(self) -> None:
        self._ids: set[str] = set()
        self._order: deque[str] = deque()

    def newest(self) -> str:
        """The id added last."""
        return self._order[-1]

    def add(self, trade_id: str) -> bool:
        """Add an id; return whether it is new."""
        if trade_id in self._ids:
            return False
        self._ids.add(trade_id)
        self._order.append(trade_id)
        if len(self._order) > _REMEMBERED:
            self._ids.discard(self._order.popleft())
        return True


class Trades:
    """Passes trades to *emit*, except those that were passed recently.

    If *exchange* numbers the trades of a symbol, a number that is not the next one is a gap. The trade is passed all
    the same: an exchange may restart its numbers. ``numbers`` has them by native symbol.
    """

    def __init__(self, exchange: Exchange, emit: Callable[[Trade], None], tally: Tally) -> None:
        self._exchange, self._emit, self._tally = exchange.name, emit, tally
        self.numbers: dict[str, _Numbers] = {}
        self._ids: dict[str, _Ids] = {}  # by native symbol
        self.handle = self._handle_numbered if exchange.trades_numbered else self._handle_named

    def forget(self, symbols: Iterable[Symbol]) -> None:
        """Forget these symbols."""
        for symbol in symbols:
            self.numbers.pop(symbol.native, None)
            self._ids.pop(symbol.native, None)

    def newest(self, native: str) -> object:
        """The number or id of a symbol's last trade; None before there is any."""
        numbers, ids = self.numbers.get(native), self._ids.get(native)
        return numbers.last if numbers is not None else ids and ids.newest()

    def _handle_numbered(self, trade: Trade) -> None:
        number, numbers = int(trade.trade_id), self.numbers.get(trade.exchange_symbol)
        if numbers is None:
            self.numbers[trade.exchange_symbol] = _Numbers(number)
        elif numbers.ahead and number == numbers.last + 1:
            numbers.last = number
        elif numbers.has(number):
            return
        else:
            last = numbers.last
            numbers.add(number)
            if number != last + 1:
                self._tally.trade_gaps.add()
                logger.warning(
                    "feed.trade_gap exchange=%s symbol=%s last=%d next=%d", self._exchange, trade.symbol, last, number
                )
        self._emit(trade)

    def _handle_named(self, trade: Trade) -> None:
        ids = self._ids.get(trade.exchange_symbol)
        if ids is None:
            ids = self._ids[trade.exchange_symbol] = _Ids()
        if ids.add(trade.trade_id):
            self._emit(trade)
