"""A session and a publisher for the tests of the short way, frames of Binance, and what may be odd in any frame."""

import random
import re
from collections.abc import Sequence
from typing import Any, cast

import msgspec
import pytest
from hypothesis import strategies as st

from forms import FORMS
from record_support import FORMATS, reader_of
from tickwire.config.feed_config import FeedConfig
from tickwire.config.kafka_config import KafkaConfig
from tickwire.exchanges import binance
from tickwire.exchanges.contract import Channel, ConnectionPlan, Fetch, Output, Send, Symbol
from tickwire.kafka.producing.publisher import Publisher
from tickwire.records.formats import value_format
from tickwire.records.kinds import KINDS
from tickwire.wire.books import Books
from tickwire.wire.callbacks import Callbacks
from tickwire.wire.context import FeedContext
from tickwire.wire.flow_control import FlowControl
from tickwire.wire.hearing import Hearings
from tickwire.wire.session import Session
from tickwire.wire.subscriptions import Subscriptions
from tickwire.wire.tally import Tally
from tickwire.wire.trades import Trades

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


in_each_form = pytest.mark.usefixtures("form")  # a fixture of the test file


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
disturbances = st.sampled_from(["restart", "withdraw", "keyframes", "change"])


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
