"""What a feed hands out."""

import asyncio
import json
from typing import Any

import pytest

from feed.conftest import Feeding, MakeFeed
from feed.toy_server import ToyServer, subscribed
from support import aeventually
from tickwire import metrics
from tickwire.events.types import OrderBook, Ticker


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
