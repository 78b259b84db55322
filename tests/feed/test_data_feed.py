"""What a feed hands out, and how it begins and ends."""

import asyncio
import json
from collections.abc import Callable
from time import monotonic
from typing import Any

import pytest
from aiohttp import web

from feed.conftest import Feeding
from feed.toy_server import Peer, ToyServer
from support import aeventually, free_port
from tickwire import metrics
from tickwire.data_feed import WebSocketDataFeed
from tickwire.errors import SubscriptionRefused, UnknownChannel, UnknownExchange, UnknownSymbol
from tickwire.events.types import OrderBook, Ticker
from tickwire.exchanges.contract import Symbol
from tickwire.exchanges.symbols import Listing
from tickwire.wire.reconnector import Gate

MakeFeed = Callable[..., WebSocketDataFeed]


async def subscribed(server: ToyServer, count: int = 1, peer: int = 0) -> Peer:
    """The server's side of a connection once it has *count* subscriptions."""

    def ready() -> bool:
        return len(server.peers) > peer and sum("sub" in t for t in server.peers[peer].texts) >= count

    await aeventually(ready, "the subscription")
    return server.peers[peer]


def shape(event: Any) -> tuple[Any, ...]:
    """An event without its times."""
    if isinstance(event, Ticker):
        return ("ticker", event.symbol, event.bid)
    reason = event.reason if isinstance(event.reason, str) else None
    return (event.action, event.symbol, event.book_seq, reason, event.bids)


async def test_frames_of_the_exchange_become_numbered_events_in_their_order(feeding: Feeding) -> None:
    async with ToyServer() as server, feeding(server, channels=("ticker", "orderbook")) as (feed, events):
        peer = await subscribed(server, 2)
        await peer.say_book("AX", "whole", 7, bids=[["1.50", "2.0"]])
        await peer.say(name="AX", bid="1.50")
        await peer.say_book("AX", "change", 8, bids=[["1.50", "0"]])
        await aeventually(lambda: len(events) == 3, "three events")

    assert [shape(e) for e in events] == [
        ("snapshot", "A-X", 0, "initial", [("1.50", "2.0")]),
        ("ticker", "A-X", "1.50"),
        ("delta", "A-X", 1, None, [("1.50", "0")]),
        ("invalid", "A-X", 2, "disconnect", []),
    ]
    times = [e.received_us for e in events]
    assert times == sorted(times)
    counts = feed.accounting()
    assert counts["frames_received"] == 5  # two acknowledgements
    assert counts["events"] == {"ticker": 1, "orderbook": 3, "trade": 0}
    assert not any(counts["frames_rejected"].values())


async def test_a_gap_makes_the_book_invalid_until_its_next_snapshot(feeding: Feeding) -> None:
    def counts() -> tuple[float, float]:
        return metrics.GAPS.labels("toy")._value.get(), metrics.RESYNCS.labels("toy", "gap")._value.get()

    before = counts()
    async with ToyServer() as server, feeding(server) as (_, events):
        peer = await subscribed(server)
        for kind, number in (("whole", 1), ("change", 2), ("change", 4), ("change", 5), ("whole", 9), ("change", 10)):
            await peer.say_book("AX", kind, number)
        await aeventually(lambda: len(events) == 5, "five events")
        await aeventually(lambda: {"again": "AX", "why": "gap"} in peer.texts, "the new subscription")

    found = [shape(e)[::2] for e in events]
    assert [(e.action, e.book_seq) for e in events[:5]] == [
        ("snapshot", 0), ("delta", 1), ("invalid", 2), ("snapshot", 0), ("delta", 1),
    ], found  # fmt: skip
    assert (events[2].reason, events[3].reason) == ("gap", "resync")
    assert events[3].epoch > events[2].epoch
    assert counts() == (before[0] + 1, before[1] + 1)


async def test_books_are_counted_by_state_while_the_feed_runs(feeding: Feeding) -> None:
    def books() -> tuple[float, float]:
        return metrics.BOOKS.labels("toy", "valid")._value.get(), metrics.BOOKS.labels("toy", "resyncing")._value.get()

    before = books()
    async with ToyServer() as server, feeding(server, names=("A-X", "B-X")):
        peer = await subscribed(server, 2)
        assert books() == (before[0], before[1] + 2)
        await peer.say_book("AX", "whole", 1)
        await aeventually(lambda: books() == (before[0] + 1, before[1] + 1), "one valid book")
    assert books() == before


async def test_keyframes_repeat_the_book_as_it_stands(feeding: Feeding) -> None:
    async with ToyServer() as server, feeding(server, orderbook_keyframe_seconds=1) as (_, events):
        peer = await subscribed(server)
        await peer.say_book("AX", "whole", 1, bids=[["1", "1"], ["0.5", "2"]])
        await peer.say_book("AX", "change", 2, bids=[["1", "0"]])
        await aeventually(lambda: len(events) >= 4, "two keyframes", seconds=5)

    assert [shape(e) for e in events[2:4]] == [
        ("snapshot", "A-X", 2, "keyframe", [("0.5", "2")]),
        ("snapshot", "A-X", 3, "keyframe", [("0.5", "2")]),
    ]


async def test_snapshot_mode_writes_the_top_when_it_changed_and_only_then(feeding: Feeding) -> None:
    settings = {"orderbook_mode": "snapshot", "orderbook_depth": 2}
    async with ToyServer() as server, feeding(server, **settings) as (_, events):
        peer = await subscribed(server)
        await peer.say_book("AX", "whole", 1, bids=[["5", "1"], ["4", "1"], ["3", "1"]])
        await peer.say_book("AX", "change", 2, bids=[["3", "9"]])  # below the top
        await peer.say_book("AX", "change", 3, bids=[["5", "0"]])
        await peer.say_book("AX", "change", 9)
        await aeventually(lambda: len(events) == 3, "three events")

    assert [shape(e) for e in events] == [
        ("snapshot", "A-X", 0, "initial", [("5", "1"), ("4", "1")]),
        ("snapshot", "A-X", 1, "update", [("4", "1"), ("3", "9")]),
        ("invalid", "A-X", 2, "gap", []),
    ]
    assert [e.depth for e in events[:2]] == [2, 2]
    assert events[1].sequence == 3


@pytest.mark.parametrize(("asked", "written", "warnings"), [(17, 17, 1), (9999, 100, 1), (25, 25, 0)])
async def test_a_depth_that_is_not_on_offer_is_told_and_nothing_more_is_promised(
    feeding: Feeding, asked: int, written: int, warnings: int, caplog: pytest.LogCaptureFixture
) -> None:
    settings = {"orderbook_mode": "snapshot", "orderbook_depth": asked, "limits": {"book_depths": (10, 25, 100)}}
    async with ToyServer() as server, feeding(server, **settings) as (_, events):
        peer = await subscribed(server)
        await peer.say_book("AX", "whole", 1, bids=[["5", "1"]])
        await aeventually(lambda: events, "the book")
    assert events[0].depth == written
    assert len([r for r in caplog.records if r.name == "tickwire.wire.adapters"]) == warnings


async def test_snapshot_mode_with_an_interval_writes_only_the_newest_state(feeding: Feeding) -> None:
    settings = {"orderbook_mode": "snapshot", "orderbook_depth": 1, "orderbook_interval_ms": 200}
    async with ToyServer() as server, feeding(server, **settings) as (_, events):
        peer = await subscribed(server)
        await peer.say_book("AX", "whole", 1, bids=[["5", "1"]])
        await aeventually(lambda: events, "the snapshot")
        for number in range(2, 42):
            await peer.say_book("AX", "change", number, bids=[["5", str(number)]])
        await aeventually(lambda: events[-1].bids == [("5", "41")], "the newest state")

    written = [e for e in events if e.reason == "update"]
    assert 1 <= len(written) <= 4
    assert [e.book_seq for e in events] == list(range(len(events)))


async def test_async_and_plain_callbacks_get_every_event_in_order_though_some_raise(make_feed: MakeFeed) -> None:
    plain: list[str] = []
    slow: list[str] = []

    def broken(event: Any) -> None:
        raise ValueError("a callback's own trouble")

    async def later(event: Any) -> None:
        await asyncio.sleep(0.001)
        slow.append(event.bid)
        if event.bid == "3":
            raise ValueError("an async callback's own trouble")

    async with ToyServer() as server:
        feed = make_feed(server, channels=("ticker",))
        for callback in (broken, later, lambda e: plain.append(e.bid)):
            feed.add_callback(callback)
        assert len(feed.callbacks) == 3
        async with feed:
            peer = await subscribed(server)
            for bid in range(20):
                await peer.say(name="AX", bid=str(bid))
            await aeventually(lambda: len(plain) == 20, "all events")
            added: list[Any] = []
            feed.add_callback(added.append)
            await peer.say(name="AX", bid="last")
            await aeventually(lambda: added, "the event for the callback that came later")

    assert plain == slow == [*map(str, range(20)), "last"]
    assert feed.accounting()["callback_errors"] == 22


async def test_a_slow_async_callback_stops_the_reading_of_sockets(
    make_feed: MakeFeed, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tickwire.wire.callbacks.HIGH_WATER", 100)
    monkeypatch.setattr("tickwire.wire.callbacks.LOW_WATER", 10)
    go_on = asyncio.Event()
    got: list[str] = []

    async def slow(event: Any) -> None:
        await go_on.wait()
        got.append(event.bid)

    limits = {"silence_s": 0.5, "ping_interval_s": 0.2}
    async with ToyServer() as server:
        feed = make_feed(server, channels=("ticker",), limits=limits)
        feed.add_callback(slow)
        async with feed:
            peer = await subscribed(server)
            padding = "x" * 1000
            total = 20_000  # 20 MB: more than what the sockets hold
            for bid in range(total):
                peer.raw(_text_frame(json.dumps({"name": "AX", "bid": str(bid), "padding": padding}).encode()))
            await aeventually(lambda: feed.accounting()["events"]["ticker"] >= 100, "the queue to fill")
            stuck = feed.accounting()["events"]["ticker"]
            await asyncio.sleep(1.0)  # twice the silence that would end a connection which is read
            assert feed.accounting()["events"]["ticker"] == stuck < total
            assert peer.unwritten() > 0
            assert len(server.peers) == 1
            go_on.set()
            await aeventually(lambda: len(got) == total, "every event", seconds=60)

    assert got == list(map(str, range(total)))


def _text_frame(payload: bytes) -> bytes:
    assert 125 < len(payload) < 65536
    return bytes([0x81, 126]) + len(payload).to_bytes(2, "big") + payload


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


async def test_an_order_book_message_is_its_own_object(feeding: Feeding) -> None:
    """Callbacks may keep what they get."""
    async with ToyServer() as server, feeding(server, orderbook_mode="snapshot") as (_, events):
        peer = await subscribed(server)
        await peer.say_book("AX", "whole", 1, bids=[["1", "1"]])
        await peer.say_book("AX", "change", 2, bids=[["2", "1"]])
        await aeventually(lambda: len(events) == 2, "two events")
        assert isinstance(events[0], OrderBook)
        assert events[0].bids == [("1", "1")]
        assert events[1].bids == [("2", "1"), ("1", "1")]


async def test_the_age_of_the_last_frame_is_that_of_the_quietest_connection_of_all_feeds(feeding: Feeding) -> None:
    def ages() -> list[float]:
        samples = next(iter(metrics.LAST_FRAME_AGE.collect())).samples
        return [sample.value for sample in samples if sample.labels == {"exchange": "toy"}]

    limits = {"symbols_per_connection": 1}
    async with ToyServer() as server, feeding(server, names=("A-X", "B-X"), limits=limits):
        busy = await subscribed(server)
        await subscribed(server, peer=1)
        for _ in range(10):
            await busy.say(name=busy.texts[0]["sub"], bid="1")
            await asyncio.sleep(0.05)
        assert 0.4 < ages()[0] < 5
        silent = server.peers[1]
        async with ToyServer() as other, feeding(other):
            await subscribed(other)
            await busy.say(name=busy.texts[0]["sub"], bid="1")
            assert 0.4 < ages()[0] < 5
        await silent.say(name=silent.texts[0]["sub"], bid="1")
        await busy.say(name=busy.texts[0]["sub"], bid="1")
        await aeventually(lambda: ages()[0] < 0.3, "frames on both connections")
    assert ages() == []


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
