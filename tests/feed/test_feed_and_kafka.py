"""Where a feed meets Kafka: with its library, without it, and what a publisher may ask for."""

import asyncio
import importlib.util
import subprocess
import sys
from typing import Any

import pytest

from feed.conftest import MakeFeed
from feed.toy_server import ToyServer, subscribed
from support import aeventually
from tickwire.config.feed_config import FeedConfig
from tickwire.config.kafka_config import KafkaConfig
from tickwire.data_feed import WebSocketDataFeed
from tickwire.errors import KafkaFailed
from tickwire.events.types import OrderBook
from tickwire.kafka.producing.ledger import TopicAccount
from tickwire.kafka.producing.memory import MemoryPublisher


def test_the_publish_callback_is_there_when_kafka_is_enabled_and_its_library_installed() -> None:
    assert len(WebSocketDataFeed(feed=FeedConfig(), kafka=KafkaConfig(enabled=True)).callbacks) == 1
    assert WebSocketDataFeed(feed=FeedConfig(), kafka=KafkaConfig(enabled=False)).callbacks == []


def test_without_the_library_there_is_no_callback_and_one_warning(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    find = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "confluent_kafka" else find(name))
    assert WebSocketDataFeed(feed=FeedConfig(), kafka=KafkaConfig(enabled=True)).callbacks == []
    assert [r.levelname for r in caplog.records] == ["WARNING"]


def test_a_feed_is_made_without_importing_the_library() -> None:
    program = (
        "import sys; sys.modules['confluent_kafka'] = None\n"
        "from tickwire.config.feed_config import FeedConfig\n"
        "from tickwire.config.kafka_config import KafkaConfig\n"
        "from tickwire.data_feed import WebSocketDataFeed\n"
        "WebSocketDataFeed(feed=FeedConfig(), kafka=KafkaConfig())\n"
    )
    subprocess.run([sys.executable, "-c", program], check=True, timeout=60)


@pytest.fixture
def publisher() -> MemoryPublisher:
    return MemoryPublisher(KafkaConfig())


def books(publisher: MemoryPublisher) -> list[OrderBook]:
    return [event for event in publisher.events if isinstance(event, OrderBook)]


def test_a_publisher_has_settings_of_its_own(publisher: MemoryPublisher) -> None:
    with pytest.raises(TypeError, match="leave out kafka"):
        WebSocketDataFeed(feed=FeedConfig(), kafka=KafkaConfig(), publisher=publisher)


async def test_the_publisher_is_opened_before_the_first_event_and_closed_after_the_last(
    make_feed: MakeFeed, publisher: MemoryPublisher
) -> None:
    async with ToyServer() as server:
        feed = make_feed(server, publisher=publisher)
        async with feed:
            await (await subscribed(server)).say_book("AX", "whole", 1)
            await aeventually(lambda: publisher.records, "the snapshot")
    assert [(e.action, e.reason) for e in books(publisher)] == [("snapshot", "initial"), ("invalid", "disconnect")]
    account = feed.accounting()
    assert (account["acknowledged"], account["in_flight"], account["callback_errors"]) == (2, 0, 0)
    with pytest.raises(RuntimeError, match="is closed"):
        publisher.publish(publisher.events[0])


@pytest.mark.parametrize(
    ("account", "code"),
    [
        (TopicAccount(events=2, acknowledged=1, failed=1), 1),
        (TopicAccount(events=2, acknowledged=1, dropped=1), 1),
        (TopicAccount(events=2, acknowledged=1, in_flight=1), 1),
        (TopicAccount(events=2, acknowledged=1, spilled=1), 0),
    ],
)
async def test_the_exit_code_tells_of_lost_records(
    make_feed: MakeFeed, publisher: MemoryPublisher, monkeypatch: pytest.MonkeyPatch, account: TopicAccount, code: int
) -> None:
    monkeypatch.setattr(publisher, "accounting", lambda _: {"orderbook.v1.raw": account})
    async with ToyServer() as server:
        feed = make_feed(server, publisher=publisher)
        running = asyncio.create_task(feed.run_until_signal())
        await subscribed(server)
        await feed.stop()
        assert await running == code


async def test_a_publisher_that_cannot_open_ends_the_run(
    make_feed: MakeFeed, publisher: MemoryPublisher, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail() -> None:
        raise KafkaFailed("no broker answers")

    monkeypatch.setattr(publisher, "open", fail)
    async with ToyServer() as server:
        feed = make_feed(server, publisher=publisher)
        with pytest.raises(KafkaFailed):
            await feed.run()
        assert server.attempts == []


async def test_a_publisher_that_fails_ends_the_run_in_order_with_its_error(
    make_feed: MakeFeed, publisher: MemoryPublisher
) -> None:
    async with ToyServer() as server:
        running = asyncio.create_task(make_feed(server, publisher=publisher).run())
        peer = await subscribed(server)
        await peer.say_book("AX", "whole", 1)
        await aeventually(lambda: publisher.records, "the snapshot")
        publisher.flows.failed(KafkaFailed("first"))
        publisher.flows.failed(KafkaFailed("second"))
        with pytest.raises(KafkaFailed, match="first"):
            await running
        assert books(publisher)[-1].reason == "disconnect"
        assert {"unsub": "AX"} in peer.texts


async def test_an_overflow_in_the_middle_of_a_frame_restarts_that_book_alone(
    make_feed: MakeFeed, publisher: MemoryPublisher
) -> None:
    async with ToyServer() as server:
        feed = make_feed(server, names=("A-X", "B-X"), publisher=publisher)

        def no_room(event: Any) -> None:
            if event.sequence == 2:
                publisher.flows.restart("toy", "AX", "overflow")
                publisher.flows.restart("toy", "AX", "overflow")
                publisher.flows.restart("toy", "unheard of", "overflow")

        feed.add_callback(no_room)
        async with feed:
            peer = await subscribed(server, 2)
            for name, number in (("AX", 1), ("BX", 1), ("AX", 2), ("BX", 3)):
                await peer.say_book(name, "whole" if number == 1 else "change", number)
            await aeventually(lambda: {"again": "AX", "why": "overflow"} in peer.texts, "the new subscription")
            assert peer.texts.count({"again": "AX", "why": "overflow"}) == 1
            await aeventually(lambda: len(publisher.records) == 5, "the events")
            found = [(e.exchange_symbol, e.action, e.reason) for e in books(publisher)[3:]]
            assert sorted(found) == [("AX", "invalid", "overflow"), ("BX", "invalid", "gap")]


async def test_the_end_of_an_epoch_that_a_snapshot_replaced_is_said_to_the_publisher_that_asks_and_counted(
    make_feed: MakeFeed, publisher: MemoryPublisher
) -> None:
    async with ToyServer() as server, make_feed(server, publisher=publisher) as feed:
        peer = await subscribed(server)
        for action, number in (("whole", 1), ("change", 2), ("whole", 7)):
            await peer.say_book("AX", action, number)
        await aeventually(lambda: len(publisher.records) == 3, "the events")
        first = books(publisher)[0]
        assert publisher.flows.replaced("toy", "unheard of") is None
        assert publisher.flows.replaced("other", "AX") is None
        word = publisher.flows.replaced("toy", "AX")
        assert word is not None
        assert (word.action, word.reason, word.epoch, word.book_seq) == ("invalid", "overflow", first.epoch, 2)
        assert publisher.flows.replaced("toy", "AX") is None
        assert feed.accounting()["events"]["orderbook"] == 4


async def test_reading_goes_on_when_everybody_who_paused_it_has_room_again(make_feed: MakeFeed) -> None:
    events: list[Any] = []
    async with ToyServer() as server:
        feed = make_feed(server, channels=("ticker",))
        feed.add_callback(events.append)
        feed._flow.pause()  # before anything is open
        async with feed:
            await aeventually(lambda: server.requests, "the listing")
            await asyncio.sleep(0.2)
            assert server.attempts == []
            feed._flow.resume()
            peer = await subscribed(server)
            feed._flow.pause()
            feed._flow.pause("another")
            await peer.say(name="AX", bid="1")
            await asyncio.sleep(0.2)
            feed._flow.resume()
            feed._flow.resume()
            await asyncio.sleep(0.2)
            assert events == []
            feed._flow.resume("another")
            await aeventually(lambda: events, "the ticker")
