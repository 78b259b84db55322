"""What an exchange may want of its connections: addresses, handshakes, frames, pings, limits, listings."""

import asyncio
import json
import time

import pytest
from aiohttp import web

from feed.conftest import Feeding, MakeFeed
from feed.connections_support import length, reconnects
from feed.toy_exchange import symbol
from feed.toy_server import Peer, ToyServer, subscribed
from support import aeventually
from tickwire.config.kafka_config import KafkaConfig
from tickwire.exchanges.contract import Limit, Reading, Request
from tickwire.exchanges.symbols import Listing
from tickwire.kafka.producing.memory import MemoryPublisher

BOTH = ("ticker", "orderbook")
APART = {"ws_urls": {"ticker": "wss://toy.invalid/ws/market?x=1"}}


async def sockets(server: ToyServer, count: int) -> dict[str, list[Peer]]:
    """The open sockets, all subscribed, by where they are."""
    await aeventually(lambda: sum(bool(peer.texts) for peer in server.peers) == count, f"{count} subscribed sockets")
    found: dict[str, list[Peer]] = {}
    for peer in server.peers:
        found.setdefault(peer.url, []).append(peer)
    return found


def carrying(server: ToyServer, name: str, channel: str) -> Peer:
    return next(peer for peer in server.peers if {"sub": name, "on": channel} in peer.texts)


async def test_each_channel_is_asked_for_where_it_is(feeding: Feeding) -> None:
    names = ("A-X", "B-X", "C-X")
    async with ToyServer() as server, feeding(server, names=names, channels=BOTH, limits=APART) as (_, events):
        found = await sockets(server, 4)  # two symbols a connection
        await aeventually(lambda: sum(len(peer.texts) for peer in server.peers) == 6, "all subscriptions")
        asked = {url: [[(t["sub"], t["on"]) for t in p.texts] for p in peers] for url, peers in found.items()}
        assert {url: sorted(each) for url, each in asked.items()} == {
            "/ws": [[("AX", "orderbook"), ("BX", "orderbook")], [("CX", "orderbook")]],
            "/ws/market?x=1": [[("AX", "ticker"), ("BX", "ticker")], [("CX", "ticker")]],
        }
        await carrying(server, "AX", "ticker").say(name="AX", bid="1")
        await carrying(server, "AX", "orderbook").say_book("AX", "whole", 1)
        await length(events, 2)


async def test_sockets_of_different_channels_do_not_disturb_each_other(make_feed: MakeFeed) -> None:
    publisher = MemoryPublisher(KafkaConfig())
    channels = ("orderbook", "ticker")
    async with ToyServer() as server, make_feed(server, channels=channels, limits=APART, publisher=publisher) as feed:
        found = await sockets(server, 2)
        (books,), (tickers,) = found["/ws"], found["/ws/market?x=1"]
        await books.say_book("AX", "whole", 1)
        await length(publisher.records, 1)
        tickers.cut()
        await sockets(server, 3)
        book = feed.book("A-X")
        assert book is not None
        assert book.valid
        publisher.flows.restart("toy", "AX", "overflow")
        await aeventually(lambda: {"again": "AX", "why": "overflow"} in books.texts, "the new start where the book is")
    assert [getattr(event, "reason", None) for event in publisher.events] == ["initial", "overflow"]


async def test_the_handshake_has_the_headers_that_the_exchange_wants(feeding: Feeding) -> None:
    async with ToyServer() as server, feeding(server, limits={"headers": {"X-Size-Decimal": "1"}}):
        peer = await subscribed(server)
        assert peer.headers["X-Size-Decimal"] == "1"


TICKER = json.dumps({"name": "AX", "bid": "1"})


@pytest.mark.parametrize(
    ("frames", "events", "rejected"), [("text", 1, {"binary": 3}), ("binary", 3, {"unknown": 1}), ("both", 4, {})]
)
async def test_the_adapter_has_the_frames_that_carry_data_and_others_are_counted(
    feeding: Feeding, frames: str, events: int, rejected: dict[str, int]
) -> None:
    payload = TICKER.encode()
    limits = {"frames": frames, "max_frame_bytes": 100}
    channels = ("ticker",)
    async with (
        ToyServer(acknowledge=False) as server,
        feeding(server, channels=channels, limits=limits) as (feed, seen),
    ):
        peer = await subscribed(server)
        before = dict(feed.accounting()["frames_rejected"])
        await peer.ws.send_bytes(payload)
        await peer.ws.send_str(TICKER)
        await peer.ws.send_bytes(payload)
        peer.raw(bytes([0x02, 3]) + payload[:3] + bytes([0x80, len(payload) - 3]) + payload[3:])  # in two parts
        await aeventually(lambda: feed.accounting()["frames_received"] == 4, "four messages")
        assert len(seen) == events
        after = feed.accounting()["frames_rejected"]
        assert {name: n - before[name] for name, n in after.items() if n != before[name]} == rejected
        assert len(server.peers) == 1


async def test_a_binary_message_longer_than_allowed_ends_the_connection(feeding: Feeding) -> None:
    async with ToyServer() as server, feeding(server, limits={"frames": "binary", "max_frame_bytes": 100}) as (feed, _):
        peer = await subscribed(server)
        await peer.ws.send_bytes(b"x" * 101)
        await aeventually(lambda: len(server.peers) == 2, "a new connection")
        assert feed.accounting()["frames_rejected"]["oversize"] == 1


async def test_a_ping_that_is_no_json_is_answered_past_what_waits_to_be_sent(feeding: Feeding) -> None:
    limits = {"message_interval_s": 30.0, "symbols_per_connection": 9}
    async with ToyServer() as server, feeding(server, names=("A-X", "B-X", "C-X"), limits=limits):
        peer = await subscribed(server)
        await peer.ws.send_str("ping")
        await aeventually(lambda: {"pong": 1} in peer.texts, "the answer", seconds=10)
        assert [text.get("sub") for text in peer.texts] == ["AX", None]


async def test_a_message_may_have_to_wait_without_holding_up_others(feeding: Feeding) -> None:
    async with ToyServer() as server, feeding(server):
        peer = await subscribed(server)
        await peer.say(send='{"late": 1}', delay=0.3)
        await peer.ws.send_str("ping")
        await aeventually(lambda: len(peer.texts) == 3, "both")
        assert peer.texts[1:] == [{"pong": 1}, {"late": 1}]


async def test_a_ping_that_is_wanted_at_an_interval_is_sent_whatever_comes(feeding: Feeding) -> None:
    limits = {"keepalive_s": 0.2, "text_ping": b'{"ping": 1}'}
    async with ToyServer() as server, feeding(server, channels=("ticker",), limits=limits):
        peer = await subscribed(server)
        async with asyncio.timeout(20):
            while peer.texts.count({"ping": 1}) < 3:
                await peer.say(name="AX", bid="1")
                await asyncio.sleep(0.02)


async def test_a_message_has_the_time_of_its_sending_where_the_exchange_wants_one(feeding: Feeding) -> None:
    limits = {"keepalive_s": 0.2, "text_ping": b'{"ping": "$now"}', "time_mark": b'"$now"'}
    before = int(time.time())
    async with ToyServer() as server, feeding(server, channels=("ticker",), limits=limits):
        peer = await subscribed(server)
        await aeventually(lambda: len(peer.texts) > 1, "a ping")
    assert before <= peer.texts[1]["ping"] <= time.time()


async def test_a_message_of_many_mebibytes_is_read_where_the_exchange_sends_such(feeding: Feeding) -> None:
    limits = {"max_frame_bytes": 64 << 20}
    async with ToyServer() as server, feeding(server, channels=("ticker",), limits=limits) as (_, events):
        peer = await subscribed(server)
        await peer.say(name="AX", bid="1", more="x" * (20 << 20))
        await length(events, 1)
        assert len(server.peers) == 1


async def test_requests_are_within_every_limit_of_their_group(feeding: Feeding) -> None:
    async def answer(request: web.Request) -> web.StreamResponse:
        return web.json_response({"name": request.query["s"], "bid": "1"})

    limits = {"rest_limits": (Limit(1, 1.0, "books"),), "symbols_per_connection": 9}
    names = ("A-X", "B-X", "C-X")
    async with ToyServer() as server, feeding(server, names=names, channels=("ticker",), limits=limits) as (_, events):
        server.rest = answer
        peer = await subscribed(server, 3)
        await peer.say(name="AX", fetch="/books?s=AX", group="books")
        await peer.say(name="BX", fetch="/books?s=BX", group="books")
        await peer.say(name="CX", fetch="/other?s=CX")
        await length(events, 3)
        at = {path: when for when, path in server.requests}
        assert at["/books?s=BX"] - at["/books?s=AX"] >= 0.95
        assert at["/other?s=CX"] < at["/books?s=BX"]


def token(url: str) -> Reading[str]:
    body = yield Request("/token", b"{}")
    return f"{url}?token={body.decode()}"


async def test_an_address_that_has_to_be_asked_for_is_asked_for_before_each_connection(feeding: Feeding) -> None:
    tokens = iter("abc")

    async def answer(request: web.Request) -> web.StreamResponse:
        assert (request.method, request.path) == ("POST", "/token")
        return web.Response(text=next(tokens))

    async with ToyServer() as server:
        server.rest = answer
        async with feeding(server, limits={"address": token}):
            (await subscribed(server)).cut()
            await subscribed(server, peer=1)
    assert [peer.url for peer in server.peers] == ["/ws?token=a", "/ws?token=b"]


async def test_an_address_that_cannot_be_had_is_asked_for_again(
    feeding: Feeding, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tickwire.wire.backoff.BASE_S", 0.05)
    monkeypatch.setattr("tickwire.wire.session._ADDRESS_S", 0.3)
    answers = [web.Response(status=404), web.Response(status=503, headers={"Retry-After": "1"}), web.Response(text="a")]

    async def answer(request: web.Request) -> web.StreamResponse:
        return answers.pop(0)

    before = reconnects("connect")
    async with ToyServer() as server:
        server.rest = answer
        async with feeding(server, limits={"address": token}):
            await subscribed(server)
    assert reconnects("connect") >= before + 2
    assert [peer.url for peer in server.peers] == ["/ws?token=a"]


async def test_an_address_at_another_host_is_moved_to_the_one_that_the_user_wants(feeding: Feeding) -> None:
    def elsewhere(url: str) -> Reading[str]:
        body = yield Request("/token")
        return f"wss://somewhere.invalid/ws/{body.decode()}"

    async def answer(request: web.Request) -> web.StreamResponse:
        return web.Response(text="abc")

    async with ToyServer() as server:
        server.rest = answer
        async with feeding(server, limits={"address": elsewhere}):
            assert (await subscribed(server)).url == "/ws/abc"


async def test_a_listing_may_be_read_page_by_page(feeding: Feeding) -> None:
    pages = {"first": ("A-X", "second"), "second": ("B-X", "")}

    def listing() -> Reading[Listing]:
        names, cursor = [], "first"
        while cursor:
            page = json.loads((yield Request("/pages", json.dumps({"after": cursor}).encode())))
            names.append(page["name"])
            cursor = page["next"]
        return Listing(symbol(name) for name in names)

    async def answer(request: web.Request) -> web.StreamResponse:
        name, following = pages[(await request.json())["after"]]
        return web.json_response({"name": name, "next": following})

    async with ToyServer() as server:
        server.rest = answer
        async with feeding(server, names=("AX", "BX"), limits={"listings": lambda: [listing()]}) as (feed, _):
            await subscribed(server, 2)
            assert sorted(feed.accounting()["books"]) == ["A-X", "B-X"]
    assert [path for _, path in server.requests] == ["/pages", "/pages"]
