"""Reading a REST interface that is limited, ill or hostile."""

import asyncio
import gzip
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from email.utils import format_datetime
from typing import Any

import pytest
from aiohttp import ClientTimeout, web

from feed.toy_server import ToyServer
from support import aeventually
from tickwire.errors import FrameRejected, RequestRefused
from tickwire.exchanges.contract import Limit, Reading, Request
from tickwire.wire import rest as module
from tickwire.wire.rest import Rest, retry_after_s

pytestmark = pytest.mark.usefixtures("hasty")


def scripted(*answers: web.StreamResponse) -> Any:
    """Give these answers one after the other."""
    left: Iterator[web.StreamResponse] = iter(answers)

    async def answer(request: web.Request) -> web.StreamResponse:
        return next(left)

    return answer


def at(server: ToyServer, *limits: Limit) -> Rest:
    return Rest(f"http://{server.address}", limits, lambda: 1.0)


async def test_a_body_comes_back_whole_whether_packed_or_not() -> None:
    body = b"abc" * 1000
    packed = web.Response(body=gzip.compress(body), headers={"Content-Encoding": "gzip"})
    async with ToyServer() as server, at(server) as rest:
        server.rest = scripted(web.Response(body=body), packed)
        assert await rest.ask(Request("/depth?symbol=A&limit=5")) == body
        assert await rest.ask(Request("/x")) == body
        assert server.requests[0][1] == "/depth?symbol=A&limit=5"


@pytest.mark.parametrize("status", [403, 418, 429, 503])
async def test_retry_after_holds_back_every_request(status: int) -> None:
    async with ToyServer() as server, at(server) as rest:
        server.rest = scripted(web.Response(status=status, headers={"Retry-After": "1"}),
                               web.Response(text="ok"), web.Response(text="ok"))  # fmt: skip
        first = asyncio.create_task(rest.ask(Request("/first")))
        await aeventually(lambda: server.requests, "the first request")
        await asyncio.sleep(0.1)
        assert await rest.ask(Request("/second")) == b"ok"
        assert await first == b"ok"
    begun = server.requests[0][0]
    assert [when - begun >= 0.95 for when, _ in server.requests] == [False, True, True]


async def test_a_limit_without_a_time_blocks_for_the_default(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_DEFAULT_BLOCK_S", 0.5)
    async with ToyServer() as server, at(server) as rest:
        server.rest = scripted(web.Response(status=429), web.Response(text="ok"))
        await rest.ask(Request("/"))
    assert server.requests[1][0] - server.requests[0][0] >= 0.45


async def test_a_server_that_is_ill_or_breaks_off_is_asked_again() -> None:
    async def broken(request: web.Request) -> web.StreamResponse:
        answers = len(server.requests)
        if answers <= 2:
            return web.Response(status=[500, 503][answers - 1])
        if answers == 3:
            half = web.StreamResponse(headers={"Content-Length": "100"})
            await half.prepare(request)
            await half.write(b"half")
            assert request.transport is not None
            request.transport.abort()
            return half
        return web.Response(text="ok")

    async with ToyServer() as server, at(server) as rest:
        server.rest = broken
        assert await rest.ask(Request("/")) == b"ok"
        assert len(server.requests) == 4


async def test_a_wrong_request_and_a_redirect_are_refused_and_named() -> None:
    async with ToyServer() as server, at(server) as rest:
        moved = web.Response(status=302, headers={"Location": "http://127.0.0.1:9/elsewhere"})
        server.rest = scripted(web.Response(status=400, text="Invalid symbol." + "x" * 5000), moved)
        with pytest.raises(RequestRefused, match="Invalid symbol") as refused:
            await rest.ask(Request("/depth?symbol=NO"))
        assert refused.value.status == 400
        assert len(refused.value.answer) <= 200
        with pytest.raises(RequestRefused):
            await rest.ask(Request("/moved"))
        assert len(server.requests) == 2


async def test_a_body_that_unpacks_to_too_much_is_rejected(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_BODY_BYTES", 1_000_000)
    async with ToyServer() as server, at(server) as rest:
        bomb = gzip.compress(b"0" * 50_000_000)
        server.rest = scripted(web.Response(body=bomb, headers={"Content-Encoding": "gzip"}))
        with pytest.raises(FrameRejected) as rejected:
            await rest.ask(Request("/"))
        assert rejected.value.reason == "oversize"


async def test_a_body_that_drips_is_given_up_and_asked_for_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_TIMEOUT", ClientTimeout(total=0.3))

    async def drip(request: web.Request) -> web.StreamResponse:
        if len(server.requests) > 1:
            return web.Response(text="ok")
        slow = web.StreamResponse()
        await slow.prepare(request)
        for _ in range(20):
            await slow.write(b"x")
            await asyncio.sleep(0.05)
        return slow

    async with ToyServer() as server, at(server) as rest:
        server.rest = drip
        assert await rest.ask(Request("/")) == b"ok"


async def test_requests_of_a_group_share_its_budget_and_wait_for_no_other() -> None:
    begun = time.monotonic()
    async with ToyServer() as server, at(server, Limit(100, 0.6, "books")) as rest:
        server.rest = scripted(*(web.Response(text="ok") for _ in range(25)))
        books = [rest.ask(Request(f"/{n}", weight=40, group="books")) for n in range(5)]
        others = [rest.ask(Request("/other", weight=40)) for _ in range(20)]
        await asyncio.gather(*books, *others)
    offsets = {path: when - begun for when, path in server.requests}
    assert [path for _, path in server.requests if path != "/other"] == [f"/{n}" for n in range(5)]
    assert offsets["/2"] - offsets["/0"] >= 0.55
    assert offsets["/4"] - offsets["/2"] >= 0.55
    assert offsets["/other"] < offsets["/2"]


async def test_what_is_read_may_take_several_requests_each_of_which_the_one_before_decides() -> None:
    def pages() -> Reading[list[bytes]]:
        bodies, cursor = [], b"1"
        while cursor:
            bodies.append((yield Request(f"/{cursor.decode()}", b'{"page": %s}' % cursor)))
            cursor = b"2" if cursor == b"1" else b""
        return bodies

    posted: list[tuple[str, str, bytes]] = []

    async def answer(request: web.Request) -> web.StreamResponse:
        posted.append((request.method, request.content_type, await request.read()))
        return web.Response(text=request.path)

    async with ToyServer() as server, at(server) as rest:
        server.rest = answer
        assert await rest.read(pages()) == [b"/1", b"/2"]
    assert posted == [("POST", "application/json", b'{"page": %d}' % n) for n in (1, 2)]


async def test_what_cannot_be_read_is_an_error_of_its_reader() -> None:
    def reading() -> Reading[int]:
        raise FrameRejected("malformed", (yield Request("/")).decode())

    async with ToyServer() as server, at(server) as rest:
        server.rest = scripted(web.Response(text="not this"))
        with pytest.raises(FrameRejected, match="not this"):
            await rest.read(reading())


NOW = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        (None, None), ("", None), ("soon", None), ("-5", None), ("1.5", None), ("0", 0.0), (" 120 ", 120.0),
        ("9" * 500, 259200.0), (format_datetime(datetime(2026, 1, 1, 0, 1, tzinfo=UTC), usegmt=True), 60.0),
        (format_datetime(datetime(2020, 1, 1, tzinfo=UTC), usegmt=True), 0.0),
        ("Fri, 01 Jan 2100 00:00:00 -0000", 259200.0), ("Thu, 99 Jan 2026 00:00:00 GMT", None), ("٣", None),
    ],
)  # fmt: skip
def test_retry_after_is_a_number_or_a_date_and_nothing_else(value: str | None, seconds: float | None) -> None:
    assert retry_after_s(value, NOW) == seconds
