"""Feeds on the toy exchange."""

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any

import pytest

from feed.toy_exchange import toy
from feed.toy_server import ToyServer
from tickwire import exchanges
from tickwire.config.feed_config import FeedConfig
from tickwire.config.kafka_config import KafkaConfig
from tickwire.config.share import WHOLE, GroupShare
from tickwire.data_feed import WebSocketDataFeed
from tickwire.kafka.producing.memory import MemoryPublisher
from tickwire.wire.books import EpochsOf

MakeFeed = Callable[..., WebSocketDataFeed]
Feeding = Callable[..., AbstractAsyncContextManager[tuple[WebSocketDataFeed, list[Any]]]]


@pytest.fixture
def make_feed(monkeypatch: pytest.MonkeyPatch) -> MakeFeed:
    """Make a feed of the toy exchange behind a server; keywords of the settings, and ``limits`` of the exchange."""

    def make(server: ToyServer, names: tuple[str, ...] = ("A-X",), channels: tuple[str, ...] = ("orderbook",),
             limits: dict[str, Any] | None = None, publisher: MemoryPublisher | None = None,
             epochs: EpochsOf | None = None, **settings: Any) -> WebSocketDataFeed:  # fmt: skip
        module = toy(**(limits or {}))
        monkeypatch.setattr(exchanges, "load", lambda _name: module)
        settings = {"urls": server.urls} | settings
        config = FeedConfig(exchange="toy", symbols=names, channels=channels, **settings)
        kafka = KafkaConfig(enabled=False) if publisher is None else None
        share = WHOLE if epochs is None else GroupShare()
        return WebSocketDataFeed(feed=config, kafka=kafka, publisher=publisher, _share=share, _epochs=epochs)

    return make


@pytest.fixture
def feeding(make_feed: MakeFeed) -> Feeding:
    """Run such a feed in the background; gives it and the list of its events."""

    @asynccontextmanager
    async def run(server: ToyServer, **arguments: Any) -> AsyncIterator[tuple[WebSocketDataFeed, list[Any]]]:
        feed = make_feed(server, **arguments)
        events: list[Any] = []
        feed.add_callback(events.append)
        async with feed:
            yield feed, events

    return run
