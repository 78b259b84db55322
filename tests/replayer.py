"""A recording as a server: it waits for a client's first message, then says what was recorded, whatever was asked.

REST answers are found by their path alone: another client's query was another one.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from contextlib import suppress
from types import TracebackType
from typing import Self

from aiohttp import web

_SILENT_S = 0.2  # a client that has said nothing for so long waits to be spoken to


class Replayer:
    """Serves *frames*, all of them on every connection, and the *bodies* of each path: one after another, the last
    one again and again.
    """

    def __init__(self, frames: Sequence[str | bytes], bodies: Mapping[str, Sequence[str]]) -> None:
        self._frames, self._bodies = frames, {path.rstrip("/"): found for path, found in bodies.items()}
        self._asked: dict[str, int] = defaultdict(int)
        self.address = "127.0.0.1:1"  # until it listens
        self.connections = 0

    async def __aenter__(self) -> Self:
        app = web.Application()
        app.router.add_route("*", "/{path:.*}", self._request)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        self.address = f"127.0.0.1:{self._runner.addresses[0][1]}"
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None
    ) -> None:
        await self._runner.cleanup()

    async def _request(self, request: web.Request) -> web.StreamResponse:
        if "Upgrade" in request.headers:
            return await self._replay(request)
        path = request.path.rstrip("/")
        bodies = self._bodies.get(path)
        if bodies is None:
            return web.Response(status=404, text="not recorded")
        self._asked[path] += 1
        return web.Response(text=bodies[min(self._asked[path], len(bodies)) - 1])

    async def _replay(self, request: web.Request) -> web.StreamResponse:
        ws = web.WebSocketResponse(max_msg_size=0, compress=False)
        await ws.prepare(request)
        self.connections += 1
        with suppress(TimeoutError):
            await ws.receive(_SILENT_S)
        for frame in self._frames:
            await (ws.send_str(frame) if isinstance(frame, str) else ws.send_bytes(frame))
        async for _ in ws:
            pass
        return ws
