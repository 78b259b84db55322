"""The rules by which changes of books and trades are taken, each in both forms, for an exchange that is none."""

from collections.abc import Iterator
from typing import Any
from zlib import crc32

import msgspec
import pytest

from forms import FORMS, use
from tickwire.events import book as books
from tickwire.events import numbers, short_way
from tickwire.events.digest import ASKS_FIRST, BIDS_FIRST, DIGITS, IN_TURN, JAVASCRIPT, WRITTEN, Digest
from tickwire.events.short_way import MS, NEXT, PREVIOUS, US
from tickwire.events.types import OrderBook, Ticker, Trade
from tickwire.kafka.producing import in_flight
from tickwire.kafka.producing.ledger import Lane, Stream
from tickwire.records.codec import RecordWriter
from tickwire.wire.clock import clock

TICKER = b'{"s":"$","b":%,"B":%,"a":%,"A":%}'
NUMBERED = b'{"t":#,"s":"$","from":#,"to":#,"b":=,"a":=}'
TRADE = b'{"s":"$","n":#,"p":"%","q":%,"t":#,"side":"<bid|offer>"}'
CHECKED = b'{"s":"$","b":=,"a":=,"c":#,"t":"^"}'


@pytest.fixture(params=FORMS, autouse=True)
def form(request: pytest.FixtureRequest) -> Iterator[None]:
    with use(request.param):
        yield


class Followed:
    """A book that is followed, and a producer that keeps what it gets."""

    def __init__(self, shape: bytes, trade: bytes = TRADE) -> None:
        self.sent: list[dict[str, Any]] = []
        self.left: list[bytes] = []
        self.state = numbers.UpdateId()
        self.state.update_id = 10
        self.book = books.Book([("9", "1"), ("8", "2")], [("10", "3")])
        self.way = short_way.ShortWay(TICKER, shape, trade)
        table = in_flight.InFlightTable(lambda *_: None, lambda *_: None)
        table.produce, table.ready = self._produce, True
        nothing: Any = self.left.append
        direct = in_flight.DirectPublisher(
            table, RecordWriter({"ticker": "t", "orderbook": "b", "trade": "d"}), set(), nothing, nothing, lambda: None
        )
        direct.alone = True
        stream = Stream("b", "orderbook", "x")
        direct.open(
            OrderBook, "A", (Lane(stream, "a", is_book=True), stream, "x", "b", b"k", [], "orderbook", "a", True, None)
        )
        direct.open(
            Trade, "A", (Lane(stream, "a", is_book=False), stream, "x", "t", b"k", [], "trade", "a", False, None)
        )
        valid, self.traded = numbers.BookNumbers(), numbers.TradeNumbers()
        valid.valid = True
        self.traded.last, self.traded.ahead = 10, True
        self.frames, self.counts = numbers.Number(), (numbers.Number(), numbers.Number(), numbers.Number())
        self.take = short_way.ShortWayReceiver(
            self.way,
            {"a": valid},
            {},
            {"a": self.traded},
            direct,
            clock,
            self.frames,
            self.counts,
            (Ticker, OrderBook, Trade),
            self.left.append,
            nothing,
        )

    def _produce(self, _topic: str, value: bytes, *_: Any, **__: Any) -> None:
        self.sent.append(msgspec.json.decode(value))


@pytest.mark.parametrize(
    ("order", "first", "last", "taken"),
    [
        (NEXT, 11, 11, True), (NEXT, 9, 12, True), (NEXT, 12, 12, False), (NEXT, 9, 10, False), (NEXT, 11, 10, False),
        (PREVIOUS, 10, 17, True), (PREVIOUS, 9, 17, False), (PREVIOUS, 11, 17, False),
    ],
)  # fmt: skip
@pytest.mark.parametrize("unit", [MS, US])
def test_a_change_is_taken_where_it_is_next(order: int, first: int, last: int, taken: bool, unit: int) -> None:
    followed = Followed(NUMBERED)
    followed.way.follow("a", "A", b'{"bids":', followed.book.bids, followed.book.asks, followed.state, order, unit)
    followed.take(b'{"t":5,"s":"a","from":%d,"to":%d,"b":[["9","0"]],"a":[]}' % (first, last))
    assert (len(followed.left), followed.state.update_id) == ((0, last) if taken else (1, 10))
    assert followed.book.bids.top() == ([("8", "2")] if taken else [("9", "1"), ("8", "2")])
    assert [(value["sequence"], value["exchange_us"]) for value in followed.sent] == [(last, 5 * unit)] * taken


@pytest.mark.parametrize(
    ("digest", "text"),
    [
        (Digest(10, ASKS_FIRST, DIGITS), b"1039182"), (Digest(10, BIDS_FIRST, DIGITS), b"9182103"),
        (Digest(1, ASKS_FIRST, DIGITS), b"10391"), (Digest(0, ASKS_FIRST, DIGITS), b""),
        (Digest(10, IN_TURN, WRITTEN), b"9:1:10:3:8:2"), (Digest(10, IN_TURN, JAVASCRIPT), b"9:1:10:-3:8:2"),
    ],
)  # fmt: skip
def test_a_change_is_taken_where_its_checksum_is_right(digest: Digest, text: bytes) -> None:
    followed = Followed(CHECKED)
    followed.way.follow_checked("a", "A", b'{"bids":', followed.book.bids, followed.book.asks, 2, digest)
    frame = b'{"s":"a","b":[],"a":[],"c":%d,"t":"1970-01-01T00:00:01Z"}'
    followed.take(frame % crc32(text))
    followed.take(frame % (crc32(text) ^ 1))
    assert (len(followed.left), [value["exchange_us"] for value in followed.sent]) == (1, [1_000_000])


def test_rules_that_the_shape_or_nobody_has_are_refused() -> None:
    numbered, checked = Followed(NUMBERED), Followed(CHECKED)
    book = numbered.book.bids, numbered.book.asks
    for way, order in ((checked.way, NEXT), (numbered.way, 2)):
        with pytest.raises(ValueError, match="no numbers of updates, or there is no such order"):
            way.follow("a", "A", b"", *book, numbered.state, order, MS)
    for way, digest in (
        (numbered.way, (10, 0, 0)),
        *((checked.way, odd) for odd in [(26, 0, 0), (9, 3, 0), (9, 0, 3)]),
    ):
        with pytest.raises(ValueError, match="no checksum, or there is no such digest"):
            way.follow_checked("a", "A", b"", *book, 25, Digest(*digest))


@pytest.mark.parametrize(
    ("last", "ahead", "number", "taken"),
    [(10, True, 11, True), (10, False, 11, False), (10, True, 12, False), (10, True, 10, False), (11, True, 11, False)],
)
@pytest.mark.parametrize(("word", "side"), [("bid", "buy"), ("offer", "sell")])
def test_a_trade_is_taken_where_its_number_is_next(
    last: int, ahead: bool, number: int, taken: bool, word: str, side: str
) -> None:
    followed = Followed(NUMBERED)
    followed.way.trade("a", "A", b'{"trade_id":')
    followed.traded.last, followed.traded.ahead = last, ahead
    followed.take(b'{"s":"a","n":%d,"p":"05.20","q":3,"t":7,"side":"%s"}' % (number, word.encode()))
    assert (len(followed.left), followed.traded.last) == ((0, number) if taken else (1, last))
    assert [count.value for count in (followed.frames, *followed.counts)] == [taken, 0, 0, taken]
    fields = ("trade_id", "price", "size", "side", "exchange_us")
    assert [tuple(map(value.get, fields)) for value in followed.sent] == [("11", "05.20", "3", side, 7000)] * taken


@pytest.mark.parametrize(
    "frame",
    [
        b'{"s":"b","n":11,"p":"5","q":3,"t":7,"side":"bid"}', b'{"s":"a","n":11,"p":"5","q":0.0,"t":7,"side":"bid"}',
        b'{"s":"a","n":11,"p":"5e1","q":3,"t":7,"side":"bid"}', b'{"s":"a","n":11,"p":"5","q":3,"t":-7,"side":"bid"}',
        b'{"s":"a","n":"11","p":"5","q":3,"t":7,"side":"bid"}', b'{"s":"a","n":11,"p":"5","q":3,"t":7,"side":"ask"}',
        b'{"s":"a","n":11,"p":"5","q":3,"t":7,"side":"bidoffer"}', b'{"s":"a","n":11,"p":"5","q":3,"t":7,"side":""}',
    ],
)  # fmt: skip
def test_a_trade_that_is_not_plain_is_left(frame: bytes) -> None:
    followed = Followed(NUMBERED)
    followed.way.trade("a", "A", b'{"trade_id":')
    followed.take(frame)
    assert (followed.left, followed.traded.last) == ([frame], 10)


def test_the_time_of_a_trade_may_be_text() -> None:
    followed = Followed(NUMBERED, b'{"t":"^","s":"$","p":"%","q":"%","n":#,"m":<true|false>}')
    followed.way.trade("a", "A", b'{"trade_id":')
    followed.take(b'{"t":"1970-01-01T00:00:01.5Z","s":"a","p":"1","q":"2","n":11,"m":false}')
    assert [(value["side"], value["exchange_us"]) for value in followed.sent] == [("sell", 1_500_000)]


@pytest.mark.parametrize(
    "shape",
    [
        b"", b"$#%%^", b"$#%%<a|b>", b"$##%%^<a|b>", b"$###%%<a|b>", b"$#%^<a|b>", b"$$#%%^<a|b>", b"$#%%^=<a|b>",
        b"($)#%%^<a|b>", b"$#%%^<a|b><c|d>", b"$#%%^<a>", b"$#%%^<|b>", b"$#%%^<a|>", b"$#%%^<a|b", b"$#%%^<a1|b>",
        b"$##%%^^<a|b>",
    ],
)  # fmt: skip
def test_a_shape_without_what_a_trade_needs_is_refused(shape: bytes) -> None:
    with pytest.raises(ValueError, match="a shape has not what a trade needs"):
        short_way.ShortWay(TICKER, NUMBERED, shape)
