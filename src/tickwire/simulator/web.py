"""The HTTP side of the simulated exchange: REST interface, WebSocket handshake, controls."""

import asyncio
import time
from collections.abc import Mapping
from ipaddress import ip_address
from typing import TYPE_CHECKING, cast

from aiohttp import WSMsgType, web

from tickwire.errors import UsageError
from tickwire.simulator.client import PONG, Client
from tickwire.simulator.faults import REST

if TYPE_CHECKING:  # the server imports this module
    from tickwire.simulator.server import SimulatedExchange

_MESSAGE_WINDOW_S = 1.0
_CONTROL = "/simulator/"


def now_us() -> int:
    """Microseconds since the epoch."""
    return time.time_ns() // 1000


class Frontend:
    """The request handlers of one simulated exchange."""

    def __init__(self, exchange: "SimulatedExchange") -> None:
        self._exchange = exchange

    def application(self) -> web.Application:
        """The aiohttp application. The controls answer only to this machine."""
        application = web.Application()
        router = application.router
        router.add_get(_CONTROL + "books", self._books)
        router.add_get(_CONTROL + "stats", self._stats)
        router.add_post(_CONTROL + "freeze", self._freeze)
        router.add_post(_CONTROL + "unfreeze", self._unfreeze)
        router.add_post(_CONTROL + "fault", self._fault)
        router.add_get("/{path:.*}", self._get)
        router.add_post("/{path:.*}", self._post)
        return application

    async def _books(self, request: web.Request) -> web.Response:
        _check_local(request)
        depth = request.query.get("depth", "25")
        if not (depth.isascii() and depth.isdigit()):
            raise web.HTTPBadRequest(text=f"depth is {depth!r}: expected a number of levels.")
        return web.json_response(self._exchange.books(int(depth)))

    async def _stats(self, request: web.Request) -> web.Response:
        _check_local(request)
        return web.json_response(self._exchange.stats)

    async def _freeze(self, request: web.Request) -> web.Response:
        _check_local(request)
        return web.json_response({"frozen": True, "unwritten": await self._exchange.freeze()})

    async def _unfreeze(self, request: web.Request) -> web.Response:
        _check_local(request)
        self._exchange.unfreeze()
        return web.json_response({"frozen": False})

    async def _fault(self, request: web.Request) -> web.Response:
        _check_local(request)
        name = request.query.get("name", "")
        try:
            self._exchange.inject(name)
        except UsageError as e:
            raise web.HTTPBadRequest(text=str(e)) from e
        return web.json_response({"injected": name})

    async def _get(self, request: web.Request) -> web.StreamResponse:
        if request.headers.get("Upgrade", "").lower() == "websocket":
            return await self._serve(request)
        return self._answer(request, request.query)

    async def _post(self, request: web.Request) -> web.Response:
        try:
            asked = await request.json()
        except ValueError:
            asked = None
        members = asked.items() if isinstance(asked, dict) else ()
        return self._answer(request, {name: str(value) for name, value in members})

    def _answer(self, request: web.Request, query: Mapping[str, str]) -> web.Response:
        exchange = self._exchange
        snapshots = exchange.dialect.snapshot_path
        fault = exchange.faults.answer(snapshot=snapshots is not None and request.path.startswith(snapshots))
        if fault in REST:
            answer = exchange.dialect.refuse(REST[fault])
        else:
            stale = fault == "stale"
            answer = exchange.dialect.rest(request.path, query, now_us(), stale=stale)
        exchange.answers[str(answer.status)] += 1
        kind = "application/json"
        return web.Response(status=answer.status, text=answer.body, headers=answer.headers, content_type=kind)

    async def _serve(self, request: web.Request) -> web.StreamResponse:
        """One WebSocket connection. Frames are written to its transport directly, many at a time."""
        exchange = self._exchange
        session = exchange.dialect.open(request.path, request.query)
        if session is None:
            raise web.HTTPNotFound(text="Not found")
        socket = web.WebSocketResponse(autoping=False, compress=False)
        await socket.prepare(request)
        transport = cast("asyncio.Transport", request.transport)
        client = Client(session, transport, asyncio.get_running_loop())
        exchange.clients[session] = client
        try:
            self._reply(client, session.start(now_us()))
            await self._listen(socket, client)
        finally:
            exchange.leave(client)
        return socket

    async def _listen(self, socket: web.WebSocketResponse, client: Client) -> None:
        async for message in socket:
            if message.type is WSMsgType.ERROR:
                return
            if self._exceeds(client):
                await socket.close(code=1008, message=b"Too many requests")
                return
            if message.type is WSMsgType.PING:
                client.control(PONG, message.data)
            elif message.type is WSMsgType.PONG:
                client.pong_due = None
            elif not client.silent:
                text = message.data if message.type is WSMsgType.TEXT else message.data.decode(errors="replace")
                self._reply(client, client.session.receive(text, now_us()))

    def _reply(self, client: Client, texts: list[str]) -> None:
        self._exchange.sent["reply"] += len(texts)
        for text in texts:
            client.send(self._exchange.wire(text))

    def _exceeds(self, client: Client) -> bool:
        """Whether the client sent more in the last second than allowed; pings and pongs count."""
        most = self._exchange.dialect.messages_per_second
        if most is None:
            return False
        now, times = asyncio.get_running_loop().time(), client.received
        while times and now - times[0] >= _MESSAGE_WINDOW_S:
            times.popleft()
        times.append(now)
        return len(times) > most


def _check_local(request: web.Request) -> None:
    """Refuse the controls to other machines."""
    if not ip_address((request.remote or "0.0.0.0").partition("%")[0]).is_loopback:
        raise web.HTTPForbidden(text="The simulator's controls answer to this machine alone.")
