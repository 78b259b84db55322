"""The short way to Kafka does what the long way does: the same records, counts, books and numbers, frame by frame."""

import asyncio
import random
import re
import traceback
from collections.abc import Iterator, Sequence
from typing import Any, cast

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from forms import FORMS, use
from record_support import FORMATS, reader_of
from tickwire.config.feed_config import FeedConfig
from tickwire.config.kafka_config import KafkaConfig
from tickwire.events import short_way
from tickwire.events.rules import NEXT, Rule
from tickwire.exchanges import binance
from tickwire.exchanges.contract import Channel, ConnectionPlan, Fetch, Output, Send, Symbol
from tickwire.kafka.producing.publisher import Publisher
from tickwire.records.formats import value_format
from tickwire.records.kinds import KINDS
from tickwire.wire.books import Books
from tickwire.wire.callbacks import Callbacks
from tickwire.wire.clock import clock, now_us
from tickwire.wire.context import FeedContext
from tickwire.wire.flow_control import FlowControl
from tickwire.wire.hearing import Hearings
from tickwire.wire.session import Session
from tickwire.wire.subscriptions import Subscriptions
from tickwire.wire.tally import Tally
from tickwire.wire.trades import Trades

pytestmark = pytest.mark.skipif("compiled" not in FORMS, reason="all frames go to the adapter then")

CHANGE, TRADE = b"$#f#l#m=b=a", b"$#%%^<a|b>"
SYMBOLS = [Symbol("BTC-USDT", "BTCUSDT"), Symbol("ETH-USDT", "ETHUSDT")]
CHANNELS: tuple[Channel, ...] = ("ticker", "orderbook", "trade")
WAYS = [(False, "python"), *((True, form) for form in FORMS)]  # short or not, and the form
IN_FORMATS = [(False, "python", "json"), *((short, form, name) for name in FORMATS for short, form in WAYS)]
KIND_NAMES = [kind.name for kind in KINDS]
_NOW = re.compile(rb'"(epoch|received_us)":\d+')


def plan_of(symbols: Sequence[Symbol]) -> ConnectionPlan:
    return ConnectionPlan("", tuple(symbols), CHANNELS)


class Chain:
    """A session and a publisher whose producer is a list."""

    def __init__(
        self,
        *,
        short: bool,
        mode: str = "delta",
        exchange: Any = binance,
        symbols: Sequence[Symbol] = SYMBOLS,
        channels: Sequence[Channel] = CHANNELS,
        depth: int = 25,
        values: str = "json",
        **more: Any,
    ) -> None:
        self.symbols, self._values = symbols, values
        self.sent: list[tuple[str, bytes, bytes, str]] = []
        self.fetches: list[Fetch] = []
        self._later = 0.0
        self.tally = Tally(exchange.EXCHANGE.name)
        flow = FlowControl(exchange.EXCHANGE.name)
        self.publisher = Publisher(KafkaConfig(enabled=True))
        self.publisher._writer.use({kind: value_format(values, kind, 1) for kind in KIND_NAMES})
        self.publisher._link.flights.produce = self._produce
        self.publisher._link.flights.ready = True
        self.way = self.publisher.way()
        self.way.alone = True
        self.errors: list[Exception] = []
        callbacks = Callbacks(self.tally, flow)
        callbacks.add(self.way.publish, text=True)
        config = FeedConfig(orderbook_mode=mode, **more)
        self.books = Books(config, config.orderbook_depth, callbacks.emit, self.tally, random.Random(1))
        self.books.add(symbols)
        self.adapter = exchange.Adapter(symbols, channels, depth)
        trades = Trades(exchange.EXCHANGE, callbacks.emit, self.tally)
        context = FeedContext(
            exchange=exchange.EXCHANGE,
            address=cast("Any", None),
            rest=cast("Any", None),
            books=self.books,
            ticker=callbacks.emit,
            trades=trades,
            hearings=Hearings(trades),
            subscriptions=Subscriptions(exchange.EXCHANGE.name, 3 * len(symbols), listed=symbols),
            tally=self.tally,
            random=random.Random(1),
            direct=self.way if short else None,
            failed=self.errors.append,
        )
        self.session = Session(context, self.adapter, plan_of(symbols))
        self.session._handlers[Fetch] = self.fetches.append
        self.asked: list[bytes] = []
        self.session._handlers[Send] = lambda send: self.asked.append(send.payload)
        self.books.opened(symbols, self.adapter.book)
        self.message = self.session.connection._gate.message

    def _produce(self, topic: str, value: bytes, key: bytes, **more: Any) -> None:
        record = more.pop("on_delivery").record
        del more["timestamp"]
        if self._values != "json":
            (name, content_type), schema = more["headers"]
            assert (content_type, value[0]) == (f"application/{self._values}".encode(), 0)
            more["headers"] = [(name, b"application/json"), schema]
            value = msgspec.json.encode(reader_of(record.kind, self._values).decode(value))
        known = f"{record.action} {record.exchange_symbol} {more}"
        self.sent.append((topic, _NOW.sub(rb'"\1":0', value), key, known))

    def fetched(self, body: bytes) -> None:
        """Answer the oldest question for a snapshot."""
        if self.fetches:
            fetch = self.fetches.pop(0)
            self.session._act(self.adapter.fetched, fetch, body, 5)

    def disturb(self, what: str) -> None:
        """Start a book again, withdraw one, let the time of every keyframe come, or a symbol go or come back."""
        match what:
            case "restart":
                self.session._act(self.adapter.restart, self.symbols[0], "stale", 5)
            case "withdraw":
                self.books.withdraw(self.symbols[1])
            case "keyframes":
                self._later += 1e9
                self.books.write_keyframes(self._later)
            case "change":
                self._change(self.symbols[0])

    def _change(self, symbol: Symbol) -> None:
        if symbol.native in self.books.states:
            self.session.change(plan_of(self.symbols[1:]), (), [symbol])
            self.books.remove([symbol])
        else:
            self.books.add([symbol])
            self.session.change(plan_of(self.symbols), [symbol], ())

    def long_way(self) -> list[bytes]:
        """The frames that the adapter is given from now on."""
        taken: list[bytes] = []

        def receive(payload: bytes, received_us: int) -> list[Output]:
            taken.append(payload)
            outputs: list[Output] = self.adapter.receive(payload, received_us)
            return outputs

        self.session._receive = receive
        return taken

    def seen(self) -> dict[str, Any]:
        """Everything that must be the same on both ways."""
        states = self.books.states.values()
        books = [self.adapter.book(symbol) for symbol in self.symbols]
        return {
            "sent": self.sent,
            "frames": self.tally.received,
            "rejected": {reason: count.value for reason, count in self.tally.rejected.items()},
            "gaps": self.tally.trade_gaps.value,
            "events": {kind: count.value for kind, count in self.tally.by_type.items()},
            "accounting": self.publisher.accounting(),
            "numbers": [
                (s.sequencer.messages, s.sequencer.book_seq, s.sequencer.sequence, s.sequencer.exchange_us, s.valid)
                for s in states
            ],
            "books": [None if book is None else (book.bids.top(), book.asks.top()) for book in books],
            "heard": [
                (self.adapter.tickers(one), self.session._context.trades.newest(one.native)) for one in self.symbols
            ],
            "fetches": len(self.fetches),
            "asked": self.asked,
            "given up": repr(self.session.connection._given_up),
            "errors": self.errors,
        }


@pytest.fixture(params=FORMS)
def form(request: pytest.FixtureRequest) -> Iterator[None]:
    with use(request.param):
        yield


in_each_form = pytest.mark.usefixtures("form")


def depth(symbol: bytes, first: object, last: object, bids: bytes, asks: bytes, more: bytes = b"") -> bytes:
    return (
        b'{"stream":"%s@depth@100ms","data":{"e":"depthUpdate","E":1700000000123,"s":"%s","U":%s,"u":%s,"b":%s,"a":%s%s}}'
        % (symbol.lower(), symbol, str(first).encode(), str(last).encode(), bids, asks, more)
    )


def ticker(symbol: bytes, number: bytes, *numbers: bytes, more: bytes = b"") -> bytes:
    return b'{"stream":"%s@bookTicker","data":{"u":%s,"s":"%s","b":"%s","B":"%s","a":"%s","A":"%s"%s}}' % (
        symbol.lower(), number, symbol, *numbers, more,
    )  # fmt: skip


def snapshot(last: int) -> bytes:
    bids, asks = [[f"{90 - n}.00", "1.5"] for n in range(30)], [[f"{100 + n}.0", "2"] for n in range(30)]
    return msgspec.json.encode({"lastUpdateId": last, "bids": bids, "asks": asks})


USUAL = ticker(b"BTCUSDT", b"400900217", b"25.35190000", b"31.21000000", b"25.36520000", b"40.66000000")

digits = st.text("0123456789", min_size=1, max_size=17).map(str.encode)
odd = st.sampled_from([b"-1", b"1e1", b".5", b"5.", b"", b"NaN", b"1_0", b" 1", b"1\\u0030", b"\xd9\xa3", b"-0"])
numbers = st.one_of(
    st.decimals(0, 10**6, places=8).map(lambda d: format(d, "f").encode()),
    st.sampled_from([b"0.00000000", b"0", b"91.00", b"99.5", b"90.0", b"100.00"]),
    digits,
    st.tuples(digits, st.text("0123456789", max_size=27).map(str.encode)).map(b".".join),
)
rarely_odd = st.integers(0, 30).flatmap(lambda n: numbers if n else odd)
names = st.sampled_from([b"BTCUSDT", b"BTCUSDT", b"ETHUSDT", b"XRPUSDT", b"", b" BTCUSDT", b"BTCUSDT "])
update_ids = st.one_of(
    st.integers(0, 2**53 + 2).map(lambda n: b"%d" % n),
    st.sampled_from([b"007", b"-1", b"1.0", b"9" * 30, b'"1"', b"9007199254740993"]),
)
# What an exchange may add to its frames, and what only looks like it: another value for what is read, no JSON.
ADDED = [
    b',"trades":47536', b', "trades" : 1', b',"x":-0.5', b',"x":"y"', b',"x":"y",\n"z":0', b',"":0',
    b',"M":true', b',"x" : false', b',"x":null,"y":1', b',"x":nul', b',"x":truey', b',"x":True',
    b',"trades":01', b',"x":1e5', b',"x":-', b',"x":"a b"', b',"x":"a\t"', b',"x" "y"', b',"x":',
    b",x:1", b'"x":1',
    b',"x ":1', b',"x\\u0031":1', b',"last":1', b',"bid":7', b',"bids":5', b',"checksum":-1', b',"checksum":5',
    b',"timestamp":"x"', b',"symbol":"BTC/USD"', b',"u":1', b',"A":"7"', b',"E":-1', b',"e":"x"', b',"s":5',
    b',"t":7', b',"m":1', b',"side":"x"', b',"trade_id":"y"', b',"qty":"7"',
    b',"\xff":1', b',"x":"\xff"', b',"%s":1' % (b"n" * 40), b',"%s":1' % (b"n" * 41), b',"%s":1' % (b"n" * 300),
    b',"l\\u0061st":5', b',"x":1' + b"0" * 30,
]  # fmt: skip
rarely_more = st.integers(0, 12).flatmap(lambda n: st.just(b"") if n else st.sampled_from(ADDED))
tickers = st.builds(ticker, names, update_ids, rarely_odd, rarely_odd, rarely_odd, rarely_odd, more=rarely_more)
levels = st.lists(st.tuples(rarely_odd, rarely_odd), max_size=5).map(
    lambda pairs: b"[" + b",".join(b'["%s","%s"]' % pair for pair in pairs) + b"]"
)
odd_lists = st.sampled_from([b"null", b"[[1,2]]", b'[ ["1","2"] ]', b"[[]]", b"{}", b"[", b'[["1"]]'])
lists = st.integers(0, 40).flatmap(lambda n: levels if n else odd_lists)
# How many update ids an event covers, and how far its first is from the next one; 0 and 0 are in order.
steps = st.tuples(st.integers(0, 3), st.sampled_from([0, 0, 0, 0, 0, 0, 0, -1, -3, 1, 5]))
books = st.sampled_from([b"BTCUSDT", b"BTCUSDT", b"ETHUSDT", b"XRPUSDT"])
changes = st.tuples(books, steps, lists, lists, rarely_more)
disturbances = st.sampled_from(["restart", "withdraw", "keyframes", "change"])
actions = st.one_of(
    changes,
    changes,
    changes,
    changes,
    tickers,
    st.just("snapshot"),
    disturbances,
    st.integers(),
)


def damaged(frame: bytes, seed: int) -> bytes:
    """The frame with a byte changed or its end cut off."""
    chance, changed = random.Random(seed), bytearray(frame)
    at = chance.randrange(len(changed))
    if chance.random() < 0.3:
        return frame + b"}" if chance.random() < 0.5 else frame[:at] + b"}"
    changed[at] = chance.randrange(256)
    return bytes(changed)


def spread(frame: bytes) -> bytes:
    """The frame with spaces between its parts, where it is JSON."""
    try:
        return msgspec.json.format(frame, indent=1)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return frame


def play(chain: Chain, script: list[Any], *, spaced: bool) -> None:
    """Do what the script says; what comes in order depends on what came before, not on the chain."""
    last = {b"BTCUSDT": 100, b"ETHUSDT": 100, b"XRPUSDT": 100}
    frame = USUAL
    for action in script:
        match action:
            case "snapshot":
                chain.fetched(snapshot(min(last.values())))
                continue
            case str():
                chain.disturb(action)
                continue
            case int():
                frame = damaged(frame, action)
            case bytes():
                frame = action
            case (symbol, (width, off), bids, asks, more):
                first = last[symbol] + 1 + off
                frame = depth(symbol, first, first + width, bids, asks, more)
                last[symbol] = max(last[symbol], first + width)
        chain.message(spread(frame) if spaced else frame)


async def both(
    script: list[Any], mode: str = "delta", *, spaced: bool = False, ways: Sequence[tuple[Any, ...]] = WAYS
) -> list[dict[str, Any]]:
    """Play the script on the long way, and on the short one in each form."""
    answers = []
    for short, one, *values in ways:
        with use(one):
            chain = Chain(short=short, mode=mode, values=values[0] if values else "json")
            for native in (b"BTCUSDT", b"ETHUSDT"):
                chain.message(ticker(native, b"1", b"1", b"1", b"2", b"2"))
                chain.message(depth(native, 100, 100, b"[]", b"[]"))
            chain.fetched(snapshot(99))
            chain.fetched(snapshot(99))
            play(chain, script, spaced=spaced)
            answers.append(chain.seen())
    return answers


@given(st.lists(actions, max_size=25), st.booleans())
@settings(max_examples=100, deadline=None)
def test_both_ways_send_and_count_the_same(script: list[Any], spaced: bool) -> None:
    long, *short = asyncio.run(both(script, spaced=spaced))
    assert short == [long] * len(FORMS)


@pytest.mark.parametrize("mode", ["delta", "snapshot"])
async def test_on_every_way_no_more_is_promised_than_is_known(mode: str) -> None:
    asked = []
    sides = [[[str(price + sign * n), "1"] for n in range(100)] for price, sign in ((5000, -1), (6000, 1))]
    for short, form in WAYS:
        with use(form):
            chain = Chain(short=short, mode=mode)
            chain.message(depth(b"BTCUSDT", 1, 1, b"[]", b"[]"))
            chain.fetched(msgspec.json.encode({"lastUpdateId": 0, "bids": sides[0], "asks": sides[1]}))
            taken = chain.long_way()
            for n in range(99):
                gone, changed = b'[["%d","0"]]' % (5000 - n), b'[["6000","%d"]]' % (n + 2)
                chain.message(depth(b"BTCUSDT", n + 2, n + 2, gone, changed))
            for n, (_, value, *_more) in enumerate(chain.sent[-99:]):
                assert 0 < msgspec.json.decode(value)["depth"] <= min(25, 99 - n)
            asked.append((chain.seen(), [(fetch.path, fetch.share) for fetch in chain.fetches]))
            assert not short or len(taken) < 40
    assert asked == [asked[0]] * len(WAYS)
    assert asked[0][1][-1] == ("/api/v3/depth?symbol=BTCUSDT&limit=1000", 0.75)


@given(st.lists(actions, max_size=15), st.booleans(), st.sampled_from(["delta", "snapshot"]))
@settings(max_examples=25, deadline=None)
def test_every_way_sends_the_same_in_every_format(script: list[Any], spaced: bool, mode: str) -> None:
    plain, *others = asyncio.run(both(script, mode, spaced=spaced, ways=IN_FORMATS))
    assert others == [plain] * (len(IN_FORMATS) - 1)


@pytest.mark.parametrize("more", [b"}", b" ", b"x", b"\0"])
async def test_what_stands_behind_a_frame_is_not_passed_over(more: bytes) -> None:
    frames = [USUAL, depth(b"BTCUSDT", 101, 101, b"[]", b"[]")]
    long, *short = await both([*frames, USUAL + more, depth(b"BTCUSDT", 102, 102, b"[]", b"[]") + more])
    assert short == [long] * len(FORMS)


@pytest.mark.parametrize("more", ADDED)
async def test_what_is_added_to_a_frame_is_passed_over_only_where_the_adapter_does(more: bytes) -> None:
    frames = [
        ticker(b"BTCUSDT", b"7", b"1", b"1", b"2", b"2", more=more),
        depth(b"BTCUSDT", 101, 101, b"[]", b'[["100.5","3"]]', more),
        depth(b"BTCUSDT", 102, 102, b"[]", b"[]"),
    ]
    long, *short = await both(frames)
    assert short == [long] * len(FORMS)


@given(st.lists(actions, max_size=15), st.booleans())
@settings(max_examples=75, deadline=None)
def test_in_snapshot_mode_too(script: list[Any], spaced: bool) -> None:
    long, *short = asyncio.run(both(script, "snapshot", spaced=spaced))
    assert short == [long] * len(FORMS)


@in_each_form
async def test_the_usual_frames_take_the_short_way_and_any_other_takes_the_long_one() -> None:
    chain = Chain(short=True)
    taken = chain.long_way()
    in_order = [depth(b"BTCUSDT", n, n, b'[["91.00","1"]]', b"[]") for n in range(100, 105)]
    chain.message(in_order[0])
    chain.fetched(snapshot(99))
    for frame in (USUAL, in_order[1], spread(USUAL), *in_order[2:-1], spread(in_order[-1])):
        chain.message(frame)
    for more in (b',"X":1', b', "x" : "y","z":-1.5 , "w":true'):  # as an exchange may add them
        chain.message(ticker(b"BTCUSDT", b"1", b"1", b"1", b"2", b"2", more=more))
    chain.message(depth(b"BTCUSDT", 105, 105, b"[]", b"[]", b',"X":null'))
    assert taken == [in_order[0], USUAL]  # the first of each, from which the way learns
    chain.way.alone = False
    chain.message(USUAL)
    assert taken[2:] == [USUAL]
    assert [topic for topic, *_ in chain.sent].count("ticks.v1.raw") == 5
    assert (chain.tally.frames.value, chain.tally.short_way.value) == (3, 8)


@in_each_form
async def test_nothing_of_a_symbol_that_was_removed_is_sent() -> None:
    chain = Chain(short=True)
    for _ in range(2):
        chain.message(USUAL)
    assert len(chain.sent) == 2
    chain.disturb("change")
    chain.message(USUAL)
    assert len(chain.sent) == 2
    assert chain.seen()["rejected"]["unknown"] == 0
    chain.disturb("change")
    chain.message(USUAL)
    assert len(chain.sent) == 3


@in_each_form
@pytest.mark.parametrize("interval_ms", [0, 100])
async def test_best_levels_take_the_short_way_unless_they_are_written_from_time_to_time(interval_ms: int) -> None:
    chain = Chain(short=True, mode="snapshot", orderbook_interval_ms=interval_ms, orderbook_depth=2)
    taken = chain.long_way()
    chain.message(depth(b"BTCUSDT", 100, 100, b"[]", b"[]"))
    chain.fetched(snapshot(99))
    chain.message(depth(b"BTCUSDT", 101, 101, b'[["91.00","1"]]', b"[]"))
    chain.message(depth(b"BTCUSDT", 102, 102, b'[["91.00","2"]]', b"[]"))
    sent, learned = len(chain.sent), len(taken)
    below, best = (b'[["%d.00","7"]]' % price for price in (80, 92))
    changes = [depth(b"BTCUSDT", 103, 103, below, b"[]"), depth(b"BTCUSDT", 104, 104, best, b"[]")]
    for change in changes:
        chain.message(change)
    assert taken[learned:] == (changes if interval_ms else [])
    if interval_ms:
        chain.books.write_changed()
    assert len(chain.sent) - sent == 1  # the change below them is none of the best levels
    value = msgspec.json.decode(chain.sent[-1][1])
    assert value["bids"] == [["92.00", "7"], ["91.00", "2"]]
    assert (value["reason"], value["depth"], value["sequence"]) == ("update", 2, 104)
    chain.message(depth(b"BTCUSDT", 105, 105, b'[["92.00","0"],["91.00","0"]]', b"[]"))
    chain.books.write_changed()
    value = msgspec.json.decode(chain.sent[-1][1])
    assert value["bids"] == [["90.00", "1.5"], ["89.00", "1.5"]]


@in_each_form
async def test_while_records_of_its_topic_wait_nothing_takes_the_short_way() -> None:
    chain = Chain(short=True)
    chain.message(USUAL)
    chain.message(USUAL)
    chain.publisher._link.flights.ready = False
    sent = len(chain.sent)
    chain.message(USUAL)
    assert len(chain.sent) == sent
    assert chain.publisher.accounting()["ticks.v1.raw"].in_flight == 3


@in_each_form
async def test_what_the_producer_does_not_take_waits_as_on_the_long_way() -> None:
    chain = Chain(short=True)
    chain.message(USUAL)

    def full(*_: object, **__: object) -> None:
        raise BufferError

    link = cast("Any", chain.publisher._link)
    link._producer = ["a record, so it is full"]
    link.flights.produce = full
    chain.message(USUAL)
    chain.message(USUAL)
    account = chain.publisher.accounting()["ticks.v1.raw"]
    assert (account.events, account.conflated, account.in_flight) == (3, 1, 2)
    assert chain.errors == []


@in_each_form
async def test_an_error_on_the_short_way_is_told_and_the_next_frame_is_taken() -> None:
    chain = Chain(short=True)
    chain.message(USUAL)

    def broken(*_: object, **__: object) -> None:
        raise ZeroDivisionError

    chain.publisher._link.flights.produce = broken
    chain.message(USUAL)
    assert [type(error) for error in chain.errors] == [ZeroDivisionError]
    frames = traceback.extract_tb(chain.errors[0].__traceback__)
    assert "broken" in [frame.name for frame in frames]  # where it comes from is not lost on the way
    chain.publisher._link.flights.produce = chain._produce
    chain.message(USUAL)
    assert len(chain.sent) == 2


@in_each_form
async def test_a_session_that_takes_over_sends_by_the_short_way_and_the_retired_one_sends_nothing() -> None:
    chain = Chain(short=True, symbols=SYMBOLS[:1])
    old = chain.session
    frames = [depth(b"BTCUSDT", n, n, b'[["91.00","1"]]', b"[]") for n in range(100, 106)]
    for frame in frames[:3]:
        old.connection._gate.message(frame)
        chain.fetched(snapshot(99))
    adapter = binance.Adapter(SYMBOLS[:1], CHANNELS, 25)
    new = Session(old._context, adapter, plan_of(SYMBOLS[:1]), standby=True)
    new._handlers[Fetch] = chain.fetches.append
    sent = len(chain.sent)
    for frame in frames[1:3]:
        new.connection._gate.message(frame)
        if chain.fetches:
            new._act(adapter.fetched, chain.fetches.pop(), snapshot(100), 5)
    new.connection._gate.message(USUAL)
    assert len(chain.sent) == sent
    old.retire()
    new.take_over()
    taken: list[bytes] = []

    def receive(payload: bytes, received_us: int) -> list[Output]:
        taken.append(payload)
        return adapter.receive(payload, received_us)

    new._receive = receive
    for frame in frames[3:]:
        old.connection._gate.message(frame)
        new.connection._gate.message(frame)
    assert taken == []
    values = [msgspec.json.decode(value) for topic, value, *_ in chain.sent[sent:]]
    assert [(v["type"], v.get("action"), v.get("book_seq"), v["sequence"]) for v in values] == [
        ("orderbook", "snapshot", 0, 102), ("ticker", None, None, values[1]["sequence"]),
        *[("orderbook", "delta", n, 102 + n) for n in (1, 2, 3)],
    ]  # fmt: skip
    assert values[0]["reason"] == "reconnect"
    assert chain.books.states["BTCUSDT"].valid


@in_each_form
@pytest.mark.parametrize(("ahead_s", "taken"), [(300, False), (4000, True)])
async def test_a_large_step_of_the_clock_back_is_taken_here_too(ahead_s: int, taken: bool) -> None:
    chain = Chain(short=True)
    chain.message(USUAL)
    before = clock.value
    try:
        clock.value = before + ahead_s * 1_000_000
        chain.message(USUAL)
        assert (clock.value < before + 200_000_000) == taken
        assert len(chain.sent) == 2
    finally:
        clock.value = now_us() if taken else before


@in_each_form
@pytest.mark.parametrize(
    ("shapes", "lacks"),
    [
        ((b"$%%%%<a|b>", CHANGE, TRADE), "ticker"), ((b"$#%%%", CHANGE, TRADE), "ticker"),
        ((b"$#%%%%=", CHANGE, TRADE), "ticker"), ((b"$)%%(%%", CHANGE, TRADE), "ticker"),
        ((b"$%%%%(", CHANGE, TRADE), "ticker"), ((b"$%%%(%)", CHANGE, TRADE), "ticker"),
        ((b"($)%%%%", CHANGE, TRADE), "ticker"), ((b"$((%%%%))", CHANGE, TRADE), "ticker"),
        ((b"$#l%%%%", CHANGE, TRADE), "ticker"), ((b"$$%%%%", CHANGE, TRADE), "ticker"),
        ((b"", b"$<a|b>#f#l#m=b=a", TRADE), "change of a book"), ((b"", b"$#f#l#m=b", TRADE), "change of a book"),
        ((b"", b"$#f#l#m=b=b", TRADE), "change of a book"), ((b"", b"$#f#l#m=b=a=s", TRADE), "change of a book"),
        ((b"", b"$#f#l#m==", TRADE), "change of a book"), ((b"", b"#f#l#m=b=a", TRADE), "change of a book"),
        ((b"", b"$$$#f#l#m=b=a", TRADE), "change of a book"), ((b"", b"$#f#l=b=a", TRADE), "change of a book"),
        ((b"", b"$#f#l#m^=b=a", TRADE), "change of a book"), ((b"", b"$#f#l#l#m=b=a", TRADE), "change of a book"),
        ((b"", b"$#f#l#m#=b=a", TRADE), "change of a book"), ((b"", b")$#f#l#m=b=a", TRADE), "change of a book"),
        ((b"", CHANGE, b"$#%%^"), "trade"), ((b"", CHANGE, b"$#%%<a|b>"), "trade"),
        ((b"", CHANGE, b"$#%%^<a|"), "trade"),
        ((b"", CHANGE, b"$#f%%^<a|b>"), "trade"), ((b"", CHANGE, b"$#%%^#m<a|b>"), "trade"),
    ],
)  # fmt: skip
@in_each_form
def test_shapes_without_what_is_needed_are_refused(shapes: tuple[bytes, bytes, bytes], lacks: str) -> None:
    with pytest.raises(ValueError, match=f"a shape has not what a {lacks} needs"):
        short_way.ShortWay(*shapes, Rule(NEXT))
