"""The short way from a frame to the value of its record, for frames of known shapes.

An adapter that has one tells it the shapes of its frames (:mod:`.shape`) and what it may take: the symbols of tickers
and of trades, and the books that follow their exchange's sequence or checksums. A :class:`ShortWayReceiver` takes a
connection's messages; what the short way does not know goes on to the session, and so does everything while the
publisher is not free or somebody else wants the events.

``native/`` holds the compiled forms. Each leaves a frame to the adapter where it is not sure: the two may differ in
which odd frames they take, and never in what is sent.
"""

from collections.abc import Callable, Mapping
from typing import Any
from zlib import crc32

import msgspec
from msgspec import Raw, Struct

from tickwire.compiled import compiled
from tickwire.events.book import Levels, Side, is_zero
from tickwire.events.digest import ASKS_FIRST, DIGITS, Digest, digest_text, is_known
from tickwire.events.numbers import BookNumbers, Number, TradeNumbers, UpdateId
from tickwire.events.shape import Shape, is_of_change, is_of_ticker, is_of_trade
from tickwire.events.times import micros
from tickwire.events.top import Top
from tickwire.events.types import Micros, TakerSide

NEXT, PREVIOUS = 0, 1  # updates say their first and last number, or the number before them and their own
MS, US = 1000, 1  # units of their times, in microseconds

_encode = msgspec.json.Encoder().encode


class _Change(Struct):
    """A change of a book, and the numbers of its updates or the checksum of the book after it."""

    bids: Levels
    asks: Levels
    exchange_us: Micros
    first: int = -1
    last: int = -1
    checksum: int = -1


class _Trade(Struct):
    """One trade, in the order in which it is written."""

    trade_id: str
    price: str
    size: str
    side: TakerSide
    exchange_us: Micros
    received_us: Micros = 0


class _FollowedBook(Struct):
    """A book whose updates are numbered (*state* has the last number), or come with checksums (then it is None)."""

    symbol: str
    prefix: bytes
    bids: Side
    asks: Side
    state: UpdateId | None = None
    order: int = NEXT
    unit: int = MS
    depth: int | None = None  # levels a side that are kept; None: all
    digest: Digest = Digest(0, ASKS_FIRST, DIGITS)

    def is_next(self, change: _Change) -> bool:
        """Tell whether a change may be applied. Where updates are numbered it has to be next in its order."""
        if self.state is None:
            return True
        before = self.state.update_id
        return change.first == before if self.order == PREVIOUS else change.first <= before + 1 <= change.last

    def apply(self, change: _Change) -> bool:
        """Apply a change, and make its levels those that a reader has to apply. False: it is for the adapter.

        There it changes nothing more, as each level's size is set and not added to, and is found wrong again.
        """
        try:
            change.bids = self.bids.change(change.bids, self.depth)
            change.asks = self.asks.change(change.asks, self.depth)
        except ValueError:
            return False
        if self.state is not None:
            self.state.update_id = change.last
            return True
        return crc32(digest_text(self.bids, self.asks, *self.digest)) == change.checksum


@compiled
class ShortWay:
    """What an adapter has told of its frames and symbols.

    A ticker has four numbers (bid, its size, ask, its size), perhaps the last price, a sequence and a time. A change of
    a book has two lists of levels, and either in front of them its time and two numbers of updates, or behind them a
    checksum and a time. A trade has its number, a price, a size, a side, and a time: an integer behind the number, in
    milliseconds, or text. Raises :exc:`ValueError` when a shape lacks what is needed.
    """

    def __init__(self, ticker_shape: bytes, change_shape: bytes, trade_shape: bytes, /) -> None:
        every = ticker_shape, change_shape, trade_shape
        needs = zip(("ticker", "change of a book", "trade"), (is_of_ticker, is_of_change, is_of_trade), strict=True)
        for shape, (name, is_whole) in zip(every, needs, strict=True):
            if not is_whole(shape):
                raise ValueError(f"a shape has not what a {name} needs")
        self._by_checksum = b"^" in change_shape
        self._ticker, self._change, self._trade = (Shape(shape, every) for shape in every)
        self._tickers: dict[str, tuple[str, bytes, Number]] = {}
        self._trades: dict[str, tuple[str, bytes]] = {}
        self._books: dict[str, _FollowedBook] = {}

    def ticker(self, native: str, symbol: str, prefix: bytes, count: Number, /) -> None:
        """Take and *count* this symbol's tickers; *prefix* is the text of their records in front of the bid."""
        self._tickers[native] = symbol, prefix, count

    def trade(self, native: str, symbol: str, prefix: bytes, /) -> None:
        """Take this symbol's trades, where each number is the next; *prefix* is their text in front of the number."""
        self._trades[native] = symbol, prefix

    def follow(
        self, native: str, symbol: str, prefix: bytes, bids: Side, asks: Side, state: UpdateId, order: int, unit: int, /
    ) -> None:
        """Take this book's changes, as long as each is next after *state*; *prefix* stands in front of the bids.

        *order* is :data:`NEXT` or :data:`PREVIOUS`, *unit* :data:`MS` or :data:`US`.
        """
        if self._by_checksum or order not in (NEXT, PREVIOUS):
            raise ValueError("the shape has no numbers of updates, or there is no such order")
        self._books[native] = _FollowedBook(symbol, prefix, bids, asks, state, order, unit)

    def follow_checked(
        self, native: str, symbol: str, prefix: bytes, bids: Side, asks: Side, depth: int, digest: Digest, /
    ) -> None:
        """Take this book's changes where each comes with a checksum of the book after it.

        Both sides are kept *depth* levels deep.
        """
        if not self._by_checksum or depth < 0 or not is_known(*digest):
            raise ValueError("the shape has no checksum, or there is no such digest")
        self._books[native] = _FollowedBook(symbol, prefix, bids, asks, None, depth=depth, digest=digest)

    def leave(self, native: str, /) -> None:
        """Take no more changes of this book."""
        self._books.pop(native, None)

    def forget(self, native: str, /) -> None:
        """Take nothing more of this symbol."""
        self._tickers.pop(native, None)
        self._trades.pop(native, None)
        self.leave(native)

    # Of the Python form alone, for its receiver:

    def find_ticker(self, frame: bytes) -> tuple[str, bytes, Number, dict[str, Any]] | None:
        """A ticker's symbol, the text in front of its bid, its count, and what stands in its record from there on."""
        parts = self._ticker.read(frame)
        known = self._tickers.get(parts["$"][0]) if parts else None
        if parts is None or known is None:
            return None
        bid, bid_size, ask, ask_size, *last = parts["%"]
        return *known, {
            "bid": None if is_zero(bid_size) else bid,
            "bid_size": None if is_zero(bid_size) else bid_size,
            "ask": None if is_zero(ask_size) else ask,
            "ask_size": None if is_zero(ask_size) else ask_size,
            "last": last[0] if last else None,
            "sequence": int(parts["#"][0]) if parts["#"] else None,
            "exchange_us": micros(parts["^"][0]) if parts["^"] else None,
        }

    def find_change(self, frame: bytes) -> tuple[str, _FollowedBook, _Change] | None:
        """The exchange's name of a book that is followed, the book, and a change of it that may be next."""
        parts = self._change.read(frame)
        book = self._books.get(parts["$"][0]) if parts else None
        if parts is None or book is None:
            return None
        bids, asks = (Raw(levels.encode()) for levels in parts["="])
        integers = [int(number) for number in parts["#"]]
        if book.state is None:
            return parts["$"][0], book, _Change(bids, asks, micros(parts["^"][0]), checksum=integers[0])
        return parts["$"][0], book, _Change(bids, asks, integers[0] * book.unit, *integers[1:])

    def find_trade(self, frame: bytes) -> tuple[str, str, bytes, _Trade] | None:
        """The exchange's name of a trade's symbol, our name, the text in front of the trade's number, and the trade."""
        parts = self._trade.read(frame)
        known = self._trades.get(parts["$"][0]) if parts else None
        if parts is None or known is None or is_zero(parts["%"][1]):
            return None
        number, *time_ms = parts["#"]
        side: TakerSide = "buy" if parts["<"][0] == self._trade.words[0] else "sell"
        (price, size), exchange_us = parts["%"], int(time_ms[0]) * MS if time_ms else micros(parts["^"][0])
        return parts["$"][0], *known, _Trade(number, price, size, side, exchange_us)


@compiled
class ShortWayReceiver:
    """Takes a connection's messages and sends what the short way knows to the producer; the others go to the session.

    *numbers* are those of all books whose changes may take the short way, by the exchange's names; *tops* the best
    levels of those of them where these are written instead; *trades* the numbers of trades. *direct* publishes;
    *frames* counts, and *counts* do, the events of these *types*: tickers, order books, trades. *message* is the
    session's, *failed* is told of errors.
    """

    def __init__(
        self,
        way: ShortWay,
        numbers: Mapping[str, BookNumbers],
        tops: Mapping[str, Top],
        trades: Mapping[str, TradeNumbers],
        direct: Any,
        clock: Any,
        frames: Number,
        counts: tuple[Number, ...],
        types: tuple[type, ...],
        message: Callable[[bytes], None],
        failed: Callable[[Exception], None],
        /,
    ) -> None:
        self._way, self._numbers, self._tops, self._trades = way, numbers, tops, trades
        self._direct, self._clock, self._frames = direct, clock, frames
        self._counts, self._types, self._message, self._failed = counts, types, message, failed

    def __call__(self, payload: bytes, /) -> None:
        """Take one message."""
        received_us = self._clock.now_us()
        try:
            taken = self._direct.is_free() and (
                self._take_ticker(payload, received_us)
                or self._take_change(payload, received_us)
                or self._take_trade(payload, received_us)
            )
        except Exception as e:  # noqa: BLE001 - told, as the session tells those of the long way
            self._frames.value += 1
            self._failed(e)
            return
        if taken:
            self._frames.value += 1
        else:
            self._message(payload)

    def _take_ticker(self, frame: bytes, received_us: Micros) -> bool:
        try:
            found = self._way.find_ticker(frame)
        except ValueError:
            return False  # the adapter says what is wrong
        route = self._direct.route(self._types[0], found[0]) if found else None
        if found is None or route is None:
            return False
        _, prefix, count, fields = found
        count.value += 1
        self._counts[0].value += 1
        self._direct.send(route, _value(prefix, {**fields, "received_us": received_us}), None, received_us)
        return True

    def _take_change(self, frame: bytes, received_us: Micros) -> bool:
        try:
            found = self._way.find_change(frame)
        except ValueError:
            return False
        if found is None:
            return False
        native, book, change = found
        numbers, top = self._numbers.get(native), self._tops.get(native)
        if numbers is None or not numbers.valid or (top is not None and top.prefix is None) or not book.is_next(change):
            return False
        route = self._direct.route(self._types[1], book.symbol)
        if route is None or not book.apply(change):
            return False
        numbers.messages += 1
        bids, asks, prefix, reason = change.bids, change.asks, book.prefix, None
        if top is not None and top.prefix is not None:
            top.book.apply(bids, asks)
            if not top.write():
                return True  # nothing to say
            bids, asks, prefix, reason = top.bids_text, top.asks_text, top.prefix, "update"
        numbers.book_seq += 1
        numbers.sequence, numbers.exchange_us = change.last, change.exchange_us
        fields = {
            "bids": bids,
            "asks": asks,
            "epoch": numbers.epoch,
            "book_seq": numbers.book_seq,
            "reason": reason,
            "sequence": None if change.last < 0 else change.last,
            "exchange_us": change.exchange_us,
            "received_us": received_us,
        }
        self._counts[1].value += 1
        self._direct.send(route, _value(prefix, fields), "delta" if top is None else "snapshot", received_us)
        return True

    def _take_trade(self, frame: bytes, received_us: Micros) -> bool:
        try:
            found = self._way.find_trade(frame)
        except ValueError:
            return False
        if found is None:
            return False
        native, symbol, prefix, trade = found
        numbers, number = self._trades.get(native), int(trade.trade_id)
        if numbers is None or not numbers.ahead or number != numbers.last + 1:
            return False
        route = self._direct.route(self._types[2], symbol)
        if route is None:
            return False
        numbers.last, trade.received_us = number, received_us
        self._counts[2].value += 1
        self._direct.send(route, _value(prefix, trade), None, received_us)
        return True


def _value(prefix: bytes, fields: dict[str, Any] | _Trade) -> bytes:
    """A record's value; *prefix* is its text in front of the value of the first of these fields."""
    return prefix + _encode(fields).partition(b":")[2]
