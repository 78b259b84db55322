"""Where a feed meets Kafka: with its library, without it, and what a publisher may ask for."""

import asyncio
import importlib.util
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from feed.test_data_feed import subscribed
from feed.toy_server import ToyServer
from support import aeventually
from tickwire.config.feed_config import FeedConfig
from tickwire.config.kafka_config import KafkaConfig
from tickwire.data_feed import WebSocketDataFeed
from tickwire.errors import KafkaFailed
from tickwire.kafka.producing.ledger import RecoveredAccount, TopicAccount

MakeFeed = Callable[..., WebSocketDataFeed]


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


class FakePlace:
    """Records nothing."""

    folder = Path("unused")
    epochs = None

    def serve(self, kinds: object, symbols: object, of: object, *, names: bool) -> None: ...


class FakePublisher:
    """Records what a feed does with its publisher."""

    def __init__(self, fail: bool = False, account: TopicAccount | None = None) -> None:
        self.account = account
        self.steps: list[str] = []
        self.events: list[Any] = []
        self.place = FakePlace()
        self.direct = None
        self._fail = fail

    def open(self) -> None:
        self.steps.append("open")
        if self._fail:
            raise KafkaFailed("no broker answers")

    def start(self, loop: asyncio.AbstractEventLoop) -> None:
        self.steps.append("start")

    def publish(self, event: Any) -> None:
        self.events.append(event)

    async def close(self, seconds: float) -> int:
        self.steps.append(f"close after {len(self.events)}")
        return 0

    def accounting(self) -> dict[str, TopicAccount]:
        return {} if self.account is None else {"orderbook.v1.raw": self.account}

    def recovered(self) -> RecoveredAccount:
        return RecoveredAccount()


def wire(feed: WebSocketDataFeed, publisher: FakePublisher) -> None:
    feed._publisher = publisher  # type: ignore[assignment]
    feed.callbacks.append(publisher.publish)


async def test_the_publisher_is_opened_before_the_first_event_and_closed_after_the_last(make_feed: MakeFeed) -> None:
    publisher = FakePublisher()
    async with ToyServer() as server:
        feed = make_feed(server)
        wire(feed, publisher)
        async with feed:
            await (await subscribed(server)).say_book("AX", "whole", 1)
            await aeventually(lambda: publisher.events, "the snapshot")
    assert publisher.steps == ["open", "start", "close after 2"]
    assert publisher.events[-1].reason == "disconnect"
    assert feed.accounting()["in_flight"] == 0


@pytest.mark.parametrize(
    ("account", "code"),
    [
        (TopicAccount(events=2, acknowledged=1, failed=1), 1),
        (TopicAccount(events=2, acknowledged=1, dropped=1), 1),
        (TopicAccount(events=2, acknowledged=1, in_flight=1), 1),
        (TopicAccount(events=2, acknowledged=1, spilled=1), 0),
    ],
)
async def test_the_exit_code_tells_of_lost_records(make_feed: MakeFeed, account: TopicAccount, code: int) -> None:
    async with ToyServer() as server:
        feed = make_feed(server)
        wire(feed, FakePublisher(account=account))
        running = asyncio.create_task(feed.run_until_signal())
        await subscribed(server)
        await feed.stop()
        assert await running == code


async def test_a_publisher_that_cannot_open_ends_the_run(make_feed: MakeFeed) -> None:
    async with ToyServer() as server:
        feed = make_feed(server)
        wire(feed, FakePublisher(fail=True))
        with pytest.raises(KafkaFailed):
            await feed.run()
        assert server.attempts == []


async def test_a_publisher_that_fails_ends_the_run_in_order_with_its_error(make_feed: MakeFeed) -> None:
    publisher = FakePublisher()
    async with ToyServer() as server:
        feed = make_feed(server)
        wire(feed, publisher)
        running = asyncio.create_task(feed.run())
        peer = await subscribed(server)
        await peer.say_book("AX", "whole", 1)
        await aeventually(lambda: publisher.events, "the snapshot")
        feed._flow.failed(KafkaFailed("first"))
        feed._flow.failed(KafkaFailed("second"))
        with pytest.raises(KafkaFailed, match="first"):
            await running
        assert publisher.steps[-1] == "close after 2"
        assert {"unsub": "AX"} in peer.texts


async def test_an_overflow_in_the_middle_of_a_frame_restarts_that_book_alone(make_feed: MakeFeed) -> None:
    publisher = FakePublisher()
    async with ToyServer() as server:
        feed = make_feed(server, names=("A-X", "B-X"))
        wire(feed, publisher)

        def no_room(event: Any) -> None:
            if event.sequence == 2:
                feed._flow.restart("AX", "overflow")
                feed._flow.restart("AX", "overflow")
                feed._flow.restart("unheard of", "overflow")

        feed.add_callback(no_room)
        async with feed:
            peer = await subscribed(server, 2)
            for name, number in (("AX", 1), ("BX", 1), ("AX", 2), ("BX", 3)):
                await peer.say_book(name, "whole" if number == 1 else "change", number)
            await aeventually(lambda: {"again": "AX", "why": "overflow"} in peer.texts, "the new subscription")
            assert peer.texts.count({"again": "AX", "why": "overflow"}) == 1
            await aeventually(lambda: len(publisher.events) == 5, "the events")
            found = [(e.exchange_symbol, e.action, e.reason) for e in publisher.events[3:]]
            assert sorted(found) == [("AX", "invalid", "overflow"), ("BX", "invalid", "gap")]


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
