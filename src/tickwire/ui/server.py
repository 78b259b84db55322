"""The page's server: static files, server-sent events, and dead letters.

It sends JSON that the page inserts as text. It stores nothing about visitors and uses no cookies. Pages of other sites
can neither read nor control it: the Host header must be one of ours (DNS rebinding), no other origins are allowed, and
actions require JSON from our own origin.
"""

import asyncio
import logging
import secrets
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from importlib.resources import files
from pathlib import Path
from typing import Any, Protocol

import msgspec
from starlette.applications import Starlette
from starlette.datastructures import MutableHeaders
from starlette.middleware import Middleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.requests import Request
from starlette.responses import FileResponse, Response, StreamingResponse
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from tickwire.errors import TickwireError
from tickwire.ui.view import View, now_us

logger = logging.getLogger(__name__)

FRAME_S = 0.25  # between updates of rows and books
BOOK_LEVELS = 200
MOST_STREAMS = 64
_MOST_BYTES = 64 * 1024  # of a request
_STATIC = Path(str(files("tickwire.ui"))) / "static"
LOOPBACK = ("localhost", "127.0.0.1", "[::1]")
HEADERS = {
    "content-security-policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
    "cache-control": "no-store",
}
_encode = msgspec.json.Encoder().encode


class Desk(Protocol):
    """The actions on dead letters; both block and raise :exc:`~tickwire.errors.TickwireError`."""

    def letters(self, wanted: Mapping[str, str]) -> dict[str, Any]:
        """Read the selected ones."""

    def replay(self, wanted: Mapping[str, str], *, execute: bool) -> dict[str, Any]:
        """Send them back, or only say what would happen."""


class _Page:
    """The request handlers."""

    def __init__(
        self, view: View, desk: Desk, about: Mapping[str, Any], stopping: Callable[[], bool], *, allow_replay: bool
    ) -> None:
        self._view, self._desk, self._stopping = view, desk, stopping
        self._allow_replay = allow_replay
        self._about = {"run": secrets.token_hex(8), "replay": allow_replay, **about}
        self._streams = 0
        self._at_the_desk = asyncio.Lock()

    def routes(self) -> list[Route | Mount]:
        return [
            Route("/", self._index),
            Route("/events", self._events),
            Route("/book", self._book),
            Route("/dead-letters", self._letters),
            Route("/replay", self._replay, methods=["POST"]),
            Mount("/static", StaticFiles(directory=_STATIC)),
        ]

    async def _index(self, _request: Request) -> Response:
        return FileResponse(_STATIC / "index.html")

    async def _events(self, _request: Request) -> Response:
        return self._stream(self._everything())

    async def _book(self, request: Request) -> Response:
        return self._stream(self._one_book(request.query_params.get("key", "")))

    async def _letters(self, request: Request) -> Response:
        return await self._at_desk(lambda: self._desk.letters(dict(request.query_params)))

    async def _replay(self, request: Request) -> Response:
        if not self._allow_replay:
            return _answer({"error": "This page is read-only: start it with --allow-replay."}, 403)
        if not _our_own(request):
            return _answer({"error": "Only this page may ask for a replay, with JSON."}, 403)
        body = await request.body()
        try:
            asked = msgspec.json.decode(body, type=_Asked)
        except msgspec.MsgspecError as e:
            return _answer({"error": f"The request is not understood: {e}."}, 400)
        if asked.execute and asked.confirm != self._about["dlq_topic"]:
            return _answer({"error": "Nothing was sent: the name of the topic of dead letters is another."}, 400)
        return await self._at_desk(lambda: self._desk.replay(asked.wanted, execute=asked.execute))

    async def _at_desk(self, work: Callable[[], dict[str, Any]]) -> Response:
        if self._at_the_desk.locked():
            return _answer({"error": "Dead letters are being read for somebody else: try again."}, 503)
        async with self._at_the_desk:
            try:
                return _answer(await asyncio.to_thread(work))
            except TickwireError as e:
                return _answer({"error": str(e)}, 400)

    def _stream(self, events: AsyncIterator[tuple[str, Any]]) -> Response:
        if self._streams >= MOST_STREAMS:
            return _answer({"error": f"{MOST_STREAMS} pages are open already."}, 503)

        async def written() -> AsyncIterator[bytes]:
            self._streams += 1
            try:
                async for name, data in events:
                    yield b"event: %b\ndata: %b\n\n" % (name.encode(), _encode(data))
            finally:
                self._streams -= 1

        return StreamingResponse(written(), media_type="text/event-stream")

    async def _everything(self) -> AsyncIterator[tuple[str, Any]]:
        view = self._view
        screen, figures = view.screen, view.figures
        rates = {row.number: list(row.rates) for row in screen.rows.values()}
        yield "hello", {**self._about, "now_us": now_us(), "rates": rates, "lines": list(figures.lines)}
        version, tick, marks = 0, view.ticks - 1, -1
        while not self._stopping():
            if screen.version > version:
                rows, version = screen.since(version), screen.version
                if rows:
                    yield "rows", {"now_us": now_us(), "rows": rows}
            if view.ticks > tick:
                tick = view.ticks
                yield "second", self._second()
            if screen.marks_version > marks:
                marks = screen.marks_version
                yield "marks", [[m.key, m.what, m.reason, m.begin_us, m.end_us] for m in screen.marks]
            await asyncio.sleep(FRAME_S)

    def _second(self) -> dict[str, Any]:
        view = self._view
        figures = view.figures
        return {
            "now_us": now_us(),
            "rate": view.rate,
            "counts": view.second_counts,
            "point": view.point,
            "words": view.words(),
            "groups": [[group.name, group.state, group.lag] for group in figures.groups],
            "groups_unknown": figures.groups_unknown,
            "pages": {url: page is not None for url, page in figures.pages.items()},
            "accounting": figures.accounting(),
            "jumps": view.screen.market.jumps,
        }

    async def _one_book(self, key: str) -> AsyncIterator[tuple[str, Any]]:
        screen = self._view.screen
        last: object = None
        while not self._stopping():
            state = screen.market.books.get(key)
            now = None if state is None else (state.epoch, state.last_seq, state.valid, state.reason)
            if now != last:
                last = now
                yield "book", screen.book(key, BOOK_LEVELS)
            await asyncio.sleep(FRAME_S)


class _Asked(msgspec.Struct, forbid_unknown_fields=True):
    """The body of a replay request."""

    wanted: dict[str, str]
    execute: bool = False
    confirm: str = ""


class _Guard:
    """Adds security headers to every answer, and refuses large requests and other methods."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).update(HEADERS)
            await send(message)

        length = dict(scope["headers"]).get(b"content-length", b"0")
        if not length.isdigit() or int(length) > _MOST_BYTES or b"transfer-encoding" in dict(scope["headers"]):
            await _answer({"error": "The request is too large."}, 413)(scope, receive, with_headers)
            return
        await self._app(scope, receive, with_headers)


def _answer(body: Mapping[str, Any], status: int = 200) -> Response:
    return Response(_encode(body), status, media_type="application/json")


def _our_own(request: Request) -> bool:
    """Whether our own page sent this: browsers send the origin, and forms cannot send JSON."""
    origin = request.headers.get("origin", "")
    ours = f"{request.url.scheme}://{request.headers.get('host', '')}"
    return origin == ours and request.headers.get("content-type", "") == "application/json"


def application(
    view: View,
    desk: Desk,
    about: Mapping[str, Any],
    *,
    hosts: Sequence[str],
    allow_replay: bool,
    stopping: Callable[[], bool] = lambda: False,
) -> Starlette:
    """The page's application. *about* has ``brokers`` and ``dlq_topic``; *hosts* are the accepted Host headers."""
    page = _Page(view, desk, about, stopping, allow_replay=allow_replay)
    allowed = [*LOOPBACK, *hosts]
    return Starlette(
        routes=page.routes(),
        middleware=[Middleware(_Guard), Middleware(TrustedHostMiddleware, allowed_hosts=allowed, www_redirect=False)],
    )
