"""Order-book changes of every exchange that can be simulated, the whole way to Kafka, on one processor.

The frames are those of the simulator's dialects. They are made before the measurement, and then sent as fast as
possible.
"""

import asyncio
import json
import statistics
import sys
import tempfile
import time
from contextlib import suppress
from typing import Any

import uvloop
from prometheus_client import Counter

from bench import cells
from bench.exchange_peer import THEIRS
from bench.measuring import Meter
from tickwire import metrics, simulator
from tickwire.broker.ports import free_ports
from tickwire.config.feed_config import FeedConfig
from tickwire.config.kafka_config import KafkaConfig
from tickwire.data_feed import WebSocketDataFeed
from tickwire.simulator.client import Client
from tickwire.simulator.server import SimulatedExchange
from tickwire.simulator.web import now_us

_SYMBOLS = 5
_MESSAGES = 100_000
_SLOW = 100  # changes a second until books are whole
_SETTLED_S = 2.0  # without a request
_LOOK_S = 0.01
_BEGIN = 100  # frames between two looks: more than come until books are whole
_END_S = 1.0  # without a frame
_CHUNK = 64 * 1024
_HEAD = "Messages that change a book, as the simulator makes them: of one to four levels, at Bitfinex of one."
_PEER = 10_000  # messages: it is slow
_PEER_HEAD = (
    "Beside it cryptofeed, where it reads the same frames: handed over without a socket, to its Kafka backend, "
    "which waits for each record before the next."
)


def table(bootstrap: str, rounds: int = 2, *, peer: bool = False) -> list[str]:
    """Rate and processor time of every exchange, what compiled code took past its adapter; cryptofeed's with *peer*."""
    columns = ["exchange", "changes, 1/s", "CPU µs", "frames on the short way"]
    columns += ["cryptofeed, 1/s", "CPU µs", "rate, ratio", "CPU, ratio"] if peer else []
    lines = [f"| {' | '.join(columns)} |", "| --- " * len(columns) + "|"]
    for name in simulator.names():
        runs = [_run(name, bootstrap) for _ in range(rounds)]
        rate, cpu, short = (statistics.median(run[key] for run in runs) for key in ("rate", "cpu", "short"))
        row = [name, f"**{rate:,.0f}**", f"{cpu:.1f}", f"{short:.0%}"]
        lines.append(f"| {' | '.join([*row, *(_beside(name, bootstrap, rate, cpu) if peer else [])])} |")
        print(lines[-1], file=sys.stderr, flush=True)
    return [_HEAD, *([_PEER_HEAD] if peer else []), "", *lines]


def _beside(name: str, bootstrap: str, rate: float, cpu: float) -> list[str]:
    """The figures of cryptofeed with the same frames, and how much faster and cheaper the product is."""
    if name not in THEIRS:
        return ["-"] * 4
    spec = json.dumps({"exchange": name, "count": _PEER, "brokers": bootstrap})
    run = cells.result(cells.start("bench.exchange_peer", spec, before=lambda: cells.pin(cells.OURS)))
    ratios = rate / run["rate"], run["cpu"] / cpu
    return [f"{run['rate']:,.0f}", f"{run['cpu']:.1f}", *(f"{ratio:.0f}" for ratio in ratios)]


def _run(name: str, bootstrap: str) -> dict[str, Any]:
    [port] = free_ports("127.0.0.1", 1)
    spec = json.dumps({"exchange": name, "port": port, "brokers": bootstrap})
    source = cells.start("bench.exchanges", "source", spec, before=lambda: cells.pin(cells.OTHERS))
    assert source.stdout is not None  # noqa: S101 - it is piped
    try:
        settings = source.stdout.readline().strip()
        product = cells.start("bench.exchanges", "product", spec, settings, before=lambda: cells.pin(cells.OURS))
        return cells.result(product)
    finally:
        source.kill()
        source.wait()


async def _serve(spec: dict[str, Any]) -> None:
    """Play the exchange: slowly until every book is whole, then with everything that was made meanwhile."""
    exchange = SimulatedExchange(spec["exchange"], _SYMBOLS, rate=_SLOW, port=spec["port"])
    async with exchange:
        print(json.dumps(exchange.settings()), flush=True)
        asked, since = 0, time.monotonic()
        while not asked or time.monotonic() < since + _SETTLED_S:
            await asyncio.sleep(_LOOK_S)
            if (now := exchange.answers.total() + exchange.sent["reply"]) != asked and exchange.clients:
                asked, since = now, time.monotonic()
        await exchange.freeze()
        await asyncio.gather(*[_send(client, pieces) for client, pieces in _make(exchange).items()])
        await asyncio.Event().wait()


def _make(exchange: SimulatedExchange) -> dict[Client, list[bytes]]:
    """Pieces of many frames for every client, the symbols in turn."""
    books, dialect, now = exchange.dialect.market.books, exchange.dialect, now_us()
    made: dict[Client, list[bytes]] = {client: [] for client in exchange.clients.values()}
    growing = {client: bytearray() for client in made}
    for number in range(_MESSAGES):
        for channel, text, _ in dialect.advance(books[number % len(books)], now + number):
            for session in channel.subscribers:
                client = exchange.clients[session]
                growing[client] += exchange.wire(text)
                if len(growing[client]) >= _CHUNK:
                    made[client].append(bytes(growing[client]))
                    growing[client].clear()
    for client, rest in growing.items():
        made[client].append(bytes(rest))
    return made


async def _send(client: Client, pieces: list[bytes]) -> None:
    for piece in pieces:
        while client.blocked:  # noqa: ASYNC110 - sockets give no event for this
            await asyncio.sleep(0.0005)
        client.queue.append(piece)
        client.flush()


async def _read(spec: dict[str, Any], settings: dict[str, str], spill: str) -> None:
    """Run the product, and measure from the first frame until Kafka has all of them."""
    name = spec["exchange"]
    feed_config = FeedConfig(
        exchange=name,
        symbols=settings["FEED_SYMBOLS"].split(","),
        channels=["orderbook"],
        urls={f"{name}_{kind}_url": settings[f"FEED_{name.upper()}_{kind.upper()}_URL"] for kind in ("ws", "rest")},
    )
    # Blocking, so that the source waits and every message is published; everything else is the default.
    kafka = KafkaConfig(enabled=True, brokers=spec["brokers"], when_full_orderbook="block", spill_dir=spill)
    feed, meter = WebSocketDataFeed(feed=feed_config, kafka=kafka), Meter()
    running = asyncio.create_task(feed.run())
    # Both are brought up to date at the same moments, so their ratio is one even while frames come.
    frames, short = metrics.FRAMES_RECEIVED.labels(name), metrics.SHORT_WAY_FRAMES.labels(name)
    before = 0
    while (seen := _frames(feed)) - before < _BEGIN:
        before = seen
        await asyncio.sleep(_LOOK_S)
        if running.done():
            running.result()
    _check(feed)
    events, marks = _events(feed), (_value(short), _value(frames))
    meter.begin(events)
    last = time.monotonic()
    while time.monotonic() < last + _END_S:
        await asyncio.sleep(_LOOK_S)
        if _events(feed) != events or feed.accounting()["in_flight"]:
            events, last = _events(feed), time.monotonic()
            meter.note()
    _check(feed)
    taken, received = _value(short) - marks[0], _value(frames) - marks[1]
    meter.end(events, short=taken / received)
    await feed.stop()


def _check(feed: WebSocketDataFeed) -> None:
    broken = {symbol: book for symbol, book in feed.accounting()["books"].items() if book["state"] != "valid"}
    if broken:
        raise RuntimeError(f"books that are not whole: {broken}")


def _events(feed: WebSocketDataFeed) -> int:
    return int(feed.accounting()["events"]["orderbook"])


def _frames(feed: WebSocketDataFeed) -> int:
    return int(feed.accounting()["frames_received"])


def _value(counter: Counter) -> float:
    value: float = counter._value.get()  # noqa: SLF001 - there is no other way
    return value


def _main(role: str, spec: dict[str, Any], settings: dict[str, str]) -> None:
    if role == "source":
        with suppress(KeyboardInterrupt):
            asyncio.run(_serve(spec))
    else:
        with tempfile.TemporaryDirectory() as folder:
            uvloop.run(_read(spec, settings, folder))


if __name__ == "__main__":
    _main(sys.argv[1], json.loads(sys.argv[2]), json.loads((sys.argv[3:] or ["{}"])[0]))
