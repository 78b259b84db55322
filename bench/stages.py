"""The pure stages over fixed frames, for counting instructions: ``python -m bench.stages STAGE ROUNDS``."""

import itertools
import sys
from collections.abc import Callable
from typing import Any, cast

from bench import frames
from tickwire.config.kafka_config import KafkaConfig
from tickwire.events.numbers import BookNumbers
from tickwire.events.short_way import ShortWay, ShortWayReceiver
from tickwire.events.top import Top
from tickwire.events.types import OrderBook, Ticker, Trade
from tickwire.exchanges import binance, kraken
from tickwire.exchanges.contract import Fetch, Symbol
from tickwire.kafka.consuming.market_state import MarketState
from tickwire.kafka.producing.publisher import Publisher
from tickwire.kafka.received import ReceivedRecord
from tickwire.records.codec import RecordWriter
from tickwire.wire.clock import clock
from tickwire.wire.tally import Tally
from tickwire.wire.trades import Trades

_FRAMES = 200
_MOST_ROUNDS = 15
_RECEIVED_US = 1_700_000_000_000_000


def payloads(served: list[bytes]) -> list[bytes]:
    """Payloads of frames."""
    return [frame[4 if frame[1] == 126 else 2 :] for frame in served]


def tickers() -> Callable[[], object]:
    """Binance best bids and offers: frame to event."""
    feed = frames.binance_tickers(_FRAMES, frames.names(5))
    adapter = binance.Adapter(_symbols(feed), ["ticker"], 25)
    inputs = payloads(feed.frames)
    return lambda: [adapter.receive(payload, _RECEIVED_US) for payload in inputs]


def deltas() -> Callable[[], object]:
    """Binance order-book changes: frame to event, with a book of a thousand levels."""
    feed = frames.binance_deltas(_FRAMES, frames.names(1))
    adapter = binance.Adapter(_symbols(feed), ["orderbook"], 25)
    for payload in payloads(feed.first):
        adapter.receive(payload, _RECEIVED_US)
    symbol = _symbols(feed)[0]
    inputs, body = payloads(feed.frames), feed.bodies[f"/api/v3/depth?symbol={symbol.native}"]

    def again() -> object:
        adapter.restart(symbol, "stale", _RECEIVED_US)
        adapter.fetched(Fetch(symbol, "", 0), body, _RECEIVED_US)
        for payload in payloads(feed.first):
            adapter.receive(payload, _RECEIVED_US)
        return [adapter.receive(payload, _RECEIVED_US) for payload in inputs]

    return again


def kraken_deltas() -> Callable[[], object]:
    """Kraken order-book changes with the checksum of each."""
    feed = frames.kraken_deltas(_FRAMES, 1)
    adapter = kraken.Adapter([Symbol("C0000-USD", "C0000/USD")], ["orderbook"], 25)
    inputs = payloads(feed.first + feed.frames)
    return lambda: [adapter.receive(payload, _RECEIVED_US) for payload in inputs]


def encode() -> Callable[[], object]:
    """Events to records."""
    writer = RecordWriter({"ticker": "ticks.v1.raw", "orderbook": "orderbook.v1.raw"})
    events: list[Any] = [event for outputs in [tickers()(), deltas()()] for output in outputs for event in output]  # type: ignore[attr-defined]
    published = [event for event in events if hasattr(event, "received_us")]
    return lambda: [writer.write(event) for event in published]


def short_way() -> Callable[[], object]:
    """Binance tickers on the short way: frame to a producer that does nothing."""
    feed = frames.binance_tickers(_FRAMES, frames.names(5))
    return _past(binance.Adapter(_symbols(feed), ["ticker"], 25), payloads(feed.frames), {})


def deltas_short_way() -> Callable[[], object]:
    """Binance order-book changes on the short way, with a book of a thousand levels; each round has different ones."""
    feed = frames.binance_deltas(_FRAMES * _MOST_ROUNDS, frames.names(1))
    adapter, symbol = binance.Adapter(_symbols(feed), ["orderbook"], 25), _symbols(feed)[0]
    for payload in payloads(feed.first):
        adapter.receive(payload, _RECEIVED_US)
    adapter.fetched(Fetch(symbol, "", 0), feed.bodies[f"/api/v3/depth?symbol={symbol.native}"], _RECEIVED_US)
    numbers = BookNumbers()
    numbers.valid = True
    return _past(adapter, payloads(feed.frames), {symbol.native: numbers}, at_once=_FRAMES)


def followed() -> Callable[[], object]:
    """The same changes, followed by a consumer with a book of a thousand levels."""
    past, writer = deltas_short_way(), RecordWriter({"orderbook": "orderbook.v1.raw"})
    sides = [[(f"{50_000 + sign * k / 100:.2f}000000", "1.00000000") for k in range(1, 1001)] for sign in (-1, 1)]
    book = OrderBook(
        action="snapshot", exchange="binance", symbol="C0000-USDT", exchange_symbol="C0000USDT", depth=25,
        bids=sides[0], asks=sides[1], epoch=0, book_seq=0, received_us=_RECEIVED_US,
    )  # fmt: skip
    written = [writer.write(book)]
    for _ in range(_MOST_ROUNDS):
        written += [entry.record for entry in cast("list[Any]", past())]
    del written[1]  # it went past the numbers
    headers = tuple(written[0].headers)
    records = [ReceivedRecord("orderbook.v1.raw", 0, i, one.key, one.value, headers) for i, one in enumerate(written)]
    state, begin = MarketState(), itertools.count(1, _FRAMES - 1)
    state(records[0])

    def again() -> object:
        at = next(begin)
        return range(at, state.follow(records, at, at + _FRAMES - 1))

    return again


def kraken_short_way() -> Callable[[], object]:
    """Kraken order-book changes on the short way, with the checksum of each."""
    feed = frames.kraken_deltas(_FRAMES, 1)
    numbers = BookNumbers()
    numbers.valid = True
    adapter = kraken.Adapter([Symbol("C0000-USD", "C0000/USD")], ["orderbook"], 25)
    return _past(adapter, payloads(feed.first + feed.frames), {"C0000/USD": numbers})


def kraken_top_short_way() -> Callable[[], object]:
    """The same, and the best twenty levels after each."""
    feed = frames.kraken_deltas(_FRAMES, 1)
    numbers, top = BookNumbers(), Top(20)
    numbers.valid, top.prefix = True, b'{"bids":'
    adapter = kraken.Adapter([Symbol("C0000-USD", "C0000/USD")], ["orderbook"], 25)
    return _past(adapter, payloads(feed.first + feed.frames), {"C0000/USD": numbers}, {"C0000/USD": top})


def trades_short_way() -> Callable[[], object]:
    """Binance trades on the short way, except the first of each symbol."""
    feed = frames.binance_trades(_FRAMES, frames.names(5))
    return _past(binance.Adapter(_symbols(feed), ["trade"], 25), payloads(feed.frames), {})


def _past(
    adapter: binance.Adapter | kraken.Adapter,
    inputs: list[bytes],
    numbers: dict[str, BookNumbers],
    tops: dict[str, Top] | None = None,
    at_once: int | None = None,
) -> Callable[[], object]:
    tops = tops or {}
    tally = Tally("binance")
    publisher = Publisher(KafkaConfig(enabled=True))
    flights = publisher._link.flights  # noqa: SLF001 - in place of Kafka
    flights.produce, flights.ready = lambda *_, **__: None, True
    way = publisher.way()
    way.alone = True
    trades = Trades(adapter.exchange, way.publish, tally)

    def long_way(payload: bytes) -> None:
        for output in adapter.receive(payload, _RECEIVED_US):
            if isinstance(output, Ticker | OrderBook):
                way.publish(output)
            if isinstance(output, Trade):
                trades.handle(output)
            if isinstance(output, OrderBook) and output.action == "snapshot" and tops:
                tops[output.exchange_symbol].start(output.bids, output.asks)

    types, events = (Ticker, OrderBook, Trade), tally.events
    counts = events[Ticker], events[OrderBook], events[Trade]
    around = way, clock, tally.frames, counts, types
    short_way = cast("ShortWay", adapter.short_way)
    take = ShortWayReceiver(short_way, numbers, tops, trades.numbers, *around, long_way, _raise)

    later = iter(inputs)

    def again() -> object:
        trades.numbers.clear()
        for payload in inputs if at_once is None else itertools.islice(later, at_once):
            take(payload)
        return flights.take_back()

    return again


def _raise(error: Exception) -> None:
    raise error


STAGES = {
    "tickers": tickers,
    "deltas": deltas,
    "kraken": kraken_deltas,
    "encode": encode,
    "short way": short_way,
    "deltas short way": deltas_short_way,
    "followed": followed,
    "kraken short way": kraken_short_way,
    "kraken top": kraken_top_short_way,
    "trades": trades_short_way,
}


def _symbols(feed: frames.Feed) -> list[Symbol]:
    return [Symbol(f"{name[:-4]}-USDT", name) for name in feed.symbols]


if __name__ == "__main__":
    run = STAGES[sys.argv[1]]()
    for _ in range(int(sys.argv[2])):
        run()
