"""What a feed does when connections are lost, silent, refused or replaced."""

import asyncio
import contextlib
import shutil
import ssl
import subprocess
from pathlib import Path

import pytest
from aiohttp import ClientConnectionResetError, web

from feed.conftest import Feeding, MakeFeed
from feed.connections_support import length, reconnects
from feed.toy_server import ToyServer, subscribed
from support import aeventually, free_port
from tickwire.events.types import OrderBook


async def test_every_lost_connection_is_replaced_and_its_books_start_again(feeding: Feeding) -> None:
    before = reconnects("closed")
    async with ToyServer() as server, feeding(server) as (_, events):
        for n, end in enumerate(("cut", "close", "cut")):
            peer = await subscribed(server, peer=n)
            await peer.say_book("AX", "whole", n)
            await length(events, 2 * n + 1)
            if end == "cut":
                peer.cut()
            else:
                await peer.ws.close(code=1012, message=b"restart")
            await length(events, 2 * n + 2)
        await subscribed(server, peer=3)
        assert reconnects("closed") == before + 3

    assert [(e.action, e.reason) for e in events] == [
        ("snapshot", "initial"), ("invalid", "disconnect"),
        ("snapshot", "reconnect"), ("invalid", "disconnect"),
        ("snapshot", "reconnect"), ("invalid", "disconnect"),
    ]  # fmt: skip
    epochs = [e.epoch for e in events]
    assert epochs == sorted(epochs)
    assert len(set(epochs)) == 3


@pytest.mark.usefixtures("hasty")
async def test_a_server_that_refuses_or_is_not_there_is_tried_again(feeding: Feeding) -> None:
    before = reconnects("connect")
    async with ToyServer() as server:
        server.accept = lambda: len(server.attempts) > 2
        async with feeding(server) as (_, events):
            peer = await subscribed(server)
            await peer.say_book("AX", "whole", 1)
            await aeventually(lambda: events, "an event")
    assert len(server.attempts) == 3
    assert reconnects("connect") == before + 2


async def test_nobody_listening_is_survived_and_stop_works(
    make_feed: MakeFeed, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tickwire.wire.naming._LISTING_S", 0.1)
    server = ToyServer()
    server.address = f"127.0.0.1:{free_port()}"
    before = reconnects("connect")
    feed = make_feed(server)
    async with feed:
        await aeventually(lambda: reconnects("connect") > before, "an attempt", seconds=10)


@pytest.mark.parametrize("answers", [True, False])
async def test_silence_is_asked_about_and_then_ends_the_connection(feeding: Feeding, answers: bool) -> None:
    """A pong is a sign of life; without one the connection is dead, however alive TCP is."""
    before = reconnects("silent")
    limits = {"ping_interval_s": 0.2, "silence_s": 0.6}
    async with ToyServer(pong=answers) as server, feeding(server, limits=limits):
        peer = await subscribed(server)
        if answers:
            await aeventually(lambda: len(peer.pings) >= 5, "five pings")
            assert len(server.peers) == 1
        else:
            await subscribed(server, peer=1)
            assert reconnects("silent") == before + 1
            assert 1 <= len(peer.pings) <= 3


async def test_the_exchanges_own_ping_is_used_where_it_has_one(feeding: Feeding) -> None:
    limits = {"ping_interval_s": 0.1, "text_ping": b'{"ping": 1}'}
    async with ToyServer() as server, feeding(server, limits=limits):
        peer = await subscribed(server)
        await aeventually(lambda: peer.texts.count({"ping": 1}) >= 2, "two pings")
        assert peer.pings == []


async def test_a_ping_of_the_server_is_answered_with_its_payload_and_counts_as_life(feeding: Feeding) -> None:
    limits = {"silence_s": 0.6}
    async with ToyServer() as server, feeding(server, limits=limits):
        peer = await subscribed(server)
        for n in range(10):
            await peer.ws.ping(b"%d" % n)
            await length(peer.pongs, n + 1)
            await asyncio.sleep(0.1)
        assert peer.pongs == [b"%d" % n for n in range(10)]
        assert len(server.peers) == 1


async def test_one_subscription_without_answer_is_asked_for_again_and_the_others_go_on(feeding: Feeding) -> None:
    async with ToyServer() as server:
        server.ignore = {"BX"}
        async with feeding(server, names=("A-X", "B-X"), limits={"ack_timeout_s": 0.2}) as (_, events):
            await aeventually(lambda: server.peers and any("again" in t for t in server.peers[0].texts), "a retry")
            await server.peers[0].say_book("AX", "whole", 1)
            await length(events, 1)
            assert {t["sub"] for t in server.peers[0].texts if "again" in t} == {"BX"}
            server.ignore = set()
            await aeventually(lambda: len([t for t in server.peers[0].texts if "again" in t]) >= 2, "one more retry")
        assert len(server.peers) == 1


async def test_a_subscription_that_nobody_answers_ends_the_connection(feeding: Feeding) -> None:
    before = reconnects("subscribe")
    async with ToyServer(acknowledge=False) as server, feeding(server, limits={"ack_timeout_s": 0.4}):
        first = await subscribed(server)
        with contextlib.suppress(ClientConnectionResetError):
            while not first.closed.is_set():  # other traffic is no answer
                await first.say(name="AX", bid="1")
                await asyncio.sleep(0.05)
        await subscribed(server, peer=1)
        assert reconnects("subscribe") == before + 1


async def test_the_time_that_pacing_takes_is_not_held_against_the_server(feeding: Feeding) -> None:
    limits = {"message_interval_s": 0.3, "ack_timeout_s": 0.45, "symbols_per_connection": 9}
    names = ("A-X", "B-X", "C-X")
    async with ToyServer() as server, feeding(server, names=names, limits=limits):
        peer = await subscribed(server, 3)
        gaps = [later - earlier for earlier, later in zip(peer.at, peer.at[1:], strict=False)]
        assert min(gaps) >= 0.28
        await asyncio.sleep(0.6)
        assert len(server.peers) == 1


async def test_a_connection_on_which_no_book_changes_is_replaced_though_it_answers(feeding: Feeding) -> None:
    before = reconnects("silent")
    limits = {"ping_interval_s": 0.1, "silence_s": 5.0, "subscription_silence_s": 0.5}
    async with ToyServer(pong=True) as server, feeding(server, limits=limits):
        peer = await subscribed(server)
        await peer.say_book("AX", "whole", 1)
        await subscribed(server, peer=1)
        assert peer.pings
        assert reconnects("silent") == before + 1


LEAVING = pytest.mark.parametrize("asked", [False, True], ids=["for its age", "because it was asked to"])


@LEAVING
async def test_a_connection_is_replaced_by_one_whose_books_are_there_already(feeding: Feeding, asked: bool) -> None:
    before = reconnects("planned")
    limits = {} if asked else {"max_connection_s": 1.0}
    channels = ("ticker", "orderbook")
    async with ToyServer() as server, feeding(server, channels=channels, limits=limits) as (_, events):
        old = await subscribed(server, 2)
        await old.say_book("AX", "whole", 1, [["1", "1"]])
        await old.say(name="AX", bid="1")
        if asked:
            await old.say(leave="maintenance")
        new = await subscribed(server, 2, peer=1)
        await new.say(name="AX", bid="1")
        await old.say_book("AX", "change", 2, [["1", "2"]])  # the old one serves on
        await length(events, 3)
        await new.say_book("AX", "whole", 2, [["1", "2"]])
        await length(events, 5)
        await aeventually(old.closed.is_set, "the end of the old connection")
        await new.say_book("AX", "change", 3, [["1", "3"]])
        await length(events, 6)
        assert {"unsub": "AX"} in old.texts
        assert reconnects("planned") == before + 1
        if not asked:
            assert server.attempts[1] - server.attempts[0] >= 0.9

    seen = [(getattr(e, "action", "ticker"), getattr(e, "reason", None) or None, e.symbol) for e in events]
    assert [(action, reason) for action, reason, _ in seen if action != "delta"] == [
        ("snapshot", "initial"), ("ticker", None), ("snapshot", "reconnect"), ("ticker", None),
        ("invalid", "disconnect"),
    ]  # fmt: skip
    books = [e for e in events if isinstance(e, OrderBook)]
    assert [(e.book_seq, e.sequence) for e in books] == [(0, 1), (1, 2), (0, 2), (1, 3), (2, 3)]
    assert books[2].epoch > books[1].epoch
    assert books[2].bids == [("1", "2")]
    assert [e.received_us for e in events] == sorted(e.received_us for e in events)


@pytest.mark.parametrize("comes", [True, False], ids=["it comes", "it does not"])
async def test_a_new_connection_waits_for_what_makes_its_books_deeper_but_not_for_ever(
    feeding: Feeding, monkeypatch: pytest.MonkeyPatch, comes: bool
) -> None:
    monkeypatch.setattr("tickwire.wire.session._DEEP_S", 60.0 if comes else 0.5)
    hold = asyncio.Event()

    async def deeper(_request: web.Request) -> web.StreamResponse:
        await hold.wait()
        return web.json_response({"name": "AX", "book": "change", "n": 2, "bids": [["0.5", "1"]]})

    async with ToyServer() as server, feeding(server) as (_, events):
        server.rest = deeper
        old = await subscribed(server)
        await old.say_book("AX", "whole", 1, [["1", "1"]])
        await old.say(leave="maintenance")
        new = await subscribed(server, peer=1)
        await new.say(name="AX", fetch="/deeper")
        await new.say_book("AX", "whole", 1, [["1", "1"]])
        if comes:
            await aeventually(lambda: server.requests[1:], "the request")
            await old.say_book("AX", "change", 2, [["1", "2"]])
            await length(events, 2)
            hold.set()
        await length(events, 2 + comes)
        hold.set()
    assert [(e.reason, len(e.bids)) for e in events[1 : 2 + comes]] == [(None, 1)] * comes + [("reconnect", 1 + comes)]


async def test_a_connection_that_cannot_be_replaced_yet_goes_on(feeding: Feeding) -> None:
    async with ToyServer() as server, feeding(server) as (_, events):
        old = await subscribed(server)
        await old.say_book("AX", "whole", 1)
        server.accept = lambda: False
        await old.say(leave="maintenance")
        await aeventually(lambda: len(server.attempts) >= 3, "two attempts")
        await old.say_book("AX", "change", 2)
        await length(events, 2)
        server.accept = lambda: True
        await (await subscribed(server, peer=1)).say_book("AX", "whole", 2)
        await length(events, 3)
        assert [e.action for e in events] == ["snapshot", "delta", "snapshot"]


async def test_a_connection_that_ends_before_its_successor_is_ready_is_replaced_as_any_other(feeding: Feeding) -> None:
    before = reconnects("planned"), reconnects("closed")
    async with ToyServer() as server, feeding(server) as (_, events):
        old = await subscribed(server)
        await old.say_book("AX", "whole", 1)
        await old.say(leave="maintenance")
        await subscribed(server, peer=1)
        old.cut()
        last = await subscribed(server, peer=2)
        await aeventually(server.peers[1].closed.is_set, "the end of the successor")
        await last.say_book("AX", "whole", 5)
        await length(events, 3)
        assert (reconnects("planned"), reconnects("closed")) == (before[0], before[1] + 1)
    assert [e.reason for e in events[:3]] == ["initial", "disconnect", "reconnect"]


async def test_a_feed_can_be_stopped_while_a_connection_is_being_replaced(feeding: Feeding) -> None:
    async with ToyServer() as server:
        async with feeding(server) as (_, events):
            old = await subscribed(server)
            await old.say_book("AX", "whole", 1)
            await old.say(leave="maintenance")
            new = await subscribed(server, peer=1)
        await aeventually(lambda: old.closed.is_set() and new.closed.is_set(), "the end of both")
        assert {"unsub": "AX"} in old.texts
    assert [(e.action, e.reason) for e in events] == [("snapshot", "initial"), ("invalid", "disconnect")]


async def test_a_server_that_never_answers_the_handshake_does_not_hold_up_the_end(
    make_feed: MakeFeed, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tickwire.wire.naming._LISTING_S", 0.1)
    accepted: list[asyncio.StreamWriter] = []
    tcp = await asyncio.start_server(lambda _, writer: accepted.append(writer), "127.0.0.1", 0)
    server = ToyServer()
    server.address = f"127.0.0.1:{tcp.sockets[0].getsockname()[1]}"
    feed = make_feed(server)
    async with asyncio.timeout(5), tcp:
        async with feed:
            await aeventually(lambda: len(accepted) == 2, "the listing's connection and the feed's")
        for writer in accepted:
            writer.close()


def self_signed(folder: Path) -> ssl.SSLContext:
    openssl = shutil.which("openssl")
    if openssl is None:
        pytest.skip("needs the openssl command (install the package openssl)")
    key, certificate = folder / "key.pem", folder / "certificate.pem"
    options = ["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=localhost", "-days", "1"]
    subprocess.run([openssl, *options, "-keyout", key, "-out", certificate], check=True, capture_output=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    return context


async def test_a_certificate_that_does_not_verify_is_refused(
    make_feed: MakeFeed, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    context = self_signed(tmp_path)
    monkeypatch.setattr("tickwire.wire.naming._LISTING_S", 0.1)
    handshakes: list[bytes] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        handshakes.append(await reader.read())
        writer.close()

    tcp = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=context)
    server = ToyServer()
    port = tcp.sockets[0].getsockname()[1]
    feed = make_feed(
        server, urls={"toy_ws_url": f"wss://localhost:{port}", "toy_rest_url": f"https://localhost:{port}"}
    )
    async with tcp, feed:
        await aeventually(lambda: "CERTIFICATE_VERIFY_FAILED" in caplog.text, "the refusal")
    assert not any(handshakes)
