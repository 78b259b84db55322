"""A server that waits for a client's first message, then sends a recording, whatever was requested."""

from collections.abc import Sequence
from contextlib import suppress
from types import TracebackType
from typing import Self

from aiohttp import web

_SILENT_S = 0.2  # a client that has said nothing for so long waits to be spoken to


class Replayer:
    """Sends all *frames* on every connection, and answers no REST requests."""

    def __init__(self, frames: Sequence[str]) -> None:
        self._frames = frames
        self.address = "127.0.0.1:1"  # until it listens

    async def __aenter__(self) -> Self:
        app = web.Application()
        app.router.add_get("/{path:.*}", self._replay)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        self.address = f"127.0.0.1:{self._runner.addresses[0][1]}"
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None
    ) -> None:
        await self._runner.cleanup()

    async def _replay(self, request: web.Request) -> web.StreamResponse:
        if "Upgrade" not in request.headers:
            return web.Response(status=404, text="not recorded")
        ws = web.WebSocketResponse(compress=False)
        await ws.prepare(request)
        with suppress(TimeoutError):
            await ws.receive(_SILENT_S)
        for frame in self._frames:
            await ws.send_str(frame)
        async for _ in ws:
            pass
        return ws
