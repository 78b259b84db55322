"""The shown state of the market data in Kafka: symbols, their books, and the breaks of these. Pure.

Times are Unix microseconds; the present time is an argument.
"""

from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from tickwire.errors import TickwireError
from tickwire.events.decimals import price_key
from tickwire.events.types import MarketEvent, OrderBook
from tickwire.kafka.consuming.market_state import BookState, MarketState
from tickwire.kafka.received import ReceivedRecord

SECONDS = 60  # of message rates that are kept for each symbol
MOST_SYMBOLS = 10_000  # whoever may write to the topics can invent symbols
_MOST_MARKS = 2_000
_STARTS = frozenset({"resync", "reconnect", "initial"})
_S = 1_000_000
WAITS = "waits"  # waits for its first snapshot, which is no problem


@dataclass(slots=True)
class Mark:
    """An entry of the time line: a book was invalid (``end_us`` is None while that lasts), or started."""

    key: str
    what: str  # invalid, or start
    reason: str
    begin_us: int
    end_us: int | None


@dataclass(slots=True)
class Row:
    """One symbol of one exchange. ``version`` is the :class:`Screen`'s version at its last change."""

    number: int
    exchange: str
    symbol: str
    version: int = 0
    last_us: int = 0  # received_us of the newest message
    count: int = 0  # messages in the current second
    rates: deque[int] = field(default_factory=lambda: deque(maxlen=SECONDS))
    trouble: Mark | None = None


class Screen:
    """Takes records from Kafka and tells what has changed since a version of itself."""

    def __init__(self) -> None:
        self.market = MarketState()
        self.rows: dict[str, Row] = {}
        self.marks: deque[Mark] = deque(maxlen=_MOST_MARKS)
        self.marks_version = 0
        self.version = 0
        self.unreadable = 0
        self.last_unreadable = ""  # the last unreadable record, and why
        self.too_many = 0  # messages of symbols beyond the maximum

    def take(self, records: Iterable[ReceivedRecord], counts: Mapping[bytes | None, int]) -> None:
        """Take records in Kafka's order; *counts* has the number of messages of each key.

        Tickers and trades that a later record of the batch replaces may be left out.
        """
        self.version += 1
        for record in records:
            try:
                self._take(record, record.event)
            except TickwireError as e:
                self.unreadable += 1
                self.last_unreadable = f"{record.topic} partition {record.partition} offset {record.offset}: {e}"
        for key, count in counts.items():
            row = self.rows.get((key or b"").decode("utf-8", "replace"))
            if row is not None:
                row.count += count

    def second(self) -> list[int]:
        """Start a new second; return the message count of each symbol in the last one, by row number."""
        for row in self.rows.values():
            row.rates.append(row.count)
            row.count = 0
        return [row.rates[-1] for row in self.rows.values()]

    def since(self, version: int) -> list[list[Any]]:
        """The rows that have changed since a *version*, with the columns of ``static/symbols.js``."""
        return [self.cells(key, row) for key, row in self.rows.items() if row.version > version]

    def cells(self, key: str, row: Row) -> list[Any]:
        """One row: number, names, best prices and sizes, spread, last price, time, the book's state and its start."""
        bid, ask = self.best(key)
        traded = self.market.trades.get(key)
        ticker = self.market.tickers.get(key)
        last = traded.price if traded else ticker.last if ticker else None
        state, since = self.state(key, row)
        prices = [*(bid or (None, None)), *(ask or (None, None)), *spread(bid, ask)]
        return [row.number, row.exchange, row.symbol, *prices, last, row.last_us, state, since]

    def best(self, key: str) -> tuple[tuple[str, str | None] | None, tuple[str, str | None] | None]:
        """Best bid and ask with sizes: from the ticker, or else from a valid book."""
        if (ticker := self.market.tickers.get(key)) is not None:
            return (
                (ticker.bid, ticker.bid_size) if ticker.bid is not None else None,
                (ticker.ask, ticker.ask_size) if ticker.ask is not None else None,
            )
        book = self.market.books.get(key)
        if book is None or not book.valid or book.book is None:
            return None, None
        return book.book.bids.best(), book.book.asks.best()

    def state(self, key: str, row: Row) -> tuple[str | None, int | None]:
        """``valid``, ``waits`` or the reason why the book is invalid, and since when; None without a book."""
        book = self.market.books.get(key)
        if book is None:
            return None, None
        return _reason(book) or "valid", row.trouble.begin_us if row.trouble else None

    def book(self, key: str, depth: int) -> dict[str, Any] | None:
        """One book with at most *depth* levels a side, as text; None if there is none."""
        state = self.market.books.get(key)
        if state is None:
            return None
        book = state.book
        return {
            "key": key,
            "state": _reason(state) or "valid",
            "bids": book.bids.text(depth) if book else [],
            "asks": book.asks.text(depth) if book else [],
            "levels": [len(book.bids), len(book.asks)] if book else [0, 0],
            "depth": state.depth,
            "epoch": str(state.epoch),  # JavaScript numbers have too few digits
            "book_seq": state.last_seq,
        }

    def words(self, now_us: int) -> list[str]:
        """The problems of books, a sentence each; books of one exchange with the same reason share a sentence."""
        open_: dict[tuple[str, str], list[Row]] = {}
        for row in self.rows.values():
            if row.trouble is not None:
                open_.setdefault((row.exchange, row.trouble.reason), []).append(row)
        said = []
        for (exchange, reason), rows in open_.items():
            seconds = _seconds(now_us - min(row.trouble.begin_us for row in rows if row.trouble))
            if len(rows) <= 3:
                said += [
                    f"{row.symbol} on {exchange} is invalid since {_seconds(now_us - row.trouble.begin_us)}: {reason}"
                    for row in rows
                    if row.trouble
                ]
            else:
                said.append(f"{len(rows)} books of {exchange} are invalid, the longest since {seconds}: {reason}")
        if self.unreadable:
            said.append(f"{self.unreadable} records cannot be read; the last is {self.last_unreadable}")
        if self.too_many:
            said.append(f"More than {MOST_SYMBOLS} symbols: {self.too_many} messages of others are left out")
        return said

    def _take(self, record: ReceivedRecord, event: MarketEvent) -> None:
        key = f"{event.exchange}|{event.symbol}"
        row = self.rows.get(key)
        if row is None:
            if len(self.rows) >= MOST_SYMBOLS:
                self.too_many += 1
                return
            row = self.rows[key] = Row(len(self.rows), event.exchange, event.symbol)
            row.rates.append(0)
        self.market(record)
        row.version = self.version
        row.last_us = max(row.last_us, event.received_us)
        if type(event) is OrderBook:
            self._book(key, row, event)

    def _book(self, key: str, row: Row, message: OrderBook) -> None:
        reason = _reason(self.market.books[key])
        trouble = row.trouble
        if trouble is not None and reason != trouble.reason:
            trouble.end_us = message.received_us
            row.trouble = None
            self.marks_version += 1
        if reason not in {None, WAITS} and row.trouble is None:
            row.trouble = Mark(key, "invalid", reason or "", message.received_us, None)
            self._mark(row.trouble)
        if message.action == "snapshot" and message.reason in _STARTS:
            self._mark(Mark(key, "start", message.reason or "", message.received_us, message.received_us))

    def _mark(self, mark: Mark) -> None:
        self.marks.append(mark)
        self.marks_version += 1


def _reason(book: BookState) -> str | None:
    """Why a book is invalid; None if it is valid."""
    return None if book.valid else book.why or WAITS


def _seconds(us: int) -> str:
    seconds = max(0, us // _S)
    return f"{seconds} s" if seconds < 120 else f"{seconds // 60} min"


def spread(bid: tuple[str, str | None] | None, ask: tuple[str, str | None] | None) -> tuple[str | None, str | None]:
    """The exact difference of two prices, and in basis points of the mid price, as text."""
    if bid is None or ask is None:
        return None, None
    low, high = price_key(bid[0]), price_key(ask[0])
    difference = high - low
    sign, digits = "-" if difference < 0 else "", str(abs(difference)).rjust(25, "0")
    text = f"{sign}{digits[:-24]}.{digits[-24:]}".rstrip("0").rstrip(".")
    if low + high <= 0:
        return text, None
    hundredths = abs(difference) * 2_000_000 // (low + high)
    return text, f"{sign}{hundredths // 100}.{hundredths % 100:02}"
