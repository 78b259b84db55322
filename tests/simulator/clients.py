"""Clients over real sockets, one for each dialect."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp

from simulator.rebuilding import BinanceBook, KrakenBook, exact
from tickwire.simulator.server import SimulatedExchange

LIMIT = 1 << 20  # bytes of a frame that these clients accept


class Reader:
    """Reads one connection in a task; keeps what is no order book message in ``others``."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse, exchange: SimulatedExchange) -> None:
        self.socket, self.exchange = socket, exchange
        self.books: dict[str, Any] = {}
        self.frames = 0
        self.broken: list[bytes | str] = []
        self.others: list[Any] = []
        self.pings: list[bytes] = []
        self.ended: str | None = None
        self.task = asyncio.create_task(self._read())

    def message(self, message: Any) -> None:
        """Handle one decoded message."""
        raise NotImplementedError

    async def _read(self) -> None:
        while self.ended is None:
            received = await self.socket.receive()
            if received.type is aiohttp.WSMsgType.TEXT:
                self.frames += 1
                try:
                    self.message(exact(received.data))
                except json.JSONDecodeError:
                    self.broken.append(received.data)
            elif received.type is aiohttp.WSMsgType.BINARY:
                self.broken.append(received.data)
            elif received.type is aiohttp.WSMsgType.PING:
                self.pings.append(received.data)
            elif received.type is not aiohttp.WSMsgType.PONG:
                code = self.socket.close_code
                self.ended = f"{received.type.name} {code}"

    def equal(self) -> bool:
        """Whether every book equals the exchange's own."""
        depth = getattr(next(iter(self.books.values())), "depth", 1000)
        true = self.exchange.books(depth)
        return all(
            book.sides.top(depth) == {side: true[name][side] for side in ("bids", "asks")}
            for name, book in self.books.items()
        )


class BinanceReader(Reader):
    """Books of Binance; asks for a snapshot where it has none."""

    async def subscribe(self, session: aiohttp.ClientSession) -> None:
        names = [book.instrument for book in self.exchange.dialect.market.books]
        self.native = {i.base + i.quote: i.canonical for i in names}
        self.books = {i.canonical: BinanceBook() for i in names}
        params = [f"{n.lower()}@{s}" for n in self.native for s in ("depth@100ms", "bookTicker")]
        await self.socket.send_str(json.dumps({"method": "SUBSCRIBE", "params": params, "id": 1}))
        await self.synchronise(session)

    async def synchronise(self, session: aiohttp.ClientSession) -> None:
        """Fetch snapshots until every book stands."""
        for symbol, name in self.native.items():
            while self.books[name].last is None:
                url = f"{self.exchange.rest_url}/api/v3/depth?symbol={symbol}&limit=5000"
                async with session.get(url) as answer:
                    if answer.status == 200:
                        self.books[name].snapshot(await answer.json())
                await asyncio.sleep(0)

    @property
    def gaps(self) -> int:
        return sum(book.gaps for book in self.books.values())

    def message(self, message: Any) -> None:
        data = message.get("data", {})
        if data.get("e") == "depthUpdate":
            event = {**data, "U": int(data["U"]), "u": int(data["u"])}
            self.books[self.native[data["s"]]].event(event)
        else:
            self.others.append(message)


class KrakenReader(Reader):
    """Books of Kraken at depth 10."""

    async def subscribe(self, _session: aiohttp.ClientSession) -> None:
        names = [book.instrument for book in self.exchange.dialect.market.books]
        self.native = {f"{i.base}/{i.quote}": i.canonical for i in names}
        self.books = {i.canonical: KrakenBook(10) for i in names}
        for params in ({"channel": "book", "depth": 10}, {"channel": "ticker", "event_trigger": "bbo"}):
            request = {"method": "subscribe", "params": {**params, "symbol": list(self.native)}}
            await self.socket.send_str(json.dumps(request))

    @property
    def gaps(self) -> int:
        return sum(book.wrong for book in self.books.values())

    def message(self, message: Any) -> None:
        if message.get("channel") == "book":
            self.books[self.native[message["data"][0]["symbol"]]].message(message)
        else:
            self.others.append(message)


READERS: dict[str, tuple[Any, str]] = {"binance": (BinanceReader, "/stream"), "kraken": (KrakenReader, "/v2")}


@asynccontextmanager
async def reading(exchange: SimulatedExchange, *, autoping: bool = True) -> AsyncIterator[Any]:
    """A subscribed client of the exchange."""
    kind, path = READERS[exchange.name]
    async with (
        aiohttp.ClientSession() as session,
        session.ws_connect(exchange.ws_url + path, autoping=autoping, max_msg_size=LIMIT, compress=0) as socket,
    ):
        reader = kind(socket, exchange)
        await reader.subscribe(session)
        try:
            yield reader
        finally:
            reader.task.cancel()
            await asyncio.gather(reader.task, return_exceptions=True)
