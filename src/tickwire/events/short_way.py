"""The short way from a frame to the value of its record, for frames of known shapes.

An adapter that has a short way registers the shapes of its frames (:mod:`.shape`), the symbols of tickers and trades,
and the books that are in step with the exchange. A :class:`ShortWayReceiver` takes a connection's messages. It passes
what it does not recognize to the session, and everything while records wait in the publisher or other callbacks want
the events.

``native/`` holds the compiled forms. Each form leaves a frame to the adapter when in doubt: the forms may differ in
which unusual frames they take, but never in what is sent.
"""

import re
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import msgspec
from msgspec import Raw, Struct

from tickwire.compiled import compiled
from tickwire.events.book import Levels, Side, is_zero, price_key
from tickwire.events.numbers import BookNumbers, Number, TradeNumbers, UpdateId
from tickwire.events.rules import ASK, BID, KEPT, REMOVED, Change, Rule, ShortWayBook, levels_of
from tickwire.events.shape import Shape, is_of_change, is_of_ticker, is_of_trade, time_in
from tickwire.events.side import read_worded
from tickwire.events.top import Top
from tickwire.events.types import Level, Micros, TakerSide

T = TypeVar("T")
_encode = msgspec.json.Encoder().encode


class _Trade(Struct):
    """One trade; the order of the fields is that in the record's value."""

    trade_id: str
    price: str
    size: str
    side: TakerSide
    exchange_us: Micros
    received_us: Micros = 0


@compiled
class ShortWay:
    """The shapes and symbols that an adapter has registered.

    A ticker has four numbers (bid, its size, ask, its size), perhaps the last price, a sequence and a time. A change of
    a book has one or two texts of its symbol, levels, a time, and what its *rule* needs. A trade has its number, a
    price, a size, a side, and a time. An empty shape matches no frame. Raises :exc:`ValueError` if a shape lacks what
    is needed. *unpack* turns a binary frame into text.
    """

    def __init__(
        self,
        ticker_shape: bytes,
        change_shape: bytes,
        trade_shape: bytes,
        rule: Rule,
        unpack: Callable[[bytes], bytes] | None = None,
        /,
    ) -> None:
        every = ticker_shape, change_shape, trade_shape
        needs = zip(("ticker", "change of a book", "trade"), (is_of_ticker, is_of_change, is_of_trade), strict=True)
        for shape, (name, is_whole) in zip(every, needs, strict=True):
            if shape and not is_whole(shape):
                raise ValueError(f"a shape has not what a {name} needs")
        if not rule.fits(change_shape):
            raise ValueError("the shape of a change has not what its rule needs, or there is no such rule")
        self._ticker, self._change, self._trade = (Shape(shape, every) for shape in every)
        self.rule, self.unpack, self._meanings = rule, unpack, dict(rule.words)
        self._tickers: dict[str, tuple[str, bytes, Number]] = {}
        self._trades: dict[str, tuple[str, bytes]] = {}
        self._books: dict[str, ShortWayBook] = {}  # by the first name in a frame
        self._followed: dict[str, str] = {}  # that first name, by native name

    def ticker(self, native: str, symbol: str, prefix: bytes, count: Number, /) -> None:
        """Take and *count* this symbol's tickers; *prefix* is the value's text in front of the bid."""
        self._tickers[native] = symbol, prefix, count

    def trade(self, native: str, symbol: str, prefix: bytes, /) -> None:
        """Take trades of this symbol while their numbers are consecutive; *prefix* is the text before the number."""
        self._trades[native] = symbol, prefix

    def follow(
        self,
        native: str,
        names: tuple[str, ...],
        symbol: str,
        prefix: bytes,
        bids: Side,
        asks: Side,
        state: UpdateId,
        depth: int,
        least: int,
        most: int,
        /,
    ) -> None:
        """Take this book's changes, as long as each is next after *state*; *prefix* stands in front of the bids.

        *names* are the texts that stand for the symbol in its frames. *depth* levels a side are kept; -1 keeps all. A
        change after which a side has fewer than *least* known levels or more than *most* levels is left to the adapter.
        """
        if not 1 <= len(names) <= 2:
            raise ValueError("one or two names stand in a frame")
        kept = None if depth < 0 else depth
        self._books[names[0]] = ShortWayBook(native, names, symbol, prefix, bids, asks, state, kept, least, most)
        self._followed[native] = names[0]

    def leave(self, native: str, /) -> None:
        """Stop taking changes of this book."""
        self._books.pop(self._followed.pop(native, ""), None)

    def forget(self, native: str, /) -> None:
        """Stop taking anything of this symbol."""
        self._tickers.pop(native, None)
        self._trades.pop(native, None)
        self.leave(native)

    # Only of the Python form, for its receiver:

    def find_ticker(self, frame: bytes) -> tuple[str, bytes, Number, dict[str, Any]] | None:
        """A ticker's symbol, the text in front of its bid, its counter, and the fields from there on."""
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
            "exchange_us": time_in(parts),
        }

    def find_change(self, frame: bytes) -> tuple[ShortWayBook, Change] | None:
        """A followed book, and a change that may be its next one."""
        parts = self._change.read(frame)
        book = self._books.get(parts["$"][0]) if parts else None
        time_us = time_in(parts) if parts else None
        if parts is None or book is None or time_us is None or book.names[: len(parts["$"])] != tuple(parts["$"]):
            return None
        bids, asks = self._levels(parts)
        if any(not price_key(price) for side in (bids, asks) for price, _ in levels_of(side, self.rule)):
            return None
        numbers = {mark[1]: int(texts[0]) for mark, texts in parts.items() if mark[0] == "#" and texts}
        first, last, previous, crc = (numbers.get(role, -1) for role in "flpc")
        change = Change(bids, asks, time_us, first, last, previous, crc)
        return (book, change) if book.is_next(self.rule, change) else None

    def _levels(self, parts: dict[str, list[str]]) -> tuple[Levels, Levels]:
        """Bids and asks of a frame. Raises :exc:`ValueError`."""
        if not self._meanings:
            bids, asks = ("".join(parts[mark]) or "[]" for mark in ("=b", "=a"))  # a frame may lack a side
            return Raw(bids.encode()), Raw(asks.encode())
        sides: tuple[list[Level], list[Level]] = [], []
        for mark, texts in parts.items():
            for text in texts if mark[0] == "=" else ():
                if re.search(r"\[\s+\"|\"\s+,", text):
                    raise ValueError("spaces where an adapter may not expect them")
                for meaning, strings, level, more in read_worded(Raw(text.encode()), self._meanings):
                    if (meaning != KEPT and more) or (meaning in {BID, ASK} and not strings):
                        raise ValueError("no level of ours")
                    of_asks = meaning == ASK if meaning in {BID, ASK} else mark == "=a"
                    sides[of_asks].append((level[0], "0") if meaning == REMOVED else level)
        return Raw(_encode(sides[0])), Raw(_encode(sides[1]))

    def find_trade(self, frame: bytes) -> tuple[str, str, bytes, _Trade] | None:
        """A trade's native symbol, canonical symbol, the text in front of its number, and the trade."""
        parts = self._trade.read(frame)
        known = self._trades.get(parts["$"][0]) if parts else None
        if parts is None or known is None or is_zero(parts["%"][1]):
            return None
        time_us = time_in(parts)
        if time_us is None:
            return None
        price, size = parts["%"]
        side: TakerSide = "buy" if parts["<"][0] == self._trade.words[0] else "sell"
        return parts["$"][0], *known, _Trade(parts["#"][0], price, size, side, time_us)


@compiled
class ShortWayReceiver:
    """Takes a connection's messages and sends what the short way knows to the producer; the others go to the session.

    By native symbol, *numbers* are those of the books that may take the short way, *tops* the best levels of books in
    snapshot mode, *trades* the trade numbers. *direct* publishes. *frames* counts frames, *counts* events of each of
    the *types*: tickers, order books, trades. *message* is the session's method for other frames, *failed* is called
    with errors.
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
            text = self._text(payload) if self._direct.is_free() else None
            taken = text is not None and (
                self._take_ticker(text, received_us)
                or self._take_change(text, received_us)
                or self._take_trade(text, received_us)
            )
        except Exception as e:  # noqa: BLE001 - told, as the session tells those of the long way
            self._frames.value += 1
            self._failed(e)
            return
        if taken:
            self._frames.value += 1
        else:
            self._message(payload)

    def _text(self, payload: bytes) -> bytes | None:
        try:
            return payload if self._way.unpack is None else self._way.unpack(payload)
        except Exception:  # noqa: BLE001 - the session says what is wrong
            return None

    def _take_ticker(self, frame: bytes, received_us: Micros) -> bool:
        found = _found(self._way.find_ticker, frame)
        route = self._direct.route(self._types[0], found[0]) if found else None
        if found is None or route is None:
            return False
        _, prefix, count, fields = found
        count.value += 1
        self._counts[0].value += 1
        self._direct.send(route, _value(prefix, {**fields, "received_us": received_us}), None, received_us)
        return True

    def _take_change(self, frame: bytes, received_us: Micros) -> bool:
        found = _found(self._way.find_change, frame)
        if found is None:
            return False
        book, change = found
        numbers, top = self._numbers.get(book.native), self._tops.get(book.native)
        if numbers is None or not numbers.valid or (top is not None and top.prefix is None):
            return False
        route = self._direct.route(self._types[1], book.symbol)
        if route is None or not book.apply(change, self._way.rule):
            return False
        numbers.messages += 1
        bids, asks, prefix, reason = change.bids, change.asks, book.prefix, None
        if top is not None and top.prefix is not None:
            top.book.apply(bids, asks)
            if not top.write():
                return True  # no level changed
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
        found = _found(self._way.find_trade, frame)
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


def _found(find: Callable[[bytes], T | None], frame: bytes) -> T | None:
    """What a frame has; None also if it cannot be read, of which the adapter says what is wrong."""
    try:
        return find(frame)
    except ValueError:
        return None


def _value(prefix: bytes, fields: dict[str, Any] | _Trade) -> bytes:
    """A record's value; *prefix* is its text in front of the first of these *fields*."""
    return prefix + _encode(fields).partition(b":")[2]
