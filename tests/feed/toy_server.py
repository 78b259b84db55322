"""A real WebSocket and REST server whose every move the test decides."""

import asyncio
import json
import time
from collections.abc import Awaitable, Callable
from types import TracebackType
from typing import Any, Self

from aiohttp import WSMsgType, web

from support import aeventually

Answer = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Peer:
    """One client's connection, seen from the server."""

    def __init__(self, ws: web.WebSocketResponse, request: web.Request) -> None:
        self.ws, self._request = ws, request
        self.url, self.headers = request.path_qs, request.headers
        self.texts: list[dict[str, Any]] = []
        self.at: list[float] = []  # when each text came
        self.pings: list[bytes] = []
        self.pongs: list[bytes] = []
        self.closed = asyncio.Event()

    async def say(self, **content: Any) -> None:
        await self.ws.send_str(json.dumps(content))

    async def say_book(self, name: str, kind: str, n: int, bids: Any = (), asks: Any = ()) -> None:
        await self.say(name=name, book=kind, n=n, bids=bids, asks=asks)

    def raw(self, data: bytes) -> None:
        """Write bytes past the WebSocket's framing."""
        assert self._request.transport is not None
        self._request.transport.write(data)

    def cut(self) -> None:
        """Break the connection without a word."""
        if self._request.transport is not None:
            self._request.transport.abort()

    def unwritten(self) -> int:
        """Bytes that the client does not take."""
        transport = self._request.transport
        return 0 if transport is None else transport.get_write_buffer_size()


class ToyServer:
    """Answers subscriptions with ``ok`` where *acknowledge*; records everything; REST answers come from *rest*."""

    def __init__(self, *, acknowledge: bool = True, pong: bool = True, listed: Any = ("A-X", "B-X", "C-X")) -> None:
        self.acknowledge, self.pong = acknowledge, pong
        self.refuse: set[str] = set()
        self.ignore: set[str] = set()  # names whose subscription is not answered
        self.peers: list[Peer] = []
        self.attempts: list[float] = []
        self.requests: list[tuple[float, str]] = []
        self.accept: Callable[[], bool] = lambda: True
        self.rest: Answer = self._no_rest
        self.listed = listed
        self.address = "127.0.0.1:1"  # until it listens

    async def __aenter__(self) -> Self:
        app = web.Application()
        app.router.add_get("/ws{more:.*}", self._socket)
        app.router.add_route("*", "/{path:.*}", self._request)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        self.address = f"127.0.0.1:{self._runner.addresses[0][1]}"
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None
    ) -> None:
        for peer in self.peers:
            peer.cut()
        await self._runner.cleanup()

    @property
    def urls(self) -> dict[str, str]:
        return {"toy_ws_url": f"ws://{self.address}", "toy_rest_url": f"http://{self.address}"}

    async def _no_rest(self, request: web.Request) -> web.StreamResponse:
        return web.Response(status=404)

    async def _request(self, request: web.Request) -> web.StreamResponse:
        self.requests.append((time.monotonic(), request.path_qs))
        if request.path == "/listing" and self.listed is not None:
            return web.json_response(list(self.listed))
        return await self.rest(request)

    async def _socket(self, request: web.Request) -> web.StreamResponse:
        self.attempts.append(time.monotonic())
        if not self.accept():
            return web.Response(status=503)
        ws = web.WebSocketResponse(autoping=False, compress=False)
        await ws.prepare(request)
        peer = Peer(ws, request)
        self.peers.append(peer)
        try:
            async for message in ws:
                await self._take(peer, message)
        finally:
            peer.closed.set()
        return ws

    async def _take(self, peer: Peer, message: Any) -> None:
        if message.type == WSMsgType.PING:
            peer.pings.append(message.data)
            if self.pong:
                await peer.ws.pong(message.data)
        elif message.type == WSMsgType.PONG:
            peer.pongs.append(message.data)
        elif message.type == WSMsgType.TEXT:
            peer.at.append(time.monotonic())
            content = json.loads(message.data)
            peer.texts.append(content)
            name = content.get("sub")
            if name in self.refuse:
                await peer.say(name=name, no=content["on"])
            elif name and self.acknowledge and name not in self.ignore:
                await peer.say(name=name, ok=content["on"])


async def subscribed(server: ToyServer, count: int = 1, peer: int = 0) -> Peer:
    """The server's side of a connection once it has *count* subscriptions."""

    def ready() -> bool:
        return len(server.peers) > peer and sum("sub" in t for t in server.peers[peer].texts) >= count

    await aeventually(ready, "the subscription")
    return server.peers[peer]
