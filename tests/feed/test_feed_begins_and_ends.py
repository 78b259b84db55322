"""How a feed begins and ends."""

import asyncio
from time import monotonic
from typing import Any

import pytest
from aiohttp import web

from feed.conftest import Feeding, MakeFeed
from feed.toy_server import ToyServer, subscribed
from support import aeventually, free_port
from tickwire.data_feed import WebSocketDataFeed
from tickwire.errors import SubscriptionRefused, UnknownChannel, UnknownExchange, UnknownSymbol
from tickwire.exchanges.contract import Symbol
from tickwire.exchanges.symbols import Listing
from tickwire.wire.reconnector import Gate


async def test_run_returns_after_stop_which_a_callback_may_call(make_feed: MakeFeed) -> None:
    async with ToyServer() as server:
        feed = make_feed(server, channels=("ticker",))
        running = asyncio.create_task(feed.run())

        async def last(event: Any) -> None:
            await feed.stop()

        feed.add_callback(last)
        peer = await subscribed(server)
        await peer.say(name="AX", bid="1")
        await asyncio.wait_for(running, 10)
        await aeventually(peer.closed.is_set, "the socket to be closed")
        assert {"unsub": "AX"} in peer.texts
        assert peer.ws.close_code == 1000
        with pytest.raises(RuntimeError):
            await feed.run()


async def test_a_cancelled_run_leaves_in_order_too(make_feed: MakeFeed) -> None:
    events: list[Any] = []
    async with ToyServer() as server:
        feed = make_feed(server)
        feed.add_callback(events.append)
        running = asyncio.create_task(feed.run())
        peer = await subscribed(server)
        await peer.say_book("AX", "whole", 1)
        await aeventually(lambda: events, "the snapshot")
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running
        assert events[-1].action == "invalid"
        await aeventually(peer.closed.is_set, "the socket to be closed")


async def test_stop_before_and_during_the_start_ends_the_run(make_feed: MakeFeed) -> None:
    hanging = asyncio.Event()

    async def never(request: web.Request) -> web.StreamResponse:
        await hanging.wait()
        return web.Response()

    async with ToyServer(listed=None) as server:
        server.rest = never
        feed = make_feed(server)
        running = asyncio.create_task(feed.run())
        await aeventually(lambda: server.requests, "the request for the listing")
        await asyncio.wait_for(feed.stop(), 2)
        await running

        early = make_feed(server)
        await early.stop()
        await asyncio.wait_for(early.run(), 2)
        hanging.set()


async def test_a_refused_symbol_leaves_the_others_alone_and_ends_the_run_where_there_is_no_other(
    make_feed: MakeFeed, feeding: Feeding
) -> None:
    async with ToyServer() as server:
        server.refuse = {"BX"}
        async with feeding(server, names=("A-X", "B-X")) as (feed, events):
            peer = await subscribed(server, 2)
            await peer.say_book("AX", "whole", 1)
            await aeventually(lambda: events, "the other book")
            books = feed.accounting()["books"]
        assert (books["A-X"]["state"], books["B-X"]["last_reason"]) == ("valid", "refused")
        with pytest.raises(SubscriptionRefused, match="BX"):
            await asyncio.wait_for(make_feed(server, names=("B-X",)).run(), 10)


async def test_a_symbol_that_is_refused_later_leaves_the_others_alone_until_none_is_left(make_feed: MakeFeed) -> None:
    events: list[Any] = []
    async with ToyServer() as server:
        feed = make_feed(server, names=("A-X", "B-X"))
        feed.add_callback(events.append)
        running = asyncio.create_task(feed.run())
        peer = await subscribed(server, 2)
        await peer.say_book("AX", "whole", 1)
        await peer.say_book("BX", "whole", 1)
        await peer.say(name="BX", no="orderbook")
        await peer.say_book("BX", "change", 2)
        await peer.say_book("AX", "change", 2)
        await aeventually(lambda: len(events) == 4, "four events")
        assert [(e.symbol, e.action) for e in events[2:]] == [("B-X", "invalid"), ("A-X", "delta")]
        await peer.say(name="AX", no="orderbook")
        with pytest.raises(SubscriptionRefused, match="AX"):
            await asyncio.wait_for(running, 10)


async def test_an_unknown_symbol_is_an_error_that_names_the_closest(make_feed: MakeFeed) -> None:
    async with ToyServer(listed=("BTC-USD", "ETH-USD")) as server:
        with pytest.raises(UnknownSymbol, match="BTC-USD"):
            await make_feed(server, names=("BTC-USX",)).run()
    assert server.attempts == []


@pytest.mark.parametrize("listing", ["down", "garbage", "refused"])
async def test_a_listing_that_cannot_be_had_does_not_stop_a_feed(
    feeding: Feeding, listing: str, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tickwire.wire.naming._LISTING_S", 0.3)

    async def answer(request: web.Request) -> web.StreamResponse:
        return web.Response(status={"down": 503, "garbage": 200, "refused": 451}[listing], text="}")

    async with ToyServer(listed=None) as server:
        server.rest = answer
        async with feeding(server, names=("NEW-X",)) as (_, events):
            peer = await subscribed(server)
            await peer.say_book("NEWX", "whole", 1)
            await aeventually(lambda: events, "an event")
    assert len([r for r in caplog.records if r.name == "tickwire.wire.naming"]) == 1


async def test_where_a_part_of_the_listing_is_missing_names_that_are_not_found_are_derived(feeding: Feeding) -> None:
    limits = {"listing_paths": ("/listing", "/tokens"), "symbols_per_connection": 9}
    async with ToyServer(listed=("A-X",)) as server, feeding(server, names=("A-X", "NEW-X"), limits=limits):
        peer = await subscribed(server, 2)
        assert {text["sub"] for text in peer.texts} == {"AX", "NEWX"}


async def test_a_symbol_that_is_listed_and_does_not_trade_is_waited_for(
    feeding: Feeding, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    listing = Listing([Symbol("A-X", "AX"), Symbol("B-X", "BX")], resting={"BX": "HALT"})
    monkeypatch.setattr("feed.toy_exchange.read_listing", lambda _: listing)
    async with ToyServer() as server, feeding(server, names=("A-X", "B-X")) as (_, events):
        peer = await subscribed(server, 2)
        await peer.say_book("BX", "whole", 1)
        await aeventually(lambda: events, "its book")
    assert len([r for r in caplog.records if r.name == "tickwire.wire.naming"]) == 1


async def test_symbols_are_spread_over_connections_that_open_one_after_the_other(
    feeding: Feeding, monkeypatch: pytest.MonkeyPatch
) -> None:
    turn, asked, let_through = Gate.turn, [], []

    async def noted(gate: Gate) -> None:
        asked.append(monotonic())
        await turn(gate)
        let_through.append(monotonic())

    monkeypatch.setattr(Gate, "turn", noted)
    limits = {"connect_interval_s": 0.3, "symbols_per_connection": 2}
    names = ("A-X", "B-X", "C-X", "AX")  # the last is the first again
    async with ToyServer() as server, feeding(server, names=names, limits=limits) as (_, events):
        first, second = await subscribed(server, 2), await subscribed(server, 1, peer=1)
        assert ({t["sub"] for t in first.texts}, {t["sub"] for t in second.texts}) == ({"AX", "BX"}, {"CX"})
        assert let_through[1] - asked[0] >= 0.299  # timers have milliseconds
        await second.say_book("CX", "whole", 1)
        await aeventually(lambda: events, "an event of the second connection")


def test_wrong_names_are_refused_when_the_feed_is_made() -> None:
    with pytest.raises(UnknownExchange):
        WebSocketDataFeed("nowhere")
    with pytest.raises(UnknownChannel):
        WebSocketDataFeed("binance", ["BTCUSDT"], ["trades"])


async def test_what_is_given_wins_over_the_settings(make_feed: MakeFeed) -> None:
    async with ToyServer() as server:
        config = make_feed(server).config
    feed = WebSocketDataFeed(symbols=["B-X"], channels=["ticker"], feed=config)
    assert (feed.config.symbols, feed.config.channels, feed.config.urls) == (("B-X",), ("ticker",), server.urls)


@pytest.mark.parametrize(("host", "warnings"), [("exchange.invalid", 1), ("127.0.0.1", 0)])
async def test_plain_text_off_this_machine_is_warned_about_once(
    make_feed: MakeFeed, host: str, warnings: int, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("tickwire.wire.naming._LISTING_S", 0.05)
    server = ToyServer()
    server.address = f"{host}:{free_port()}"
    feed = make_feed(server)
    async with feed:
        await aeventually(lambda: any(r.name == "tickwire.wire.reconnector" for r in caplog.records), "an attempt")
    assert len([r for r in caplog.records if r.name == "tickwire.wire.arguments"]) == warnings


async def test_a_feed_whose_reading_is_paused_can_be_stopped(make_feed: MakeFeed) -> None:
    async with ToyServer() as server:
        feed = make_feed(server)
        async with feed:
            peer = await subscribed(server)
            feed._flow.pause()
        assert {"unsub": "AX"} in peer.texts
