"""Trades of the real adapters on a simulated exchange: every one, once, in order; what a cut costs is counted."""

import asyncio
from collections import defaultdict
from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import Any

import pytest
from msgspec.structs import replace

from feed.test_feed_on_simulator import feed_of
from forms import FORMS
from kafka.publishing import config_for, numbers_of
from support import aeventually
from tickwire.broker.embedded import EmbeddedBroker
from tickwire.data_feed import WebSocketDataFeed
from tickwire.events.types import Trade
from tickwire.exchanges import load
from tickwire.simulator.server import SimulatedExchange

RATE = 200  # so few that a connection on standby, which keeps 250 trades of a symbol, has seconds to be ready

each_exchange = pytest.mark.parametrize("name", ["binance", "kraken"])


def breaks(ids: Iterable[Sequence[int]]) -> int:
    """How often a symbol's number is not the one after the one before."""
    return sum(after != before + 1 for those in ids for before, after in pairwise(those))


class Reader:
    """The ids and texts of each symbol's trades."""

    def __init__(self, feed: WebSocketDataFeed) -> None:
        self.trades: defaultdict[str, list[Trade]] = defaultdict(list)
        self._tally = feed._tally
        feed.add_callback(self)

    def __call__(self, event: Any) -> None:
        assert type(event) is Trade
        self.trades[event.symbol].append(event)

    @property
    def gaps(self) -> int:
        return self._tally.trade_gaps.value

    def breaks(self) -> int:
        """How often a number is not the one after the one before."""
        return breaks([int(trade.trade_id) for trade in trades] for trades in self.trades.values())

    def last(self) -> dict[str, tuple[str, str, str, str]]:
        return {s: (t[-1].trade_id, t[-1].price, t[-1].size, t[-1].side) for s, t in self.trades.items()}


def truth(exchange: SimulatedExchange) -> dict[str, tuple[str, str, str, str]]:
    """The last trade of every symbol."""
    found = {}
    for book in exchange.dialect.market.books:
        deal, text = book.deals[-1], book.instrument
        side = "buy" if deal.buys else "sell"
        found[text.canonical] = (str(deal.number), text.price(deal.ticks), text.size(deal.lots), side)
    return found


@each_exchange
async def test_a_planned_new_connection_loses_no_trade_and_says_none_twice(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    module, limits = load(name), {"max_connection_s": 1.0, "connect_interval_s": 0.1}
    monkeypatch.setattr(module, "EXCHANGE", replace(module.EXCHANGE, **limits))
    async with SimulatedExchange(name, symbols=2, rate=RATE) as exchange:
        feed = feed_of(exchange, channels=["trade"])
        reader = Reader(feed)
        async with feed:
            planned = feed._tally.reconnects["planned"]
            await aeventually(lambda: planned.value >= 3, "three new connections", seconds=60)
            await exchange.freeze()
            await aeventually(lambda: reader.last() == truth(exchange), "the last trades", seconds=60)
    assert (reader.breaks(), reader.gaps) == (0, 0)
    assert feed.accounting()["events"]["trade"] == sum(map(len, reader.trades.values()))


@each_exchange
async def test_trades_missed_while_the_connection_was_cut_are_a_gap_a_symbol(name: str) -> None:
    async with SimulatedExchange(name, symbols=2, rate=RATE) as exchange:
        feed = feed_of(exchange, channels=["trade"])
        reader = Reader(feed)
        async with feed:
            await aeventually(lambda: len(reader.trades) == 2, "trades of both")
            exchange.inject("drop")
            await aeventually(lambda: reader.gaps == 2, "a gap of each", seconds=60)
            await exchange.freeze()
            await aeventually(lambda: reader.last() == truth(exchange), "the last trades", seconds=60)
    assert (reader.breaks(), reader.gaps) == (2, 2)


@pytest.mark.skipif("compiled" not in FORMS, reason="all frames go to the adapter then")
@each_exchange
async def test_by_the_short_way_they_are_in_kafka_once_and_in_order_over_new_connections_and_a_cut(
    name: str, embedded: EmbeddedBroker, unique: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The next connection after the cut has to wait for its turn, so that trades of both symbols are missed.
    module, limits = load(name), {"max_connection_s": 1.0, "connect_interval_s": 1.5}
    monkeypatch.setattr(module, "EXCHANGE", replace(module.EXCHANGE, **limits))
    config = config_for(embedded.bootstrap, unique)
    async with SimulatedExchange(name, symbols=2, rate=RATE) as exchange:
        feed = feed_of(exchange, kafka=config, channels=["trade"])
        tally = feed._tally
        async with feed:
            planned, short = tally.reconnects["planned"], tally.short_way
            await aeventually(lambda: planned.value >= 2, "two new connections", seconds=60)
            assert tally.trade_gaps.value == 0
            exchange.inject("drop")
            await aeventually(lambda: tally.trade_gaps.value == 2, "a gap of each symbol", seconds=60)
            await aeventually(lambda: planned.value >= 4, "two more", seconds=60)
            await exchange.freeze()
            last = {symbol: int(trade_id) for symbol, (trade_id, *_) in truth(exchange).items()}
            ids: dict[str, list[int]] = {}
            async with asyncio.timeout(60):
                while {symbol: those[-1] for symbol, those in ids.items()} != last:
                    acknowledged = feed.accounting()["acknowledged"]
                    ids = await asyncio.to_thread(numbers_of, config, config.trades_topic, acknowledged)
    assert (breaks(ids.values()), tally.trade_gaps.value) == (2, 2)
    assert feed.accounting()["events"]["trade"] == sum(map(len, ids.values()))
    assert short.value > tally.frames.value
