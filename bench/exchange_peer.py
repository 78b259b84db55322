"""cryptofeed's own handlers and its Kafka backend, on frames of a simulated exchange, passed without a socket.

``python -m bench.exchange_peer SPEC``; needs ``pip install .[peer]``. Only for exchanges whose frames
cryptofeed can read: of others it uses other channels or an older interface, or it does not support them.
"""

import asyncio
import json
import sys
import time
from collections.abc import Iterable
from decimal import Decimal
from random import Random
from types import SimpleNamespace
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from bench.measuring import Meter
from tickwire import exchanges, simulator
from tickwire.exchanges.contract import Fetch, Send
from tickwire.simulator.web import now_us

THEIRS = {
    "binance": "Binance", "binance_usdm": "BinanceFutures", "bitstamp": "Bitstamp", "bybit": "Bybit",
    "bybit_linear": "Bybit", "coinbase_advanced": "Coinbase", "deribit": "Deribit", "okx": "OKX", "okx_swap": "OKX",
}  # fmt: skip
_SYMBOLS = 5


class Said:
    """What an exchange says to the product's own subscription of its books: answers and first books, then changes."""

    def __init__(self, name: str) -> None:
        self.module = exchanges.load(name)
        self.dialect = simulator.load(name)(_SYMBOLS, Random(1), frozenset())
        paths = self.module.EXCHANGE.listing_paths
        self.symbols = [s for path in paths for s in self.module.read_listing(self._rest(path)).symbols]
        at = urlsplit(self.module.EXCHANGE.ws_url)
        conversation = self.dialect.open(at.path or "/", dict(parse_qsl(at.query)))
        assert conversation is not None  # noqa: S101 - its own address
        self.conversation = conversation
        self.adapter = self.module.Adapter(self.symbols, ["orderbook"], 25)
        self.bodies: dict[str, Any] = {}  # snapshots by REST, by canonical names
        self.first = list(self.conversation.start(now_us()))
        self._act(self.adapter.start())

    def _rest(self, path: str) -> bytes:
        at = urlsplit(path)
        return self.dialect.rest(at.path, dict(parse_qsl(at.query)), now_us(), stale=False).body.encode()

    def _act(self, outputs: Iterable[Any]) -> None:
        for output in outputs:
            if isinstance(output, Send):
                for text in self.conversation.receive(output.payload.decode(), now_us()):
                    self.first.append(text)
                    self._act(self.adapter.receive(text.encode(), now_us()))
            elif isinstance(output, Fetch):
                self.bodies[output.symbol.canonical] = json.loads(self._rest(output.path))

    def changes(self, count: int) -> list[str]:
        """So many messages that change a book, the symbols in turn."""
        books, said, now = self.dialect.market.books, list[str](), now_us()
        while len(said) < count:
            messages = self.dialect.advance(books[len(said) % len(books)], now + len(said))
            said += [m.text for m in messages if self.conversation in m.channel.subscribers]
        return said[:count]


def make_peer(name: str, said: Said, spec: dict[str, Any]) -> tuple[Any, Any, Any]:
    """Its exchange object, its backend with defaults but for periodic snapshots, and its connection."""
    from cryptofeed import exchanges as theirs  # noqa: PLC0415 - an extra
    from cryptofeed.backends.kafka import BookKafka  # noqa: PLC0415
    from cryptofeed.defines import L2_BOOK  # noqa: PLC0415
    from cryptofeed.symbols import Symbols  # noqa: PLC0415
    from cryptofeed.types import OrderBook  # noqa: PLC0415

    kind = getattr(theirs, THEIRS[name])
    known = {symbol.canonical: _named(name, symbol) for symbol in said.symbols}
    types = {symbol.canonical: symbol.kind for symbol in said.symbols}
    Symbols.set(kind.id, known, {"instrument_type": types})
    backend = BookKafka(snapshots_only=False, snapshot_interval=10**9, bootstrap_servers=spec["brokers"])
    config = {"log": {"disabled": True}, kind.id.lower(): {"key_id": "none", "key_secret": "none"}}  # not sent anywhere
    exchange = kind(symbols=list(known), channels=[L2_BOOK], callbacks={L2_BOOK: backend}, config=config)
    connection = SimpleNamespace(uuid="peer", address=said.module.EXCHANGE.ws_url)
    exchange.last_update_id, exchange.seq_no = {}, {}  # as when it subscribes
    for canonical, body in said.bodies.items():
        sides = [{Decimal(price): Decimal(size) for price, size, *_ in body[side]} for side in ("bids", "asks")]
        exchange._l2_book[canonical] = OrderBook(kind.id, canonical, bids=sides[0], asks=sides[1])  # noqa: SLF001 - where its own snapshot would put it
        exchange.last_update_id[canonical] = body.get("lastUpdateId", body.get("timestamp"))
    return exchange, backend, connection


def _named(name: str, symbol: Any) -> str:
    """The name of a symbol as it has it: those of Bybit's spot have a slash, to be others than those of contracts."""
    return symbol.canonical.replace("-", "/") if name == "bybit" else str(symbol.native)


async def run(spec: dict[str, Any]) -> None:
    """Pass it every frame, and wait until Kafka has what it wrote."""
    said = Said(spec["exchange"])
    frames = said.changes(spec["count"])
    exchange, backend, connection = make_peer(spec["exchange"], said, spec)
    backend.start(asyncio.get_running_loop())
    for text in said.first if not spec["exchange"].startswith("binance") else ():  # it subscribes by the address
        await exchange.message_handler(text, connection, time.time())
    await backend.queue.join()
    written = _counting(backend)
    meter = Meter()
    meter.begin(0)
    for text in frames:
        await exchange.message_handler(text, connection, time.time())
    await backend.queue.join()
    if len(written) != len(frames):
        raise RuntimeError(f"{len(written)} records of {len(frames)} frames")
    meter.end(len(frames))
    await backend.stop()


def _counting(backend: Any) -> list[None]:
    """What gets longer with every record that is put into the backend's queue."""
    write, written = backend.write, list[None]()

    async def counted(data: Any) -> None:
        written.append(None)
        await write(data)

    backend.write = counted
    return written


if __name__ == "__main__":
    asyncio.run(run(json.loads(sys.argv[1])))
