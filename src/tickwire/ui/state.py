"""What there is to see of the market data in Kafka: symbols, their books, and what was wrong with these. Pure.

Times are Unix microseconds; what is called *now* is an argument.
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

SECONDS = 60  # of messages a second that are kept of a symbol
MOST_SYMBOLS = 10_000  # anyone who may write to the topics can invent them
_MOST_MARKS = 2_000
_STARTS = frozenset({"resync", "reconnect", "initial"})
_S = 1_000_000
WAITS = "waits"  # for a snapshot to begin with, which is no trouble yet


@dataclass(slots=True)
class Mark:
    """Something on the time line: a book that could not be used (``end_us`` is None while it lasts), or its start."""

    key: str
    what: str  # invalid, or start
    reason: str
    begin_us: int
    end_us: int | None


@dataclass(slots=True)
class Row:
    """One symbol of one exchange. ``version`` is that of the :class:`Screen` when it changed last."""

    number: int
    exchange: str
    symbol: str
    version: int = 0
    last_us: int = 0  # received_us of the newest message
    count: int = 0  # messages since the last second began
    rates: deque[int] = field(default_factory=lambda: deque(maxlen=SECONDS))
    trouble: Mark | None = None


class Screen:
    """Takes what was read from Kafka and answers what has changed since a version of it."""

    def __init__(self) -> None:
        self.market = MarketState()
        self.rows: dict[str, Row] = {}
        self.marks: deque[Mark] = deque(maxlen=_MOST_MARKS)
        self.marks_version = 0
        self.version = 0
        self.unreadable = 0
        self.last_unreadable = ""  # which, and why
        self.too_many = 0  # messages of symbols beyond the most that are kept

    def take(self, records: Iterable[ReceivedRecord], counts: Mapping[bytes | None, int]) -> None:
        """Take some records, in the order of Kafka; *counts* has how many messages of each key there were.

        Of what only its last message counts, the earlier ones of a batch may be left out.
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
        """Begin a new second; give how many messages each symbol had in the one that ended, by number."""
        for row in self.rows.values():
            row.rates.append(row.count)
            row.count = 0
        return [row.rates[-1] for row in self.rows.values()]

    def since(self, version: int) -> list[list[Any]]:
        """The rows that have changed since a *version*, in the columns that ``static/symbols.js`` names."""
        return [self.cells(key, row) for key, row in self.rows.items() if row.version > version]

    def cells(self, key: str, row: Row) -> list[Any]:
        """One row: number, names, best prices and sizes, spread, last price, time, state of the book and since when."""
        bid, ask = self.best(key)
        traded = self.market.trades.get(key)
        ticker = self.market.tickers.get(key)
        last = traded.price if traded else ticker.last if ticker else None
        state, since = self.state(key, row)
        prices = [*(bid or (None, None)), *(ask or (None, None)), *spread(bid, ask)]
        return [row.number, row.exchange, row.symbol, *prices, last, row.last_us, state, since]

    def best(self, key: str) -> tuple[tuple[str, str | None] | None, tuple[str, str | None] | None]:
        """Best bid and ask with their sizes: the ticker's, or those of a valid book where there is none."""
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
        """``valid``, ``waits`` or why the book may not be used, and since when; None: there is no book."""
        book = self.market.books.get(key)
        if book is None:
            return None, None
        return _reason(book) or "valid", row.trouble.begin_us if row.trouble else None

    def book(self, key: str, depth: int) -> dict[str, Any] | None:
        """One book, at most *depth* levels a side, as text; None: there is none."""
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
            "epoch": str(state.epoch),  # more digits than a number of JavaScript may have
            "book_seq": state.last_seq,
        }

    def words(self, now_us: int) -> list[str]:
        """What is wrong with books, a sentence each; several of an exchange with one reason are one sentence."""
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
    """Why a book may not be used; None: it may."""
    if book.valid:
        return None
    return "another producer writes it" if book.whole else book.reason or WAITS


def _seconds(us: int) -> str:
    seconds = max(0, us // _S)
    return f"{seconds} s" if seconds < 120 else f"{seconds // 60} min"


def spread(bid: tuple[str, str | None] | None, ask: tuple[str, str | None] | None) -> tuple[str | None, str | None]:
    """The difference of two prices, exact, and in hundredths of a percent of the price between them, as text."""
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
