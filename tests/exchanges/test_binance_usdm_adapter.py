"""Binance USD-M: how a book starts and goes on by ``pu``, its limits, and names from the listing and by rule."""

from typing import Any

import msgspec
import pytest

from tickwire.errors import FrameRejected, UnclearSymbol
from tickwire.events.types import OrderBook, Trade
from tickwire.exchanges.binance_usdm import EXCHANGE, Adapter, derive, read_listing
from tickwire.exchanges.contract import Fetch, Send, Symbol

BTC = Symbol("BTC-USDT-PERP", "BTCUSDT", "perpetual", "USDT")
COIN = Symbol("ETH-USDC-PERP", "ETHUSDC", "perpetual", "USDC")
DATED = Symbol("BTC-USDT-261225", "BTCUSDT_261225", "future", "USDT")
FETCH = Fetch(BTC, "/fapi/v1/depth?symbol=BTCUSDT&limit=50", 2, levels=50)
SNAPSHOT = b'{"lastUpdateId":100,"bids":[["10","1"]],"asks":[["11","1"]]}'


def depth(first: int, last: int, previous: int | None) -> bytes:
    event = {"e": "depthUpdate", "E": 1, "s": "BTCUSDT", "U": first, "u": last, "b": [["9", "1"]], "a": []}
    return msgspec.json.encode(event if previous is None else event | {"pu": previous})


def streamed(stream: str, event: bytes) -> bytes:
    return b'{"stream":"btcusdt@%b","data":%b}' % (stream.encode(), event)


def actions(outputs: list[Any]) -> list[tuple[str, int | None]]:
    return [(output.action, output.sequence) for output in outputs if isinstance(output, OrderBook)]


def started() -> Adapter:
    adapter = Adapter([BTC], ["orderbook"], 25)
    adapter.start()
    assert actions(adapter.fetched(FETCH, SNAPSHOT, 1)) == [("snapshot", 100)]
    return adapter


@pytest.mark.parametrize("stream", ["depth20@100ms", "depth5", "rpiDepth@500ms"])
def test_a_book_of_the_best_levels_or_of_retail_orders_is_not_the_book(stream: str) -> None:
    adapter = started()
    with pytest.raises(FrameRejected, match="unknown"):
        adapter.receive(streamed(stream, depth(101, 101, 100)), 2)
    assert actions(adapter.receive(streamed("depth", depth(101, 101, 100)), 3)) == [("delta", 101)]
    assert actions(adapter.receive(streamed("depth@500ms", depth(102, 102, 101)), 4)) == [("delta", 102)]


@pytest.mark.parametrize("data", [b'{"symbol":"BTCUSDT","openInterest":"1"}', SNAPSHOT, b'{"e":"markPriceUpdate"}'])
def test_a_stream_that_nobody_asked_for_is_unknown(data: bytes) -> None:
    with pytest.raises(FrameRejected, match="unknown"):
        started().receive(streamed("somewhat", data), 2)


@pytest.mark.parametrize(
    ("first", "last", "previous", "expected"),
    [
        (95, 105, 90, [("delta", 105)]),  # U <= lastUpdateId <= u
        (100, 105, 97, [("delta", 105)]),
        (95, 100, 90, [("delta", 100)]),
        (100, 100, -1, [("delta", 100)]),  # the first of a contract; -1 was seen in 2022
        (95, 99, 90, []),  # the snapshot holds it
        (104, 109, 98, [("delta", 109)]),  # the snapshot is of a moment between two events
        (104, 109, 100, [("delta", 109)]),
        (104, 109, 101, [("invalid", 100)]),  # the event that ended with 101 is missing
        (104, 109, None, [("invalid", 100)]),
        (104, 109, -1, [("invalid", 100)]),
    ],
)
def test_the_first_event_on_a_snapshot(
    first: int, last: int, previous: int | None, expected: list[tuple[str, int]]
) -> None:
    assert actions(started().receive(depth(first, last, previous), 2)) == expected


@pytest.mark.parametrize(
    ("first", "last", "previous", "expected"),
    [
        (120, 125, 110, [("delta", 125)]),  # U may be any number above pu
        (120, 125, 115, [("invalid", 110)]),
        (109, 125, 105, [("invalid", 110)]),  # although its range would fit
        (111, 125, None, [("invalid", 110)]),
        (105, 110, 100, []),
    ],
)
def test_a_later_event_names_the_last_one(
    first: int, last: int, previous: int | None, expected: list[tuple[str, int]]
) -> None:
    adapter = started()
    adapter.receive(depth(98, 110, 97), 2)
    assert actions(adapter.receive(depth(first, last, previous), 3)) == expected


@pytest.mark.parametrize("wanted", [1, 1000])
def test_a_snapshot_has_as_many_levels_as_there_are(wanted: int) -> None:
    adapter = Adapter([BTC], ["orderbook"], wanted)
    assert [o for o in adapter.receive(depth(1, 2, 0), 1) if isinstance(o, Fetch)] == [FETCH]


def test_a_connection_has_two_hundred_streams_at_most() -> None:
    symbols = [Symbol(f"A{i}-USDT-PERP", f"A{i}USDT") for i in range(EXCHANGE.symbols_per_connection)]
    outputs = Adapter(symbols, ["ticker", "orderbook"], 25).start()
    assert sum(len(msgspec.json.decode(o.payload)["params"]) for o in outputs if isinstance(o, Send)) == 200


def test_trades_are_on_another_route_than_books_and_best_prices() -> None:
    plans = EXCHANGE.plans([BTC], ["ticker", "orderbook", "trade"])
    assert {plan.url: plan.channels for plan in plans} == {
        "wss://fstream.binance.com/public/stream": ("ticker", "orderbook"),
        "wss://fstream.binance.com/market/stream": ("trade",),
    }


@pytest.mark.parametrize(("buyer_made", "side"), [(True, "sell"), (False, "buy")])
def test_the_side_of_a_trade_is_the_takers(buyer_made: bool, side: str) -> None:
    adapter = Adapter([BTC], ["trade"], 25)
    data = {"e": "aggTrade", "s": "BTCUSDT", "a": 7, "p": "10", "q": "1", "T": 1, "m": buyer_made}
    (*_, trade) = adapter.receive(msgspec.json.encode({"stream": "btcusdt@aggTrade", "data": data}), 1)
    assert isinstance(trade, Trade)
    assert (trade.side, trade.trade_id) == (side, "7")


def test_a_contract_is_named_by_the_day_on_which_it_ends() -> None:
    """Every perpetual contract has a time of delivery: a far one, or that of its delisting."""
    rows = [
        (BTC, "USDT", 4_133_404_800_000, "TRADING"),
        (COIN, "USDC", 1_798_185_600_000, "SETTLING"),
        (DATED, "USDT", 1_798_185_600_000, "TRADING"),
    ]
    listed = [
        {
            "symbol": symbol.native,
            "status": status,
            "baseAsset": symbol.canonical[:3],
            "quoteAsset": quote,
            "marginAsset": quote,
            "deliveryDate": ends,
        }
        for symbol, quote, ends, status in rows
    ]
    listing = read_listing(msgspec.json.encode({"symbols": listed}))
    assert list(listing.symbols) == [BTC, COIN, DATED]
    assert listing.resting == {"ETHUSDC": "SETTLING"}


@pytest.mark.parametrize("symbol", [BTC, COIN, DATED])
def test_a_name_by_rule_is_the_listings(symbol: Symbol) -> None:
    assert derive(symbol.canonical) == derive(symbol.native) == derive(symbol.native.lower()) == symbol


@pytest.mark.parametrize("text", ["XRPRLUSD", "BTC", "BTC-MAYBE-PERP"])
def test_what_would_be_a_guess_is_refused(text: str) -> None:
    with pytest.raises(UnclearSymbol):
        derive(text)
