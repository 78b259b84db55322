"""Kraken's short way does what the long one does: checksums, cut levels, restarts, times, tickers."""

import asyncio
import zlib
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from forms import FORMS, use
from tickwire.compiled import python_forms
from tickwire.events.book import Book
from tickwire.events.times import micros
from tickwire.exchanges import kraken
from tickwire.exchanges.contract import Symbol
from wire.short_way_support import (
    ADDED,
    IN_FORMATS,
    WAYS,
    Chain,
    damaged,
    disturbances,
    in_each_form,
    rarely_more,
    spread,
)

pytestmark = pytest.mark.skipif("compiled" not in FORMS, reason="all frames go to the adapter then")

SYMBOLS = [Symbol("BTC-USD", "BTC/USD"), Symbol("ETH-USD", "ETH/USD")]
_LEVEL = ("price", "qty")
_TIME = b"2026-11-28T03:00:00.123456Z"


@pytest.fixture(params=FORMS)
def form(request: pytest.FixtureRequest) -> Iterator[None]:
    with use(request.param):
        yield


def book_frame(
    kind: bytes, symbol: bytes, bids: bytes, asks: bytes, checksum: int, time: bytes = _TIME, more: bytes = b""
) -> bytes:
    # As in https://docs.kraken.com/api/docs/websocket-v2/book, read on 2026-11-28.
    data = b'"symbol":"%s","bids":%s,"asks":%s,"checksum":%d,"timestamp":"%s"' % (symbol, bids, asks, checksum, time)
    return b'{"channel":"book","type":"%s","data":[{%s%s}]}' % (kind, data, more)


def ticker_frame(
    symbol: bytes, numbers: tuple[bytes, ...], more: bytes = b"", time: bytes | None = _TIME, added: bytes = b""
) -> bytes:
    # As in https://docs.kraken.com/api/docs/websocket-v2/ticker, read on 2026-11-28; earlier ones had no time, and in
    # August 2026 they had a number of trades in front of it, which stands in no example there.
    tail = b"" if time is None else b',"timestamp":"%s"' % time
    return (
        b'{"channel":"ticker","type":"update","data":[{"symbol":"%s","bid":%s,"bid_qty":%s,"ask":%s,"ask_qty":%s,"last":%s,'
        b'"volume":997038.98383185,"vwap":0.10148,"low":0.09979,"high":0.10285,"change":-0.00017,"change_pct":-0.17'
        b"%s%s%s}]}" % (symbol, *numbers, added, tail, more)
    )


USUAL = ticker_frame(b"BTC/USD", (b"0.10025", b"740.0", b"0.10036", b"1361.44813783", b"0.10035"))


def levels_of(pairs: list[tuple[bytes, bytes]]) -> bytes:
    return b"[" + b",".join(b'{"price":%s,"qty":%s}' % pair for pair in pairs) + b"]"


class Exchange:
    """Keeps the books as the exchange does, for the checksums."""

    def __init__(self) -> None:
        self.books: dict[bytes, Book] = {}

    def snapshot(self, symbol: bytes) -> bytes:
        bids = levels_of([(b"%d.5" % (90 - n), b"1.50000000") for n in range(25)])
        asks = levels_of([(b"%d.0" % (100 + n), b"2.00000000") for n in range(25)])
        book = self.books[symbol] = Book(msgspec.Raw(bids), msgspec.Raw(asks), _LEVEL)
        return book_frame(b"snapshot", symbol, bids, asks, _checksum(book))

    def update(self, symbol: bytes, bids: bytes, asks: bytes, off: int, time: bytes, more: bytes = b"") -> bytes:
        try:
            self.books[symbol].apply(msgspec.Raw(bids), msgspec.Raw(asks), 25)
        except ValueError:
            off = 1
        return book_frame(b"update", symbol, bids, asks, _checksum(self.books[symbol]) + off, time, more)


def _checksum(book: Book) -> int:
    """As https://docs.kraken.com/api/docs/guides/spot-ws-book-v2 says, in its plainest form."""
    numbers = [number for side in (book.asks, book.bids) for level in side.top(10) for number in level]
    return zlib.crc32("".join(number.replace(".", "").lstrip("0") for number in numbers).encode())


prices = st.one_of(
    st.integers(600, 990).map(lambda n: b"%d.%d" % (n // 10, n % 10)),
    st.integers(90, 130).map(lambda n: b"%d.0" % n),
    st.integers(70, 130).map(lambda n: b"%d" % n),
)
sizes = st.sampled_from([b"0.00000000", b"1.25000000", b"3", b"0.00000001", b"0", b"12.5"])
odd = st.sampled_from(
    [b"-1", b"1e1", b"007", b"00.5", b".5", b"5.", b"null", b"NaN", b'"1.5"', b" 1", b"1" * 40, b"-0", b"1E-5"]
)
rarely_odd = st.integers(0, 30).flatmap(lambda n: sizes if n else odd)
levels = st.lists(st.tuples(st.integers(0, 60).flatmap(lambda n: prices if n else odd), rarely_odd), max_size=6).map(
    levels_of
)
times = st.one_of(
    st.just(_TIME),
    st.datetimes().map(lambda t: t.strftime("%Y-%m-%dT%H:%M:%S.%fZ").encode()),
    st.sampled_from(
        [
            b"2024-02-29T23:59:59Z",
            b"2023-02-29T00:00:00Z",
            b"2100-02-29T00:00:00.1Z",
            b"2000-02-29T00:00:00.1234567899Z",
            b"2026-11-31T00:00:00.5Z",
            b"2026-13-01T00:00:00Z",
            b"2026-00-10T00:00:00Z",
            b"2026-01-00T00:00:00Z",
            b"1970-01-01T00:00:00Z",
            b"1969-12-31T23:59:59.9Z",
            b"2026-11-28T24:00:00Z",
            b"2026-11-28T23:60:00Z",
            b"2026-11-28T23:59:60Z",
            b"2026-11-28T03:00:00.Z",
            b"2026-11-28T03:00:00.1x",
            b"2026-11-28T03:00:00",
            b"2026-11-28 03:00:00Z",
            b"2026-11-28T03:00:00+00:00",
            b"2026-1-8T3:0:0Z",
            b"",
        ]
    ),
)
rare_times = st.integers(0, 8).flatmap(lambda n: st.just(_TIME) if n else times)
names = st.sampled_from([b"BTC/USD", b"BTC/USD", b"ETH/USD"])
updates = st.tuples(
    st.just("update"), names, levels, levels, st.sampled_from([0] * 15 + [1, 2**32]), rare_times, rarely_more
)
tickers = st.builds(
    ticker_frame,
    st.sampled_from([b"BTC/USD", b"ETH/USD", b"XRP/USD", b" BTC/USD", b"BTC/USD "]),
    st.tuples(*[rarely_odd] * 5),
    rarely_more,
    st.one_of(st.none(), times),
    rarely_more,
)
actions = st.one_of(
    updates,
    updates,
    updates,
    updates,
    tickers,
    st.integers(),
    st.sampled_from([("snapshot", b"BTC/USD"), ("snapshot", b"ETH/USD"), ("depth", b"BTC/USD")]),
    disturbances,
)


def acknowledged(symbol: bytes, depth: int = 25) -> bytes:
    return (
        b'{"method":"subscribe","result":{"channel":"book","depth":%d,"snapshot":true,"symbol":"%s"},"success":true}'
        % (depth, symbol)
    )


def play(chain: Chain, script: list[Any], *, spaced: bool) -> None:
    exchange, frame = Exchange(), USUAL
    for symbol in (b"BTC/USD", b"ETH/USD"):
        chain.message(acknowledged(symbol))
        chain.message(exchange.snapshot(symbol))
        chain.message(exchange.update(symbol, b"[]", b"[]", 0, _TIME))
        chain.message(ticker_frame(symbol, (b"1", b"1", b"2", b"2", b"2")))
    for action in script:
        match action:
            case ("snapshot", symbol):
                frame = exchange.snapshot(symbol)
            case str():
                chain.disturb(action)
                continue
            case ("depth", symbol):
                frame = acknowledged(symbol, 10)
            case ("update", symbol, bids, asks, off, time, more):
                frame = exchange.update(symbol, bids, asks, off, time, more)
            case bytes():
                frame = action
            case int():
                frame = damaged(frame, action)
        chain.message(spread(frame) if spaced else frame)


async def both(
    script: list[Any], mode: str = "delta", *, spaced: bool = False, ways: Sequence[tuple[Any, ...]] = WAYS
) -> list[dict[str, Any]]:
    answers = []
    for short, one, *values in ways:
        with use(one):
            name = values[0] if values else "json"
            chain = Chain(short=short, mode=mode, exchange=kraken, symbols=SYMBOLS, values=name)
            play(chain, script, spaced=spaced)
            answers.append(chain.seen())
    return answers


@given(st.lists(actions, max_size=25), st.booleans())
@settings(max_examples=100, deadline=None)
def test_both_ways_send_and_count_the_same(script: list[Any], spaced: bool) -> None:
    long, *short = asyncio.run(both(script, spaced=spaced))
    assert short == [long] * len(FORMS)


@given(st.lists(actions, max_size=15), st.booleans(), st.sampled_from(["delta", "snapshot"]))
@settings(max_examples=25, deadline=None)
def test_every_way_sends_the_same_in_every_format(script: list[Any], spaced: bool, mode: str) -> None:
    plain, *others = asyncio.run(both(script, mode, spaced=spaced, ways=IN_FORMATS))
    assert others == [plain] * (len(IN_FORMATS) - 1)


@pytest.mark.parametrize("more", ADDED)
async def test_what_is_added_to_a_frame_is_passed_over_only_where_the_adapter_does(more: bytes) -> None:
    best, change = (b"1", b"1", b"2", b"2", b"2"), levels_of([(b"90.1", b"1.0")])
    long, *short = await both(
        [
            ticker_frame(b"BTC/USD", best, added=more),
            ticker_frame(b"BTC/USD", best, more),
            ("update", b"BTC/USD", change, b"[]", 0, _TIME, more),
            ("update", b"BTC/USD", b"[]", change, 0, _TIME, b""),
        ]
    )
    assert short == [long] * len(FORMS)


@given(st.lists(actions, max_size=15), st.booleans())
@settings(max_examples=75, deadline=None)
def test_in_snapshot_mode_too(script: list[Any], spaced: bool) -> None:
    long, *short = asyncio.run(both(script, "snapshot", spaced=spaced))
    assert short == [long] * len(FORMS)


@given(times)
@settings(max_examples=75, deadline=None)
def test_a_time_is_read_as_in_plain_python(time: bytes) -> None:
    best = (b"1", b"1", b"2", b"2", b"2")
    long, *short = asyncio.run(both([ticker_frame(b"BTC/USD", best, time=time)]))
    assert short == [long] * len(FORMS)
    assert of(micros, time) == of(python_forms["micros"], time)


def of(read: Callable[[str], int], time: bytes) -> int | None:
    """What is read; None: an error."""
    try:
        return read(time.decode())
    except ValueError:
        return None


def chain_that_notes() -> tuple[Chain, list[bytes], Exchange]:
    """A chain, what its adapter was given, and its exchange."""
    chain, exchange = Chain(short=True, exchange=kraken, symbols=SYMBOLS), Exchange()
    taken = chain.long_way()
    chain.message(acknowledged(b"BTC/USD"))
    chain.message(exchange.snapshot(b"BTC/USD"))
    chain.message(exchange.update(b"BTC/USD", b"[]", b"[]", 0, _TIME))
    chain.message(USUAL)
    taken.clear()
    return chain, taken, exchange


@in_each_form
async def test_the_usual_frames_take_the_short_way_whatever_spaces_they_have() -> None:
    chain, taken, exchange = chain_that_notes()
    sent = len(chain.sent)
    for n in range(5):
        chain.message(exchange.update(b"BTC/USD", levels_of([(b"90.%d" % n, b"1.0")]), b"[]", 0, _TIME))
    chain.message(USUAL)
    chain.message(ticker_frame(b"BTC/USD", (b"1", b"1", b"2", b"2", b"2"), time=None))
    chain.message(spread(exchange.update(b"BTC/USD", levels_of([(b"91.0", b"1.0")]), b"[]", 0, _TIME)))
    assert taken == []
    assert len(chain.sent) == sent + 8


@in_each_form
async def test_members_that_the_exchange_adds_do_not_matter() -> None:
    chain, taken, exchange = chain_that_notes()
    sent = len(chain.sent)
    for more in (b',"trades":47536', b',"trades":1,"x":"y"', b' , "x" : -0.5 ,"":1'):
        chain.message(ticker_frame(b"BTC/USD", (b"1", b"1", b"2", b"2", b"2"), more, added=more))
        chain.message(exchange.update(b"BTC/USD", levels_of([(b"90.1", b"1.0")]), b"[]", 0, _TIME, more))
    assert taken == []
    assert len(chain.sent) == sent + 6


@in_each_form
async def test_a_wrong_checksum_starts_the_book_again() -> None:
    chain, taken, exchange = chain_that_notes()
    wrong = exchange.update(b"BTC/USD", levels_of([(b"91.0", b"1.0")]), b"[]", 1, _TIME)
    chain.message(wrong)
    assert taken == [wrong]
    assert b'"reason":"checksum"' in chain.sent[-1][1]
    assert [msgspec.json.decode(text)["method"] for text in chain.asked] == ["unsubscribe", "subscribe"]
    late = exchange.update(b"BTC/USD", levels_of([(b"92.0", b"1.0")]), b"[]", 0, _TIME)
    chain.message(late)
    assert taken == [wrong, late]


@in_each_form
async def test_what_leaves_the_book_by_depth_is_written_as_a_removal() -> None:
    chain, taken, exchange = chain_that_notes()
    chain.message(exchange.update(b"BTC/USD", levels_of([(b"91.0", b"1.0")]), b"[]", 0, _TIME))
    assert taken == []
    value = msgspec.json.decode(chain.sent[-1][1])
    assert value["bids"] == [["91.0", "1.0"], ["66.5", "0"]]
    assert value["depth"] == 25
