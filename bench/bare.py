"""The bare chain, without guarantees, as one would write it by hand: picows, msgspec, ``Producer.produce``.

It checks nothing, counts nothing, ignores delivery reports, has no headers, and trusts every frame. For the best twenty
levels it keeps a book of floats, and it ignores checksums. It compresses with zstd at the library's default level, as
one gets it without a further setting; the product asks for level 1. ``python -m bench.bare SPEC``.
"""

import asyncio
import json
import sys
import time
from bisect import bisect_left
from collections.abc import Callable
from typing import Any

import aiohttp
import msgspec
import uvloop
from confluent_kafka import Producer
from msgspec import Struct
from picows import WSFrame, WSListener, WSMsgType, WSTransport, ws_connect

from bench.measuring import Meter

_WARM_UP = 500


class Quote(Struct, gc=False):
    u: int
    s: str
    b: str
    B: str
    a: str
    A: str


class QuoteFrame(Struct, gc=False):
    data: Quote


class Depth(Struct, gc=False):
    E: int
    s: str
    u: int
    b: list[tuple[str, str]]
    a: list[tuple[str, str]]


class DepthFrame(Struct, gc=False):
    data: Depth


class KrakenLevel(Struct, gc=False):
    price: Any
    qty: Any


class KrakenQuote(Struct, gc=False):
    symbol: str
    bid: Any
    bid_qty: Any
    ask: Any
    ask_qty: Any
    last: Any
    timestamp: str


class KrakenTickerFrame(Struct):
    data: list[KrakenQuote]


class KrakenEntry(Struct):
    symbol: str
    bids: list[KrakenLevel]
    asks: list[KrakenLevel]
    timestamp: str


class KrakenFrame(Struct):
    data: list[KrakenEntry]


_SHAPES: dict[str, Any] = {"tickers": QuoteFrame, "kraken-tickers": KrakenTickerFrame}


class Ticker(Struct, tag_field="type", tag="ticker", kw_only=True, gc=False):
    exchange: str
    symbol: str
    exchange_symbol: str
    bid: str
    bid_size: str
    ask: str
    ask_size: str
    last: str | None = None
    sequence: int | None = None
    exchange_us: int | None = None
    received_us: int


class OrderBook(Struct, tag_field="type", tag="orderbook", kw_only=True):
    action: str
    exchange: str
    symbol: str
    exchange_symbol: str
    depth: int
    bids: list[tuple[str, str]]
    asks: list[tuple[str, str]]
    epoch: int
    book_seq: int
    sequence: int | None = None
    exchange_us: int | None = None
    received_us: int


class Side:
    """A side of a book by float prices."""

    def __init__(self, sign: int) -> None:
        self._sign = sign
        self._keys: list[float] = []
        self._levels: dict[float, tuple[str, str]] = {}

    def change(self, levels: list[tuple[str, str]], depth: int = sys.maxsize) -> None:
        keys, known, sign = self._keys, self._levels, self._sign
        for level in levels:
            key = sign * float(level[0])
            if float(level[1]) == 0:
                if known.pop(key, None) is not None:
                    del keys[bisect_left(keys, key)]
            else:
                if key not in known:
                    keys.insert(bisect_left(keys, key), key)
                known[key] = level
        for key in keys[depth:]:
            del known[key]
        del keys[depth:]

    def top(self) -> list[tuple[str, str]]:
        levels = self._levels
        return [levels[key] for key in self._keys[:20]]


class Chain(WSListener):
    """One connection's frames, straight to the producer."""

    def __init__(self, spec: dict[str, Any], producer: Producer) -> None:
        self._producer = producer
        kind: str = spec["kind"]
        kraken = kind.startswith("kraken-")
        self._translate = getattr(self, kind.replace("-", "_"))
        shape = _SHAPES.get(kind, KrakenFrame if kraken else DepthFrame)
        self._decode = msgspec.json.Decoder(shape, float_hook=str if kraken else None).decode
        self._encode: Callable[[Any], bytes] = msgspec.json.Encoder().encode
        listed = spec["names"]
        self._symbols = {n: n.replace("/", "-") if "/" in n else f"{n[:-4]}-USDT" for n in listed}
        self._keys = {n: f"{'kraken' if '/' in n else 'binance'}|{c}".encode() for n, c in self._symbols.items()}
        self._numbers = dict.fromkeys(listed, 0)
        self._sides = {n: (Side(-1), Side(1)) for n in listed}
        self._epoch = int(time.time() * 1000)
        self._skip, self._count = spec["first"], spec["count"]
        self.seen = 0
        self.meter = Meter()
        self.warm = spec["count"] // 3 if spec.get("rate") else min(_WARM_UP, spec["count"] // 10)
        self.done = asyncio.Event()

    def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:  # noqa: ARG002 - picows'
        """Translate and produce."""
        if frame.msg_type != WSMsgType.TEXT:
            return
        if self._skip:
            self._skip -= 1
            if b'"type":"snapshot","data"' in frame.get_payload_as_bytes():
                self.kraken_top20(self._decode(frame.get_payload_as_bytes()), 0)
            return
        received_us = time.time_ns() // 1000
        topic, name, event = self._translate(self._decode(frame.get_payload_as_bytes()), received_us)
        value = self._encode(event)
        while True:
            try:
                self._producer.produce(topic, value, self._keys[name], timestamp=received_us // 1000)
                break
            except BufferError:
                self._producer.poll(0.01)
        self.seen += 1
        if not self.seen & 255:
            self._producer.poll(0)
        if self.seen == self.warm:
            self.meter.begin(self.seen)
        if self.seen == self._count:
            self.done.set()

    def tickers(self, frame: QuoteFrame, received_us: int) -> tuple[str, str, Ticker]:
        data = frame.data
        return "ticks.v1.raw", data.s, Ticker(
            exchange="binance", symbol=self._symbols[data.s], exchange_symbol=data.s, bid=data.b, bid_size=data.B,
            ask=data.a, ask_size=data.A, sequence=data.u, received_us=received_us,
        )  # fmt: skip

    def deltas(self, frame: DepthFrame, received_us: int) -> tuple[str, str, OrderBook]:
        data = frame.data
        return self._book("binance", data.s, "delta", (data.b, data.a), data.u, data.E * 1000, received_us)

    def top20(self, frame: DepthFrame, received_us: int) -> tuple[str, str, OrderBook]:
        data = frame.data
        bids, asks = self._sides[data.s]
        bids.change(data.b)
        asks.change(data.a)
        best = bids.top(), asks.top()
        return self._book("binance", data.s, "snapshot", best, data.u, data.E * 1000, received_us)

    def kraken_tickers(self, frame: KrakenTickerFrame, received_us: int) -> tuple[str, str, Ticker]:
        data = frame.data[0]
        return "ticks.v1.raw", data.symbol, Ticker(
            exchange="kraken", symbol=self._symbols[data.symbol], exchange_symbol=data.symbol, bid=data.bid,
            bid_size=data.bid_qty, ask=data.ask, ask_size=data.ask_qty, last=data.last, received_us=received_us,
        )  # fmt: skip

    def kraken_deltas(self, frame: KrakenFrame, received_us: int) -> tuple[str, str, OrderBook]:
        data = frame.data[0]
        sides = [(v.price, v.qty) for v in data.bids], [(v.price, v.qty) for v in data.asks]
        return self._book("kraken", data.symbol, "delta", sides, None, None, received_us)

    def kraken_top20(self, frame: KrakenFrame, received_us: int) -> tuple[str, str, OrderBook]:
        data = frame.data[0]
        bids, asks = self._sides[data.symbol]
        bids.change([(v.price, v.qty) for v in data.bids], 25)
        asks.change([(v.price, v.qty) for v in data.asks], 25)
        return self._book("kraken", data.symbol, "snapshot", (bids.top(), asks.top()), None, None, received_us)

    def start_book(self, name: str, body: bytes) -> None:
        """Fill a book from its snapshot."""
        snapshot = json.loads(body)
        for side, levels in zip(self._sides[name], (snapshot["bids"], snapshot["asks"]), strict=True):
            side.change([(price, size) for price, size in levels])

    def _book(
        self, exchange: str, name: str, action: str, sides: tuple[list[tuple[str, str]], list[tuple[str, str]]],
        sequence: int | None, exchange_us: int | None, received_us: int,
    ) -> tuple[str, str, OrderBook]:  # fmt: skip
        self._numbers[name] = number = self._numbers[name] + 1
        return "orderbook.v1.raw", name, OrderBook(
            action=action, exchange=exchange, symbol=self._symbols[name], exchange_symbol=name, depth=1000,
            bids=sides[0], asks=sides[1], epoch=self._epoch, book_seq=number, sequence=sequence,
            exchange_us=exchange_us, received_us=received_us,
        )  # fmt: skip


async def run(spec: dict[str, Any], kind: type[Chain] = Chain) -> None:
    """Read everything and flush."""
    producer = Producer(
        {
            "bootstrap.servers": spec["brokers"],
            "enable.idempotence": True,
            "linger.ms": spec.get("linger", 10),
            "batch.size": 131072,
            "compression.type": "zstd",
            "partitioner": "murmur2_random",
            "queue.buffering.max.kbytes": 65536,
        }
    )
    chain = kind(spec, producer)
    url = f"127.0.0.1:{spec['port']}"
    await ws_connect(lambda: chain, f"ws://{url}/stream", read_buffer_init_size=256 * 1024)
    if spec["kind"] in {"deltas", "top20"}:
        async with aiohttp.ClientSession() as session:
            for name in spec["names"]:
                async with session.get(f"http://{url}/api/v3/depth?symbol={name}") as response:
                    chain.start_book(name, await response.read())
    await chain.done.wait()
    producer.flush()
    chain.meter.end(chain.seen)


if __name__ == "__main__":
    uvloop.run(run(json.loads(sys.argv[1])))
