"""Several feeds that publish through one publisher, which belongs to whoever opened it."""

import asyncio
import json
from collections import Counter
from pathlib import Path

import pytest

from consumer_support import read_all
from feed.conftest import MakeFeed
from feed.toy_server import ToyServer, subscribed
from kafka.mock_cluster import MockCluster
from kafka.publishing import config_for
from support import aeventually
from tickwire import FeedConfig, KafkaConfig, WebSocketDataFeed
from tickwire.errors import KafkaFailed, SubscriptionRefused
from tickwire.events.types import OrderBook
from tickwire.kafka.producing.memory import MemoryPublisher
from tickwire.kafka.producing.opening import opened
from tickwire.kafka.producing.publisher import Publisher
from tickwire.simulator.server import SimulatedExchange


def feed_of(exchange: SimulatedExchange, publisher: Publisher | MemoryPublisher) -> WebSocketDataFeed:
    urls = {f"{exchange.name}_ws_url": exchange.ws_url, f"{exchange.name}_rest_url": exchange.rest_url}
    config = FeedConfig(exchange=exchange.name, symbols=list(exchange.books(1)), urls=urls)
    return WebSocketDataFeed(feed=config, publisher=publisher)


async def test_symbols_of_one_name_on_two_exchanges_keep_apart_and_every_record_is_accounted_for(
    tmp_path: Path, unique: str
) -> None:
    with MockCluster() as kafka:
        config = config_for(kafka.bootstrap, unique, spill_dir=tmp_path)
        for topic in config.topics:
            kafka.create_topic(topic, 2)
        async with (
            SimulatedExchange("binance", ["BTCUSDT", "ETHUSDT"], 200) as one,
            SimulatedExchange("kraken", ["BTC/USDT", "ETH/USDT"], 200) as other,
            opened(Publisher(config, source="binance+kraken")) as publisher,
        ):
            feeds = [feed_of(exchange, publisher) for exchange in (one, other)]
            async with feeds[0], feeds[1]:
                await aeventually(lambda: all(f.accounting()["acknowledged"] > 200 for f in feeds), "records")
        accounts = {feed.config.exchange: feed.accounting() for feed in feeds}
        symbols, found = set[tuple[str, str]](), Counter[str]()
        for topic in (config.ticker_topic, config.orderbook_topic):
            for record in read_all(config, topic):
                event = json.loads(record.value or b"")
                assert record.key == f"{event['exchange']}|{event['symbol']}".encode()
                symbols.add((event["exchange"], event["symbol"]))
                found[event["exchange"]] += 1
    assert len(symbols) == 2 * len({symbol for _, symbol in symbols})  # so there were symbols of one name
    for exchange, account in accounts.items():
        assert sum(account["events"].values()) == account["acknowledged"] == found[exchange]


async def test_one_feed_that_fails_leaves_the_publisher_to_the_other(make_feed: MakeFeed) -> None:
    async with ToyServer() as server, ToyServer() as failing, opened(MemoryPublisher(KafkaConfig())) as publisher:
        failing.refuse = {"BX"}
        one, other = make_feed(server, publisher=publisher), make_feed(failing, ("B-X",), publisher=publisher)
        async with one:
            with pytest.raises(SubscriptionRefused):
                await other.run()
            await (await subscribed(server)).say_book("AX", "whole", 1)
            await aeventually(lambda: publisher.records, "the snapshot")
        assert publisher.started
    books = [event for event in publisher.events if isinstance(event, OrderBook)]
    assert [(book.symbol, book.action) for book in books] == [("A-X", "snapshot"), ("A-X", "invalid")]


async def test_a_publisher_that_fails_ends_every_feed_and_says_so_to_whoever_opened_it(make_feed: MakeFeed) -> None:
    async def both_run(server: ToyServer, another: ToyServer) -> None:
        async with opened(MemoryPublisher(KafkaConfig())) as publisher:
            feeds = make_feed(server, publisher=publisher), make_feed(another, ("B-X",), publisher=publisher)
            running = [asyncio.create_task(feed.run()) for feed in feeds]
            await subscribed(server)
            await subscribed(another)
            publisher.flows.failed(KafkaFailed("no more"))
            ended = await asyncio.gather(*running, return_exceptions=True)
            assert [str(error) for error in ended] == ["no more", "no more"]

    async with ToyServer() as server, ToyServer() as another:
        with pytest.raises(KafkaFailed, match="no more"):
            await both_run(server, another)


async def test_what_is_on_its_way_when_a_feed_ends_is_for_the_publisher_to_deliver(tmp_path: Path, unique: str) -> None:
    with MockCluster() as kafka:
        config = config_for(kafka.bootstrap, unique, spill_dir=tmp_path)
        for topic in config.topics:
            kafka.create_topic(topic, 1)
        async with SimulatedExchange("binance", rate=200) as exchange:
            async with opened(Publisher(config, source="binance")) as publisher:
                feed = feed_of(exchange, publisher)
                running = asyncio.create_task(feed.run_until_signal())
                await aeventually(lambda: feed.accounting()["acknowledged"], "the first record")
                kafka.set_round_trip(2000)
                await feed.stop()
                assert await running == 0
                assert feed.accounting()["in_flight"] > 0
            assert feed.accounting()["in_flight"] == 0
        assert sum(feed.accounting()["events"].values()) == feed.accounting()["acknowledged"]
