"""What a feed does when books, frames and answers over REST are not as they should be."""

import asyncio
import itertools
import json
import time

import pytest
from aiohttp import web

from feed.conftest import Feeding, MakeFeed
from feed.connections_support import length, reconnects
from feed.toy_server import Peer, ToyServer, subscribed
from support import aeventually
from tickwire import metrics
from tickwire.errors import SubscriptionRefused


async def test_a_book_that_falls_silent_starts_again_alone(feeding: Feeding) -> None:
    limits = {"subscription_silence_s": 0.4}
    async with ToyServer() as server, feeding(server, names=("A-X", "B-X"), limits=limits) as (_, events):
        peer = await subscribed(server, 2)
        await peer.say_book("AX", "whole", 1)
        number = 0
        while {"again": "AX", "why": "stale"} not in peer.texts:
            number += 1
            await peer.say_book("BX", "whole" if number == 1 else "change", number)
            await asyncio.sleep(0.05)
        assert {"again": "BX", "why": "stale"} not in peer.texts
        stale = [(e.symbol, e.reason) for e in events if e.action == "invalid"]
        assert stale == [("A-X", "stale")]


@pytest.fixture
def quick_rhythm(monkeypatch: pytest.MonkeyPatch) -> None:
    """Looks ten times a second, and half a second is a long silence."""
    monkeypatch.setattr("tickwire.wire.deadlines._LONGEST_TICK_S", 0.1)
    monkeypatch.setattr("tickwire.wire.rhythm._LEAST_S", 0.5)
    monkeypatch.setattr("tickwire.wire.rhythm._UNKNOWN_S", 0.1)


@pytest.mark.usefixtures("quick_rhythm")
async def test_a_busy_book_that_falls_silent_starts_again_is_counted_and_shown_until_it_changes(
    feeding: Feeding,
) -> None:
    def silent() -> tuple[float, float]:
        times, books = metrics.SILENCES.labels("toy", "orderbook"), metrics.SILENT_BOOKS.labels("toy")
        return times._value.get() - before, books._value.get()

    async def speak(peer: Peer, name: str) -> None:
        for number in itertools.count(1):
            await peer.say_book(name, "whole" if number == 1 else "change", number)
            await asyncio.sleep(0.05)

    before = metrics.SILENCES.labels("toy", "orderbook")._value.get()
    async with ToyServer() as server, feeding(server, names=("A-X", "B-X")) as (_, events):
        peer = await subscribed(server, 2)
        speakers = {name: asyncio.create_task(speak(peer, name)) for name in ("AX", "BX")}
        await aeventually(lambda: len(events) > 60, "a rhythm")
        speakers["AX"].cancel()
        await aeventually(lambda: {"again": "AX", "why": "stale"} in peer.texts, "a restart")
        assert silent() == (1, 1)
        assert [(e.symbol, e.reason) for e in events if e.action == "invalid"] == [("A-X", "stale")]
        speakers["AX"] = asyncio.create_task(speak(peer, "AX"))
        await aeventually(lambda: silent() == (1, 0), "it is heard")
        assert [e.reason for e in events if e.reason in {"resync", "reconnect"}] == ["resync"]
        for task in speakers.values():
            task.cancel()
    assert len(server.peers) == 1


@pytest.mark.usefixtures("quick_rhythm")
async def test_a_time_in_which_this_process_did_nothing_is_no_silence(
    feeding: Feeding, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tickwire.wire.session._KEPT_S", 0.3)
    async with ToyServer() as server, feeding(server) as (_, events):
        peer = await subscribed(server)
        await peer.say_book("AX", "whole", 1)
        await length(events, 1)
        for number in range(2, 20):
            await peer.say_book("AX", "change", number)
            await asyncio.sleep(0.1)
            if number == 15:
                time.sleep(1.5)  # noqa: ASYNC251 - as a callback may do
                await asyncio.sleep(0.2)  # nothing has come yet
        await length(events, 19)
        assert not [e for e in events if e.action == "invalid"]
    assert len(server.peers) == 1


async def test_a_book_that_breaks_again_and_again_is_asked_for_ever_less_often(feeding: Feeding) -> None:
    again = {"again": "AX", "why": "gap"}
    async with ToyServer() as server, feeding(server) as (feed, events):
        peer = await subscribed(server)
        for number in range(0, 200, 10):
            await peer.say_book("AX", "whole", number)
            await peer.say_book("AX", "change", number + 5)
        await length(events, 40)
        await aeventually(lambda: peer.texts.count(again) >= 4, "one more question, after a while")
        assert peer.texts.count(again) <= 6
        book = feed.accounting()["books"]["A-X"]
    assert (book["state"], book["last_reason"], book["troubles"]) == ("resyncing", "gap", 20)


async def test_a_book_whose_sides_stay_crossed_starts_again(feeding: Feeding) -> None:
    async with ToyServer() as server, feeding(server, limits={"crossed_s": 0.3}) as (_, events):
        peer = await subscribed(server)
        await peer.say_book("AX", "whole", 1, [["1", "1"]], [["2", "1"]])
        await peer.say_book("AX", "change", 2, [["3", "1"]])
        await aeventually(lambda: {"again": "AX", "why": "crossed"} in peer.texts, "the new start")
        await peer.say_book("AX", "whole", 9, [["1", "1"]], [["2", "1"]])
        await length(events, 4)
    assert [(e.action, e.reason) for e in events[2:4]] == [("invalid", "crossed"), ("snapshot", "resync")]


GARBAGE = [b"", b"}", b"\xff\xfe\x00", b"null", b"[" * 5000, b'{"name": "ZZ"}', b'{"name": 5, "book": {}}']


async def test_garbage_is_counted_and_the_connection_goes_on(feeding: Feeding) -> None:
    async with ToyServer() as server, feeding(server) as (feed, events):
        peer = await subscribed(server)
        for payload in GARBAGE:
            peer.raw(frame(0x81, payload))
        peer.raw(frame(0x82, b"binary"))
        await peer.say_book("AX", "whole", 1)
        await aeventually(lambda: events, "the event after the garbage")
        counts = feed.accounting()
        assert len(server.peers) == 1
    assert counts["frames_rejected"] == {"malformed": 4, "unknown": 3, "oversize": 0, "binary": 1}
    assert counts["frames_received"] == len(GARBAGE) + 3


HOSTILE = {
    "a header that promises too much": (bytes([0x81, 127]) + (1 << 40).to_bytes(8, "big"), "oversize"),
    "one byte too many": (bytes([0x81, 127]) + (100_001).to_bytes(8, "big") + b" " * 100_001, "oversize"),
    "too much in fragments": (b"\x01\x7e\xff\xff" + b" " * 65535 + b"\x00\x7e\xff\xff" + b" " * 65535, "oversize"),
    "an unknown kind of frame": (b"\x83\x00", "malformed"),
    "a masked frame": (b"\x81\x81aaaaa", "malformed"),
    "a fragment of nothing": (b"\x80\x01a", "malformed"),
    "a message inside another": (b"\x01\x01a\x81\x01b", "malformed"),
    "a long ping": (b"\x89\x7e\x01\x00" + b"a" * 256, "malformed"),
    "an impossible close": (b"\x88\x02\x00\x01", "malformed"),
    "a message that the adapter fails at": (b'\x81\x0b{"crash":1}', "malformed"),
}


@pytest.mark.parametrize("name", HOSTILE)
async def test_hostile_frames_are_counted_and_answered_by_a_new_connection(feeding: Feeding, name: str) -> None:
    data, reason = HOSTILE[name]
    before = reconnects("protocol")
    async with ToyServer() as server, feeding(server) as (feed, events):
        (await subscribed(server)).raw(data)
        peer = await subscribed(server, peer=1)
        await peer.say_book("AX", "whole", 1)
        await aeventually(lambda: events, "an event on the new connection")
        rejected = feed.accounting()["frames_rejected"]
        assert {r: n for r, n in rejected.items() if n} == {reason: 1}
        assert reconnects("protocol") == before + 1


async def test_fragments_pings_between_them_and_single_bytes_make_one_message(feeding: Feeding) -> None:
    whole = json.dumps({"name": "AX", "book": "whole", "n": 1}).encode()
    parts = (0x01, whole[:5]), (0x89, b"?"), (0x00, b""), (0x00, whole[5:9]), (0x80, whole[9:])
    data = b"".join(frame(first, payload) for first, payload in parts)
    async with ToyServer() as server, feeding(server) as (feed, events):
        peer = await subscribed(server)
        for byte in data:
            peer.raw(bytes([byte]))
            await asyncio.sleep(0)
        await aeventually(lambda: events, "the message")
        await aeventually(lambda: peer.pongs == [b"?"], "the pong")
        peer.raw(frame(0x02, b"bin") + frame(0x80, b"ary"))
        await aeventually(lambda: feed.accounting()["frames_rejected"]["binary"], "the binary message to be counted")
        assert feed.accounting()["frames_received"] == 3
        assert len(server.peers) == 1


def frame(first: int, payload: bytes) -> bytes:
    """A server's frame: unmasked."""
    if len(payload) < 126:
        return bytes([first, len(payload)]) + payload
    return bytes([first, 126]) + len(payload).to_bytes(2, "big") + payload


async def test_a_snapshot_over_rest_reaches_the_adapter_again_and_again_until_it_can_be_read(feeding: Feeding) -> None:
    bodies = [b"nonsense", json.dumps({"name": "AX", "book": "whole", "n": 5}).encode()]

    async def answer(request: web.Request) -> web.StreamResponse:
        return web.Response(body=bodies.pop(0))

    async with ToyServer() as server, feeding(server) as (feed, events):
        server.rest = answer
        await (await subscribed(server)).say(name="AX", fetch="/depth?s=AX")
        await aeventually(lambda: events, "the book")
        assert feed.accounting()["frames_rejected"]["malformed"] == 1
        assert [path for _, path in server.requests[1:]] == ["/depth?s=AX"] * 2


async def test_a_refused_request_for_a_symbol_that_nobody_has_seen_is_a_refused_symbol(make_feed: MakeFeed) -> None:
    async def answer(request: web.Request) -> web.StreamResponse:
        return web.json_response({"code": -1121, "msg": "Invalid symbol."}, status=400)

    async with ToyServer(acknowledge=False, listed=None) as server:
        server.rest = answer
        feed = make_feed(server)
        running = asyncio.create_task(feed.run())
        await (await subscribed(server)).say(name="AX", fetch="/depth")
        with pytest.raises(SubscriptionRefused, match=r"AX.*Invalid symbol"):
            await asyncio.wait_for(running, 10)


@pytest.mark.parametrize("status", [302, 400, 403, 404, 451])
@pytest.mark.parametrize("known", ["listed", "acknowledged"])
async def test_a_refused_request_for_a_symbol_that_the_exchange_has_is_made_again(
    feeding: Feeding, status: int, known: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("tickwire.wire.fetches._BASE_S", 0.1)
    monkeypatch.setattr("tickwire.wire.rest._DEFAULT_BLOCK_S", 0.1)
    statuses = [status, status, 200]

    async def answer(request: web.Request) -> web.StreamResponse:
        if "depth" not in request.path:
            return web.Response(status=451)
        return web.json_response({"name": "AX", "book": "whole", "n": 5}, status=statuses.pop(0))

    listed = ("A-X",) if known == "listed" else None
    async with ToyServer(acknowledge=known == "acknowledged", listed=listed) as server:
        server.rest = answer
        async with feeding(server) as (feed, events):
            await (await subscribed(server)).say(name="AX", fetch="/depth")
            await aeventually(lambda: events, "the book")
            assert statuses == []
            assert feed.accounting()["books"]["A-X"]["state"] == "valid"
    told = [r for r in caplog.records if r.name == "tickwire.wire.fetches"]
    assert len(told) == (0 if status == 403 else 1)  # a limit is waited out without a word


async def test_the_newest_request_for_a_symbol_replaces_the_one_before(feeding: Feeding) -> None:
    hold = asyncio.Event()
    asked: list[str] = []

    async def answer(request: web.Request) -> web.StreamResponse:
        asked.append(request.path)
        if request.path == "/old":
            await hold.wait()
        return web.json_response({"name": "AX", "book": "whole", "n": len(request.path)})

    async with ToyServer() as server, feeding(server) as (_, events):
        server.rest = answer
        peer = await subscribed(server)
        await peer.say(name="AX", fetch="/old")
        await aeventually(lambda: asked == ["/old"], "the first request")
        await peer.say(name="AX", fetch="/newer")
        await aeventually(lambda: events, "the book")
        hold.set()
        await peer.say(name="AX", bid="1")
        await aeventually(lambda: len(events) == 2, "the ticker")
        assert [getattr(e, "sequence", None) for e in events] == [6, None]


async def test_what_is_asked_for_already_is_not_asked_for_twice(feeding: Feeding) -> None:
    hold = asyncio.Event()
    asked: list[str] = []

    async def answer(request: web.Request) -> web.StreamResponse:
        asked.append(request.path)
        await hold.wait()
        return web.json_response({"name": "AX", "book": "whole", "n": 1})

    async with ToyServer() as server, feeding(server) as (_, events):
        server.rest = answer
        peer = await subscribed(server)
        await peer.say(name="AX", fetch="/same")
        await aeventually(lambda: asked, "the request")
        await peer.say(name="AX", fetch="/same")
        await peer.say(name="AX", bid="1")
        await aeventually(lambda: events, "the ticker")
        hold.set()
        await aeventually(lambda: len(events) == 2, "the book")
        await peer.say(name="AX", fetch="/same")
        await aeventually(lambda: len(events) == 3, "another book")
    assert asked == ["/same", "/same"]
