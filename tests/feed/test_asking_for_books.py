"""A feed is asked for its books."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from feed.conftest import MakeFeed
from feed.simulator_support import publishing, urls_of
from feed.test_feed_on_simulator import truth
from feed.toy_server import ToyServer, subscribed
from kafka.mock_cluster import MockCluster
from support import aeventually
from tickwire import BookNow, FeedConfig, KafkaConfig, OrderBook, WebSocketDataFeed, simulator
from tickwire.simulator.server import SimulatedExchange


def reading(exchange: SimulatedExchange, **settings: Any) -> WebSocketDataFeed:
    config = FeedConfig(exchange=exchange.name, symbols=list(exchange.books(1)), urls=urls_of(exchange), **settings)
    return WebSocketDataFeed(feed=config, kafka=KafkaConfig(enabled=False))


def books(feed: WebSocketDataFeed, exchange: SimulatedExchange) -> dict[str, Any]:
    found = {symbol: feed.book(symbol, 10) for symbol in exchange.books(1)}
    return {s: book and (list(map(list, book.bids)), list(map(list, book.asks))) for s, book in found.items()}


@pytest.fixture(params=["callbacks", "kafka alone"])
async def cluster(request: pytest.FixtureRequest) -> AsyncIterator[str | None]:
    """Addresses of a Kafka that takes everything, so that what is compiled follows the books, or None."""
    if request.param == "callbacks":
        yield None
        return
    with MockCluster() as kafka:
        kafka.create_topic("ticks.v1.raw")
        kafka.create_topic("orderbook.v1.raw")
        yield kafka.bootstrap


@pytest.mark.parametrize("name", simulator.names())
@pytest.mark.parametrize("mode", ["delta", "snapshot"])
async def test_a_book_that_is_asked_for_is_the_exchanges(
    name: str, mode: str, cluster: str | None, tmp_path: Path
) -> None:
    settings = {"orderbook_mode": mode, "orderbook_depth": 10}
    async with SimulatedExchange(name, symbols=2, rate=1000) as exchange:
        feed = reading(exchange, **settings) if cluster is None else publishing(exchange, cluster, tmp_path, **settings)
        symbol = next(iter(exchange.books(1)))
        async with feed:
            await aeventually(lambda: (book := feed.book(symbol)) and book.book_seq > 50, "changes")
            await exchange.freeze()
            await aeventually(lambda: books(feed, exchange) == truth(exchange), "the exchange's books")
            book = feed.book(symbol)
        assert book is not None
        assert (book.valid, book.reason, book.best_bid, book.best_ask) == (True, None, book.bids[0], book.asks[0])
        after = feed.book(symbol)
        assert after is not None
        assert (after.valid, after.reason, after.bids, after.best_bid) == (False, "disconnect", [], None)
        assert (after.epoch, after.book_seq) == (book.epoch, book.book_seq + 1)


async def test_a_callback_that_comes_later_goes_on_from_the_book_that_was_asked_for() -> None:
    async with SimulatedExchange("kraken", symbols=1, rate=300) as exchange, reading(exchange) as feed:
        (symbol,) = exchange.books(1)
        await aeventually(lambda: (book := feed.book(symbol)) and book.valid, "the book")
        events: list[OrderBook] = []

        def later(event: Any) -> None:
            if isinstance(event, OrderBook):
                events.append(event)

        feed.add_callback(later)
        book = feed.book(symbol)
        await aeventually(lambda: len(events) > 20, "changes")
    assert isinstance(book, BookNow)
    assert [e.book_seq for e in events[:20]] == list(range(book.book_seq + 1, book.book_seq + 21))
    assert {e.epoch for e in events} == {book.epoch}


async def test_a_book_is_found_by_any_spelling_and_says_why_it_is_not_valid(make_feed: MakeFeed) -> None:
    async with ToyServer() as server:
        feed = make_feed(server)
        assert feed.book("A-X") is None  # nothing is known before the start
        async with feed:
            peer = await subscribed(server)
            for name in ("A-X", "AX", "a/x", "ax"):
                book = feed.book(name)
                assert book is not None
                assert (book.symbol, book.valid, book.reason, book.epoch) == ("A-X", False, "initial", 0)
            await peer.say_book("AX", "whole", 1, bids=[["2", "1"], ["1", "1"]])
            await aeventually(lambda: (book := feed.book("AX")) and book.valid, "the book")
            book = feed.book("AX", depth=1)
            assert book is not None
            assert (book.bids, book.asks, book.sequence, book.best_ask) == ([("2", "1")], [], 1, None)
            await peer.say_book("AX", "change", 5)
            await aeventually(lambda: (book := feed.book("AX")) and book.reason == "gap", "the gap")
            with pytest.raises(KeyError, match="A-X"):
                feed.book("B-X")


async def test_a_feed_of_tickers_has_no_books(make_feed: MakeFeed) -> None:
    async with ToyServer() as server, make_feed(server, channels=("ticker",)) as feed:
        await subscribed(server)
        with pytest.raises(KeyError):
            feed.book("A-X")
