"""Recordings said by a server that answers nothing: the frames as they were, in their order, to whoever connects."""

from pathlib import Path

import pytest

from recordings import Replay, books, recordings
from replayer import Replayer
from support import aeventually
from tickwire import exchanges
from tickwire.config.feed_config import FeedConfig
from tickwire.config.kafka_config import KafkaConfig
from tickwire.data_feed import WebSocketDataFeed
from tickwire.errors import UnknownSymbol
from tickwire.events.book import Book
from tickwire.events.types import MarketEvent, OrderBook
from tickwire.exchanges.contract import Symbol

States = dict[str, list[object]]


def states(messages: list[OrderBook]) -> States:
    """Every state of each book, in the order in which they were published."""
    readers: dict[str, Book] = {}
    found: States = {}
    for message in messages:
        if message.action == "invalid":
            continue
        if message.action == "snapshot":
            readers[message.symbol] = Book(message.bids, message.asks)
        else:
            readers[message.symbol].apply(message.bids, message.asks)
        reader = readers[message.symbol]
        found.setdefault(message.symbol, []).append((message.sequence, reader.bids.top(), reader.asks.top()))
    return found


def named(recording: Path) -> list[Symbol]:
    """The symbols whose names follow from a rule: a recording has no listing."""
    found = []
    for symbol in Replay(recording).symbols:
        try:
            derived = exchanges.load(recording.parent.name).derive(symbol.native)
        except UnknownSymbol:
            continue
        found += [symbol] if derived.native == symbol.native else []
    return found


def replayable(recording: Path) -> bool:
    """Whether it has books of such symbols, all of them over the socket, and every frame is what is sent."""
    player, exchange = Replay(recording), exchanges.load(recording.parent.name).EXCHANGE
    over_the_socket = exchange.frames != "binary" and all("frame" in line for line in player.lines)
    return "orderbook" in player.channels and over_the_socket and bool(named(recording))


@pytest.mark.parametrize(
    "recording", [r for r in recordings() if replayable(r)], ids=lambda p: f"{p.parent.name}-{p.name}"
)
async def test_a_replayed_recording_is_published_as_it_was(recording: Path) -> None:
    """Every state is one of the recording's, in order, and the last one is its last."""
    player, name, natives = Replay(recording), recording.parent.name, {s.native for s in named(recording)}
    expected = states([m for m in books(output for _, output in player.outputs()) if m.exchange_symbol in natives])
    frames = [line["frame"] for line in player.lines]
    async with Replayer(frames) as server:
        urls = {f"{name}_ws_url": f"ws://{server.address}", f"{name}_rest_url": f"http://{server.address}"}
        config = FeedConfig(
            exchange=name, symbols=tuple(natives), channels=("orderbook",), orderbook_depth=25, urls=urls
        )
        events: list[MarketEvent] = []
        feed = WebSocketDataFeed(feed=config, kafka=KafkaConfig(enabled=False))
        feed.add_callback(events.append)
        async with feed:
            await aeventually(lambda: ends(states(books(events))) == ends(expected), f"the end {ends(expected)}")
    for symbol, found in states(books(events)).items():
        places = iter(expected[symbol])
        assert all(state in places for state in found)


def ends(found: States) -> dict[str, object]:
    """The last state of each book."""
    return {symbol: every[-1] for symbol, every in found.items()}
