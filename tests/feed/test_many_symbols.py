"""Feeds of patterns: what they read, and that hundreds of symbols start within an exchange's limits."""

from collections import Counter

import pytest
from aiohttp import web

from feed.conftest import Feeding, MakeFeed
from feed.toy_server import ToyServer, subscribed
from support import aeventually
from tickwire.config.feed_config import FeedConfig
from tickwire.config.kafka_config import KafkaConfig
from tickwire.data_feed import WebSocketDataFeed
from tickwire.errors import UnfitPattern
from tickwire.exchanges import binance, load
from tickwire.simulator.server import SimulatedExchange


async def test_patterns_and_names_are_read_each_symbol_once(feeding: Feeding) -> None:
    names, limits = ("C-Y", "*-X", "!B*", "A-X"), {"symbols_per_connection": 9}
    async with ToyServer(listed=("A-X", "B-X", "C-Y", "D-X")) as server, feeding(server, names=names, limits=limits):
        peer = await subscribed(server, 3)
        assert [text["sub"] for text in peer.texts] == ["CY", "AX", "DX"]


async def test_a_pattern_that_takes_nothing_ends_the_start(make_feed: MakeFeed) -> None:
    async with ToyServer() as server:
        with pytest.raises(UnfitPattern, match="A-X, B-X, C-X"):
            await make_feed(server, names=("A-X", "*-Y")).run()
    assert server.attempts == []


@pytest.mark.parametrize("listing", ["down", "garbage", "refused", "empty"])
async def test_patterns_wait_for_the_listing(feeding: Feeding, listing: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tickwire.wire.naming.LONG_S", 0.3)
    monkeypatch.setattr("tickwire.wire.naming._AGAIN_S", 0.02)
    text = "[]" if listing == "empty" else "}"

    async def answer(request: web.Request) -> web.StreamResponse:
        return web.Response(status={"down": 503, "refused": 451}.get(listing, 200), text=text)

    async with ToyServer(listed=None) as server:
        server.rest = answer
        async with feeding(server, names=("ALL",)):
            await aeventually(lambda: len(server.requests) >= 3, "more than one attempt")
            assert server.attempts == []
            server.listed = ("A-X",)
            peer = await subscribed(server)
            assert peer.texts[0]["sub"] == "AX"


def feed_of(exchange: SimulatedExchange, *channels: str) -> WebSocketDataFeed:
    urls = {f"{exchange.name}_ws_url": exchange.ws_url, f"{exchange.name}_rest_url": exchange.rest_url}
    config = FeedConfig(exchange=exchange.name, symbols=["ALL"], channels=channels, urls=urls)
    return WebSocketDataFeed(feed=config, kafka=KafkaConfig(enabled=False))


@pytest.mark.parametrize("name", ["binance", "kraken"])
async def test_everything_is_read_over_as_many_connections_as_it_takes(name: str) -> None:
    count, limits = 400, load(name).EXCHANGE
    async with SimulatedExchange(name, symbols=count, rate=4000) as exchange:
        feed, seen = feed_of(exchange, "ticker"), Counter[str]()
        feed.add_callback(lambda event: seen.update([event.symbol]))
        async with feed:
            await aeventually(lambda: len(seen) == count, "a ticker of every symbol", 60)
            assert exchange.stats["connections"] == -(-count // limits.symbols_per_connection)
            assert exchange.stats["subscriptions"]["ticker"] == count
            assert not any(feed.accounting()["frames_rejected"].values())


async def test_more_books_than_a_minute_allows_whole_snapshots_of_are_valid_in_it() -> None:
    """Those of 1,000 levels cost 50, and the exchange refuses what goes over its limit: the cheapest come first."""
    (limit,), listing = binance.EXCHANGE.rest_limits, binance.EXCHANGE.listing_weight
    count = 2 * ((limit.weight - listing) // 50)
    async with SimulatedExchange("binance", symbols=count, rate=1000) as exchange:
        feed = feed_of(exchange, "orderbook")
        async with feed:
            await aeventually(lambda: valid(feed) == count, "all books", limit.seconds - 10)
            assert exchange.stats["answers"].keys() == {"200"}


def valid(feed: WebSocketDataFeed) -> int:
    return sum(book["state"] == "valid" for book in feed.accounting()["books"].values())
