"""Feeds of the real adapters on a simulated exchange, whose books they must end up with whatever goes wrong."""

import gc
from collections import Counter
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import pytest
from msgspec.structs import replace

from support import aeventually
from tickwire import metrics, simulator
from tickwire.config.feed_config import FeedConfig
from tickwire.config.kafka_config import KafkaConfig
from tickwire.data_feed import WebSocketDataFeed
from tickwire.events.book import Book
from tickwire.events.types import OrderBook
from tickwire.exchanges import load
from tickwire.exchanges.kit import DerivedAdapter
from tickwire.exchanges.kit.books import KeptBook
from tickwire.simulator.server import SimulatedExchange

DEPTH = 10
UNSEEN = {"bitstamp", "coinbase_exchange"}  # nothing in their books says that a change is missing, so none is lost here


def feed_of(exchange: SimulatedExchange, kafka: KafkaConfig | None = None, **settings: Any) -> WebSocketDataFeed:
    name = exchange.name
    config = FeedConfig(
        exchange=name,
        symbols=list(exchange.books(1)),
        orderbook_depth=DEPTH,
        orderbook_keyframe_seconds=1,
        urls={f"{name}_ws_url": exchange.ws_url, f"{name}_rest_url": exchange.rest_url},
        **settings,
    )
    return WebSocketDataFeed(feed=config, kafka=kafka or KafkaConfig(enabled=False))


class Reader:
    """Rebuilds books from events alone, and checks their numbers."""

    def __init__(self) -> None:
        self.books: dict[str, Book] = {}
        self.next: dict[str, tuple[int, int]] = {}
        self.reasons: set[Any] = set()

    def __call__(self, event: Any) -> None:
        if not isinstance(event, OrderBook):
            return
        epoch, number = self.next.get(event.symbol, (0, 0))
        if event.book_seq == 0:
            assert event.action == "snapshot"
            assert event.epoch > epoch
        else:
            assert (event.epoch, event.book_seq) == (epoch, number), event
        self.next[event.symbol] = (event.epoch, event.book_seq + 1)
        self.reasons.add(event.reason)
        if event.action == "snapshot":
            if event.reason == "keyframe":
                book = self.books[event.symbol]
                assert (event.bids, event.asks) == (book.bids.top(), book.asks.top())
            self.books[event.symbol] = Book(event.bids, event.asks)
        elif event.action == "invalid":
            del self.books[event.symbol]
        else:
            self.books[event.symbol].apply(event.bids, event.asks)

    def all_begun_after(self, epochs: Mapping[str, int]) -> bool:
        return all(self.next[symbol][0] > epoch for symbol, epoch in epochs.items())

    def tops(self) -> dict[str, tuple[list[list[str]], list[list[str]]]]:
        return {
            symbol: (list(map(list, book.bids.top(DEPTH))), list(map(list, book.asks.top(DEPTH))))
            for symbol, book in self.books.items()
        }


def truth(exchange: SimulatedExchange) -> dict[str, Any]:
    return {symbol: (book["bids"], book["asks"]) for symbol, book in exchange.books(DEPTH).items()}


def faults_of(name: str) -> list[str]:
    """What an exchange can show, ``rest429`` only where books come over REST."""
    dialect = simulator.load(name)
    losses = [] if name in UNSEEN else ["skip", "corrupt"]
    common = [*losses, "duplicate", "unknown", "binary", "drop", "oversize"]
    return [*common, *sorted(dialect.faults), *(["rest429"] if dialect.snapshot_path else [])]


async def drop(exchange: SimulatedExchange) -> None:
    """End the connection that the next message is sent over."""
    before = exchange.faults.counts["drop"]
    exchange.inject("drop")
    await aeventually(lambda: exchange.faults.counts["drop"] > before, "the fault drop")


def rejections(name: str) -> dict[str, str]:
    """As what the messages of faults are rejected."""
    binary = "binary" if load(name).EXCHANGE.frames == "text" else "malformed"
    losses = {} if name in UNSEEN else {"corrupt": "malformed"}
    return losses | {"unknown": "unknown", "binary": binary, "oversize": "oversize"}


def rejects(feed: WebSocketDataFeed, reason: str) -> int:
    """How many messages a feed has rejected for that reason."""
    found: int = feed.accounting()["frames_rejected"][reason]
    return found


@pytest.fixture
def without_waits(hasty: None, name: str, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Let a feed connect as often, and look at its connections as often, as it likes; and change other limits."""

    def limit(**limits: float) -> None:
        module = load(name)
        monkeypatch.setattr(module, "EXCHANGE", replace(module.EXCHANGE, connect_interval_s=0.05, **limits))
        monkeypatch.setattr("tickwire.wire.deadlines._LONGEST_TICK_S", 0.1)

    limit()
    return limit


@pytest.mark.usefixtures("without_waits")
@pytest.mark.parametrize("name", simulator.names())
@pytest.mark.parametrize("mode", ["delta", "snapshot"])
async def test_the_books_are_the_exchanges_after_every_fault(name: str, mode: str) -> None:
    async with SimulatedExchange(name, symbols=3, rate=400) as exchange:
        reader = Reader()
        feed, rejected = feed_of(exchange, orderbook_mode=mode), rejections(name)
        feed.add_callback(reader)
        async with feed:
            await aeventually(lambda: len(reader.books) == 3, "all books")
            for fault in faults_of(name):
                exchange.inject(fault)
                if fault.startswith(("rest", "stale")):
                    exchange.inject("drop")  # so that something is asked over REST
                await aeventually(partial(exchange.faults.counts.__getitem__, fault), f"the fault {fault}")
                if fault in rejected:  # else the next fault may end the connection before the message is read
                    await aeventually(partial(rejects, feed, rejected[fault]), f"the message of the fault {fault}")
            await aeventually(lambda: len(reader.books) == 3, "all books again", seconds=60)
            while "reconnect" not in reader.reasons:  # HTX has a connection without books, which was the one to end
                await drop(exchange)
                await aeventually(lambda: len(reader.books) == 3, "all books once more", seconds=60)
            await exchange.freeze()
            await aeventually(lambda: reader.tops() == truth(exchange), "the exchange's books", seconds=60)
            counts = feed.accounting()
    assert counts["callback_errors"] == 0
    assert set(rejected.values()) == {r for r, n in counts["frames_rejected"].items() if n}
    assert {"initial", "disconnect", "reconnect"} <= reader.reasons
    assert reader.books == {}


@pytest.mark.usefixtures("without_waits")
@pytest.mark.parametrize("name", ["binance", "kraken", "okx"])  # snapshots over REST, over the socket, over either
async def test_a_connection_that_ended_leaves_no_book_to_the_garbage_collector(name: str) -> None:
    def books() -> int:
        return sum(isinstance(one, KeptBook) for one in gc.get_objects())

    async with SimulatedExchange(name, symbols=3, rate=400) as exchange:
        reader = Reader()
        feed = feed_of(exchange)
        feed.add_callback(reader)
        gc.collect()
        before = books()
        gc.disable()
        try:
            async with feed:
                await aeventually(lambda: len(reader.books) == 3, "all books")
                for _ in range(3):
                    ended = {symbol: epoch for symbol, (epoch, _) in reader.next.items()}
                    exchange.inject("drop")
                    await aeventually(partial(reader.all_begun_after, ended), "books of a new connection", seconds=60)
                    await aeventually(lambda: books() == before + 3, "no other books", seconds=30)
        finally:
            gc.enable()


@pytest.mark.parametrize("name", simulator.names())
@pytest.mark.parametrize("mode", ["delta", "snapshot"])
async def test_books_go_over_to_a_new_connection_without_being_invalid(
    name: str, mode: str, without_waits: Callable[..., None]
) -> None:
    without_waits(max_connection_s=0.5)
    async with SimulatedExchange(name, symbols=3, rate=300) as exchange:
        reader, starts = Reader(), []
        feed = feed_of(exchange, orderbook_mode=mode)
        feed.add_callback(reader)
        feed.add_callback(lambda e: starts.append(e.symbol) if getattr(e, "reason", None) == "reconnect" else None)
        async with feed:
            await aeventually(lambda: len(starts) >= 6, "two new connections", seconds=60)
            await exchange.freeze()
            await aeventually(lambda: reader.tops() == truth(exchange), "the exchange's books", seconds=60)
            assert not reader.reasons & {"gap", "checksum", "crossed", "disconnect", "stale"}
            assert all(book["troubles"] == 0 for book in feed.accounting()["books"].values())
    assert feed.accounting()["callback_errors"] == 0


@pytest.mark.parametrize(("name", "few"), [("binance", 100), ("binance_usdm", 50)])
async def test_books_begin_with_few_levels_and_become_whole_without_being_invalid(name: str, few: int) -> None:
    async with SimulatedExchange(name, symbols=3, rate=300) as exchange:
        reader, begun = Reader(), list[int]()
        feed = feed_of(exchange)
        feed.add_callback(reader)
        feed.add_callback(lambda e: begun.append(len(e.bids)) if getattr(e, "reason", None) == "initial" else None)

        def read() -> list[Any]:
            return [[list(map(list, side.top())) for side in (book.bids, book.asks)] for book in reader.books.values()]

        async with feed:
            await aeventually(lambda: len(reader.books) == 3, "all books")
            await aeventually(lambda: all(len(bids) > 2 * few for bids, _ in read()), "deeper ones")
            await exchange.freeze()
            whole = [[book["bids"], book["asks"]] for book in exchange.books(5000).values()]
            await aeventually(lambda: read() == [whole[list(exchange.books(1)).index(s)] for s in reader.books], "all")
    assert begun == [few] * 3
    assert reader.reasons <= {None, "initial", "keyframe", "disconnect"}


async def test_books_begin_by_rest_where_no_snapshot_comes_over_the_socket(monkeypatch: pytest.MonkeyPatch) -> None:
    dialect = simulator.load("okx")
    monkeypatch.setattr(dialect, "snapshot_path", "/api/v5/market/books")
    monkeypatch.setattr(dialect, "faults", frozenset({"stale"}))
    async with SimulatedExchange("okx", symbols=2, rate=200) as exchange:
        reader = Reader()
        feed = feed_of(exchange)
        feed.add_callback(reader)
        exchange.inject("stale")
        async with feed:
            await aeventually(lambda: len(reader.books) == 2, "all books", seconds=30)
            for fault in ("skip", "rest429", "duplicate"):
                exchange.inject(fault)
                await aeventually(partial(exchange.faults.counts.__getitem__, fault), f"the fault {fault}", seconds=30)
            await aeventually(lambda: len(reader.books) == 2, "all books again", seconds=60)
            await exchange.freeze()
            await aeventually(lambda: reader.tops() == truth(exchange), "the exchange's books", seconds=60)
        assert exchange.faults.counts["stale"] == 1
        assert {"initial", "gap", "resync"} <= reader.reasons
    assert feed.accounting()["callback_errors"] == 0


@pytest.mark.usefixtures("without_waits")
@pytest.mark.parametrize("name", [n for n in simulator.names() if issubclass(load(n).Adapter, DerivedAdapter)])
async def test_tickers_that_are_read_off_the_book_are_true_after_every_fault_without_books_of_ours(name: str) -> None:
    async with SimulatedExchange(name, symbols=2, rate=300) as exchange:
        best: dict[str, Any] = {}

        def note(event: Any) -> None:
            best[event.symbol] = ([[event.bid, event.bid_size]], [[event.ask, event.ask_size]])

        feed = feed_of(exchange, channels=["ticker"])
        feed.add_callback(note)
        async with feed:
            await aeventually(lambda: len(best) == 2, "tickers")
            for fault in faults_of(name):
                exchange.inject(fault)
                if fault.startswith(("rest", "stale")):
                    exchange.inject("drop")
                await aeventually(partial(exchange.faults.counts.__getitem__, fault), f"the fault {fault}")
            await exchange.freeze()
            true = {symbol: (book["bids"], book["asks"]) for symbol, book in exchange.books(1).items()}
            await aeventually(lambda: best == true, "the exchange's best prices", seconds=60)
            assert feed.accounting()["events"]["orderbook"] == 0


def hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let two seconds be a long silence: a busy machine may stand still for one."""
    seconds = {"deadlines._LONGEST_TICK_S": 0.03, "rhythm._LEAST_S": 2.0, "rhythm._UNKNOWN_S": 0.1}
    for constant, value in seconds.items():
        monkeypatch.setattr(f"tickwire.wire.{constant}", value)


# Bitfinex numbers all messages of a connection, so that one of them is missing there.
@pytest.mark.parametrize("name", [name for name in simulator.names() if name != "bitfinex"])
async def test_a_book_that_the_exchange_has_stopped_sending_is_noticed_and_subscribed_again(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    hurry(monkeypatch)
    async with SimulatedExchange(name, symbols=2, rate=100) as exchange:
        reader, changed = Reader(), []
        feed = feed_of(exchange)
        feed.add_callback(reader)
        async with feed:
            await aeventually(lambda: len(reader.books) == 2, "all books")
            exchange.inject("mute")
            await aeventually(lambda: {"stale", "resync"} <= reader.reasons, "the book starts again")
            feed.add_callback(lambda e: changed.append(e.symbol) if getattr(e, "action", None) == "delta" else None)
            await aeventually(lambda: len(set(changed)) == 2, "changes of both books")
            await exchange.freeze()
            await aeventually(lambda: reader.tops() == truth(exchange), "the exchange's books")


def alone(name: str) -> list[str]:
    """What of an exchange's symbols comes by itself, so that it can stop by itself."""
    return ["trade"] if issubclass(load(name).Adapter, DerivedAdapter) else ["ticker", "trade"]


def knows_rhythms(feed: WebSocketDataFeed, channels: list[str]) -> bool:
    """Whether a pause in any of these would be noticed: until it is known what is usual, none is too long."""
    connections = feed._connections
    heard = [] if connections is None else connections._context.hearings._of.values()
    return len(heard) == 2 * len(channels) and all(hearing.rhythm.known for hearing in heard)


@pytest.mark.parametrize("name", [name for name in simulator.names() if name != "bitfinex"])
async def test_tickers_or_trades_that_the_exchange_has_stopped_sending_are_noticed_and_asked_for_again(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    hurry(monkeypatch)
    seen = Counter[tuple[str, str]]()
    async with SimulatedExchange(name, symbols=2, rate=400) as exchange:
        feed = feed_of(exchange, channels=["ticker", "orderbook", "trade"])
        feed.add_callback(lambda event: seen.update([(type(event).__name__.lower(), event.symbol)]))
        async with feed:
            for channel in alone(name):
                told = metrics.SILENCES.labels(name, channel)
                await aeventually(lambda: knows_rhythms(feed, alone(name)), "a rhythm")
                before = told._value.get()
                exchange.inject(f"mute-{channel}")
                await aeventually(lambda told=told, before=before: told._value.get() > before, "the silence")  # type: ignore[misc]
                seen.clear()
                await aeventually(lambda: len(seen) == 6, "all of both symbols")


async def test_what_was_accepted_and_brings_nothing_is_asked_for_again_until_it_speaks() -> None:
    told, seen = metrics.SILENCES.labels("binance", "ticker"), list[str]()
    async with SimulatedExchange("binance", symbols=["BTC-USDT"], rate=50) as exchange:
        await exchange.freeze()
        feed = feed_of(exchange, channels=["ticker"], first_message_seconds=1)
        feed.add_callback(lambda event: seen.append(event.symbol))
        before = told._value.get()
        async with feed:
            await aeventually(lambda: exchange.stats["subscriptions"].get("ticker"), "it is accepted")
            answers = exchange.sent["reply"]
            await aeventually(lambda: exchange.sent["reply"] >= answers + 2, "it is taken back and asked for again")
            assert seen == []
            exchange.unfreeze()
            await aeventually(lambda: seen, "it speaks")
        assert told._value.get() > before
