"""Callbacks that are slower than the stream: the event loop has its turns, and the end comes in time all the same."""

import asyncio
import json
import time
from functools import partial
from typing import Any

import pytest

from feed.conftest import MakeFeed
from feed.test_feed_and_kafka import books
from feed.toy_server import Peer, ToyServer, subscribed
from support import aeventually
from tickwire.config.kafka_config import KafkaConfig
from tickwire.kafka.producing.memory import MemoryPublisher

SLOW_S = 0.012  # longer than callbacks may take before the event loop has its turn


def say_at_once(peer: Peer, *contents: dict[str, Any]) -> None:
    """Write many messages so that one read of the socket gets as many of them as it has room for."""
    frames = []
    for content in contents:
        payload = json.dumps(content).encode()
        frames.append(bytes([0x81, len(payload)]) + payload if len(payload) < 126 else b"")
        assert frames[-1], "too long for a short frame"
    peer.raw(b"".join(frames))


def tickers(count: int) -> list[dict[str, Any]]:
    return [{"name": "AX", "bid": str(number)} for number in range(count)]


class Turns:
    """Counts the events between two turns of the event loop."""

    def __init__(self) -> None:
        self.since = self.most = 0

    async def watch(self) -> None:
        while True:
            self.most, self.since = max(self.most, self.since), 0
            await asyncio.sleep(0)


async def test_the_event_loop_has_its_turn_between_two_frames(make_feed: MakeFeed) -> None:
    turns = Turns()
    got: list[str] = []

    def slow(event: Any) -> None:
        time.sleep(SLOW_S)
        turns.since += 1
        got.append(event.bid)

    async with ToyServer() as server:
        feed = make_feed(server, channels=("ticker",))
        feed.add_callback(slow)
        async with feed:
            peer = await subscribed(server)
            watching = asyncio.create_task(turns.watch())
            say_at_once(peer, *tickers(60))
            await aeventually(lambda: len(got) == 60, "every event")
            watching.cancel()
    assert turns.most == 1
    assert got == [str(number) for number in range(60)]


async def test_an_async_callback_that_waits_for_nothing_leaves_turns_too(make_feed: MakeFeed) -> None:
    turns = Turns()
    got: list[str] = []

    async def slow(event: Any) -> None:
        time.sleep(SLOW_S)  # noqa: ASYNC251 - what users write
        turns.since += 1
        got.append(event.bid)

    async with ToyServer() as server:
        feed = make_feed(server, channels=("ticker",))
        feed.add_callback(slow)
        async with feed:
            peer = await subscribed(server)
            watching = asyncio.create_task(turns.watch())
            say_at_once(peer, *tickers(60))
            await aeventually(lambda: len(got) == 60, "every event")
            watching.cancel()
    assert turns.most == 1


async def test_after_a_stop_nothing_but_the_end_of_the_books_is_handed_out(make_feed: MakeFeed) -> None:
    events: list[Any] = []

    def slow(event: Any) -> None:
        time.sleep(SLOW_S)
        events.append(event)

    async with ToyServer() as server:
        feed = make_feed(server, channels=("ticker", "orderbook"))
        feed.add_callback(slow)
        running = asyncio.create_task(feed.run())
        peer = await subscribed(server, 2)
        await peer.say_book("AX", "whole", 1)
        say_at_once(peer, *tickers(2000))
        await aeventually(lambda: len(events) > 3, "some events")
        before = len(events)
        async with asyncio.timeout(15):
            await feed.stop()
        await running
        await aeventually(peer.closed.is_set, "the socket to be closed")
    assert before < 1000
    assert [event.action for event in events[before:]] == ["invalid"]
    counts = feed.accounting()
    assert sum(counts["events"].values()) == len(events)
    assert counts["frames_received"] > len(events)  # the others were taken and counted


async def test_what_comes_after_a_stop_is_counted_and_handed_out_to_nobody(make_feed: MakeFeed) -> None:
    events: list[Any] = []

    async def flood(peer: Peer) -> None:
        while not peer.closed.is_set():
            say_at_once(peer, *tickers(10))
            await asyncio.sleep(0.001)

    async with ToyServer() as server:
        feed = make_feed(server, channels=("ticker",))
        feed.add_callback(events.append)
        running = asyncio.create_task(feed.run())
        peer = await subscribed(server)
        flooding = asyncio.create_task(flood(peer))
        await aeventually(lambda: events, "an event")
        before = len(events)
        await feed.stop()
        await running
        await aeventually(flooding.done, "the socket to be closed")
    assert len(events) == before
    assert feed.accounting()["frames_received"] > before + 10


async def test_a_callback_that_blocks_does_not_make_the_end_longer_than_its_limit(
    make_feed: MakeFeed, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tickwire.data_feed._CALLBACKS_S", 0.05)
    publisher = MemoryPublisher(KafkaConfig())
    blocked: list[Any] = []

    def block(event: Any) -> None:
        if event.action == "invalid":
            time.sleep(0.1)
            blocked.append(event)

    async with ToyServer() as server:
        feed = make_feed(server, names=("A-X", "B-X"), publisher=publisher)
        feed.add_callback(block)
        async with feed:
            peer = await subscribed(server, 2)
            await peer.say_book("AX", "whole", 1)
            await peer.say_book("BX", "whole", 1)
            await aeventually(lambda: len(publisher.records) == 2, "both books")
    assert [event.action for event in books(publisher)[2:]] == ["invalid", "invalid"]
    assert len(blocked) == 1


async def test_an_async_callback_that_will_not_be_cancelled_does_not_keep_the_feed(
    make_feed: MakeFeed, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tickwire.data_feed._CALLBACKS_S", 0.05)
    monkeypatch.setattr("tickwire.wire.callbacks._CANCEL_S", 0.05)
    let_go = asyncio.Event()
    ended = asyncio.Event()

    async def deaf(event: Any) -> None:
        while not let_go.is_set():
            try:
                await let_go.wait()
            except asyncio.CancelledError:
                continue
        ended.set()

    async with ToyServer() as server:
        feed = make_feed(server, channels=("ticker",))
        feed.add_callback(deaf)
        running = asyncio.create_task(feed.run())
        peer = await subscribed(server)
        await peer.say(name="AX", bid="1")
        await aeventually(lambda: feed.accounting()["events"]["ticker"], "the event")
        await asyncio.wait_for(feed.stop(), 15)
        await running
        assert not ended.is_set()
        let_go.set()
        await asyncio.wait_for(ended.wait(), 15)


async def test_the_callback_that_the_stream_waits_for_is_named_once(
    make_feed: MakeFeed, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("tickwire.wire.callbacks._LOOK_S", 0.05)
    got: list[str] = []

    def slow(event: Any) -> None:
        time.sleep(SLOW_S)
        got.append(event.bid)

    async with ToyServer() as server:
        feed = make_feed(server, channels=("ticker",))
        feed.add_callback(lambda event: None)
        feed.add_callback(slow)
        async with feed:
            peer = await subscribed(server)
            say_at_once(peer, *tickers(60))
            await aeventually(lambda: len(got) == 60, "every event")
    (record,) = [record for record in caplog.records if record.name == "tickwire.wire.callbacks"]
    callback, takes_ms, of_the_time, behind_s = record.args  # type: ignore[misc]
    assert callback is slow
    assert takes_ms >= SLOW_S * 1000  # type: ignore[operator]
    assert 50 <= of_the_time <= 101  # type: ignore[operator]
    assert behind_s > 0  # type: ignore[operator]


async def test_a_quick_callback_is_not_named_however_many_events_there_are(
    make_feed: MakeFeed, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("tickwire.wire.callbacks._LOOK_S", 0.0)
    monkeypatch.setattr("tickwire.wire.callbacks.TURN_S", 0.0)  # a look after every event
    got: list[Any] = []
    async with ToyServer() as server:
        feed = make_feed(server, channels=("ticker",))
        feed.add_callback(got.append)
        async with feed:
            peer = await subscribed(server)
            for _ in range(20):
                await peer.say(name="AX", bid="1")
                await asyncio.sleep(0.001)
            await aeventually(lambda: len(got) == 20, "every event")
    assert [record for record in caplog.records if record.name == "tickwire.wire.callbacks"] == []


@pytest.mark.parametrize(
    "wrap", [lambda f: partial(lambda g, event: g(event), f), lambda f: lambda event: asyncio.ensure_future(f(event))]
)
async def test_a_plain_function_that_answers_with_something_to_await_loses_no_event(
    make_feed: MakeFeed, wrap: Any
) -> None:
    got: list[str] = []

    async def put(event: Any) -> None:
        await asyncio.sleep(0)
        got.append(event.bid)
        if event.bid == "7":
            raise ValueError("a callback's own trouble")

    async with ToyServer() as server:
        feed = make_feed(server, channels=("ticker",))
        feed.add_callback(wrap(put))
        async with feed:
            peer = await subscribed(server)
            say_at_once(peer, *tickers(20))
            await aeventually(lambda: len(got) == 20, "every event")
    assert got == [str(number) for number in range(20)]
    assert feed.accounting()["callback_errors"] == 1


async def _generator(event: Any) -> Any:
    yield event


@pytest.mark.parametrize("wrong", [None, "x", 5, lambda: None, lambda a, b: None, _generator])
def test_what_cannot_be_called_with_an_event_is_refused_at_once(make_feed: MakeFeed, wrong: Any) -> None:
    feed = make_feed(ToyServer())
    with pytest.raises(TypeError, match="a callback is a function of one event"):
        feed.add_callback(wrong)
    assert feed.callbacks == []
