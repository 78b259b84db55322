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
from tickwire.wire import rest as module
from tickwire.wire.rest import Rest, retry_after_s


@pytest.fixture(autouse=True)
def _hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tickwire.wire.backoff.BASE_S", 0.02)


def scripted(*answers: web.StreamResponse) -> Any:
    """Give these answers one after the other."""
    left: Iterator[web.StreamResponse] = iter(answers)

    async def answer(request: web.Request) -> web.StreamResponse:
        return next(left)

    return answer


def at(server: ToyServer, per_minute: int | None = None) -> Rest:
    return Rest(f"http://{server.address}", per_minute, lambda: 1.0)


async def test_a_body_comes_back_whole_whether_packed_or_not() -> None:
    body = b"abc" * 1000
    packed = web.Response(body=gzip.compress(body), headers={"Content-Encoding": "gzip"})
    async with ToyServer() as server, at(server) as rest:
        server.rest = scripted(web.Response(body=body), packed)
        assert await rest.get("/depth?symbol=A&limit=5", 1) == body
        assert await rest.get("/x", 1) == body
        assert server.requests[0][1] == "/depth?symbol=A&limit=5"


@pytest.mark.parametrize("status", [403, 418, 429, 503])
async def test_retry_after_holds_back_every_request(status: int) -> None:
    async with ToyServer() as server, at(server) as rest:
        server.rest = scripted(web.Response(status=status, headers={"Retry-After": "1"}),
                               web.Response(text="ok"), web.Response(text="ok"))  # fmt: skip
        first = asyncio.create_task(rest.get("/first", 1))
        await aeventually(lambda: server.requests, "the first request")
        await asyncio.sleep(0.1)
        assert await rest.get("/second", 1) == b"ok"
        assert await first == b"ok"
    begun = server.requests[0][0]
    assert [when - begun >= 0.95 for when, _ in server.requests] == [False, True, True]


async def test_a_limit_without_a_time_blocks_for_the_default(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_DEFAULT_BLOCK_S", 0.5)
    async with ToyServer() as server, at(server) as rest:
        server.rest = scripted(web.Response(status=429), web.Response(text="ok"))
        await rest.get("/", 1)
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
        assert await rest.get("/", 1) == b"ok"
        assert len(server.requests) == 4


async def test_a_wrong_request_and_a_redirect_are_refused_and_named() -> None:
    async with ToyServer() as server, at(server) as rest:
        moved = web.Response(status=302, headers={"Location": "http://127.0.0.1:9/elsewhere"})
        server.rest = scripted(web.Response(status=400, text="Invalid symbol." + "x" * 5000), moved)
        with pytest.raises(RequestRefused, match="Invalid symbol") as refused:
            await rest.get("/depth?symbol=NO", 1)
        assert refused.value.status == 400
        assert len(refused.value.answer) <= 200
        with pytest.raises(RequestRefused):
            await rest.get("/moved", 1)
        assert len(server.requests) == 2


async def test_a_body_that_unpacks_to_too_much_is_rejected(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_BODY_BYTES", 1_000_000)
    async with ToyServer() as server, at(server) as rest:
        bomb = gzip.compress(b"0" * 50_000_000)
        server.rest = scripted(web.Response(body=bomb, headers={"Content-Encoding": "gzip"}))
        with pytest.raises(FrameRejected) as rejected:
            await rest.get("/", 1)
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
        assert await rest.get("/", 1) == b"ok"


async def test_requests_share_the_budget_of_the_minute(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tickwire.wire.budget.WINDOW_S", 0.6)
    begun = time.monotonic()
    async with ToyServer() as server, at(server, per_minute=100) as rest:
        server.rest = scripted(*(web.Response(text="ok") for _ in range(5)))
        await asyncio.gather(*(rest.get(f"/{n}", 40) for n in range(5)))
    offsets = [when - begun for when, _ in server.requests]
    assert [path for _, path in server.requests] == [f"/{n}" for n in range(5)]
    assert offsets[1] < 0.4
    assert offsets[2] - offsets[0] >= 0.55
    assert offsets[4] - offsets[2] >= 0.55


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
