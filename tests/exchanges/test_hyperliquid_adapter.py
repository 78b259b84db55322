"""Hyperliquid: trades from before the subscription, sides that are missing, answers, and its listings by POST."""

from typing import Any

import msgspec
import pytest

from recordings import books
from tickwire import exchanges
from tickwire.errors import FrameRejected, UnclearSymbol
from tickwire.events.types import Ticker, Trade
from tickwire.exchanges.contract import Output, Reading, Refused, Resync, Send, Subscribed, Symbol
from tickwire.exchanges.hyperliquid import Adapter, derive, read_listing
from tickwire.exchanges.symbols import Listing

BTC = Symbol("BTC-USDC-PERP", "BTC", "perpetual", "USDC")
ETH = Symbol("ETH-USDC-PERP", "ETH", "perpetual", "USDC")


def frame(channel: str, data: object) -> bytes:
    return msgspec.json.encode({"channel": channel, "data": data})


def trades(*said: tuple[str, int]) -> bytes:
    common = {"side": "A", "px": "5.0", "sz": "0.10", "time": 7, "hash": "0x0"}
    return frame("trades", [{**common, "coin": coin, "tid": number} for coin, number in said])


def book(bids: dict[str, str], asks: dict[str, str]) -> bytes:
    sides = [[{"px": price, "sz": size, "n": 1} for price, size in side.items()] for side in (bids, asks)]
    return frame("l2Book", {"coin": "BTC", "time": 7, "levels": sides})


def ids(outputs: list[Output]) -> list[tuple[str, str]]:
    return [(output.exchange_symbol, output.trade_id) for output in outputs if isinstance(output, Trade)]


@pytest.mark.parametrize("acknowledged", [True, False])
def test_the_first_trades_of_a_coin_are_from_before_the_subscription(*, acknowledged: bool) -> None:
    adapter = Adapter([BTC, ETH], ["trade"], 20)
    if acknowledged:
        for coin in ("BTC", "ETH"):
            subscription = {"type": "trades", "coin": coin}
            adapter.receive(frame("subscriptionResponse", {"method": "subscribe", "subscription": subscription}), 1)
    assert ids(adapter.receive(trades(("BTC", 3), ("BTC", 1)), 1)) == []
    assert ids(adapter.receive(trades(("ETH", 9)), 1)) == []
    assert adapter.pending() == []
    assert ids(adapter.receive(trades(("BTC", 2), ("BTC", 8)), 1)) == [("BTC", "2"), ("BTC", "8")]
    assert ids(adapter.receive(trades(("ETH", 4)), 1)) == [("ETH", "4")]


@pytest.mark.parametrize(("letter", "side"), [("A", "sell"), ("B", "buy")])
def test_a_trade_has_the_takers_side(letter: str, side: str) -> None:
    adapter = Adapter([BTC], ["trade"], 20)
    adapter.receive(trades(("BTC", 1)), 1)
    (trade,) = adapter.receive(trades(("BTC", 2)).replace(b'"A"', b'"%s"' % letter.encode()), 1)
    assert isinstance(trade, Trade)
    assert (trade.side, trade.price, trade.size, trade.exchange_us) == (side, "5.0", "0.10", 7000)


@pytest.mark.parametrize(
    ("sides", "best"),
    [
        ([{"px": "4", "sz": "1", "n": 1}, {"px": "5", "sz": "2", "n": 1}], ("4", "1", "5", "2")),
        ([None, {"px": "5", "sz": "2", "n": 1}], (None, None, "5", "2")),
        ([{"px": "4", "sz": "1", "n": 1}, None], ("4", "1", None, None)),
        ([{"px": "4", "sz": "1", "n": 1}], ("4", "1", None, None)),
        ([], (None, None, None, None)),
    ],
)
def test_a_side_of_the_best_prices_may_be_null_or_missing(sides: list[Any], best: tuple[str | None, ...]) -> None:
    adapter = Adapter([BTC], ["ticker"], 20)
    _, ticker = adapter.receive(frame("bbo", {"coin": "BTC", "time": 7, "bbo": sides}), 1)
    assert isinstance(ticker, Ticker)
    assert (ticker.bid, ticker.bid_size, ticker.ask, ticker.ask_size) == best


def test_each_message_replaces_the_book_and_leaves_as_what_has_changed() -> None:
    adapter = Adapter([BTC], ["orderbook"], 20)
    adapter.receive(book({"5.0": "1.0", "4.0": "2.0"}, {"6.0": "1.0"}), 1)
    (change,) = books(adapter.receive(book({"5.0": "3.0", "3.0": "1.0"}, {"6.0": "1.0"}), 2))
    assert (change.action, change.asks) == ("delta", [])
    assert change.bids == [("5.0", "3.0"), ("4.0", "0"), ("3.0", "1.0")]
    (change,) = books(adapter.receive(book({}, {}), 3))
    kept = adapter.book(BTC)
    assert kept is not None
    assert (kept.bids.top(), kept.asks.top()) == ([], [])


def test_a_broken_message_changes_nothing_and_the_next_one_is_the_book() -> None:
    adapter = Adapter([BTC], ["orderbook"], 20)
    adapter.receive(book({"5.0": "1.0"}, {"6.0": "1.0"}), 1)
    with pytest.raises(FrameRejected):
        adapter.receive(book({"5.0": "1.0"}, {"6.0": "one"}), 2)
    (change,) = books(adapter.receive(book({"5.5": "1.0"}, {"6.0": "1.0"}), 3))
    assert (change.action, change.bids) == ("delta", [("5.5", "1.0"), ("5.0", "0")])


def test_a_book_that_was_given_up_is_asked_for_again_and_its_next_message_is_a_snapshot() -> None:
    adapter = Adapter([BTC], ["orderbook"], 20)
    adapter.receive(book({"5.0": "1.0"}, {}), 1)
    assert adapter.restart(BTC, "stale", 2)[-1] == Resync(BTC, "stale")
    asked = [msgspec.json.decode(output.payload) for output in adapter.resync(BTC) if isinstance(output, Send)]
    subscription = {"type": "l2Book", "coin": "BTC"}
    assert asked == [{"method": m, "subscription": subscription} for m in ("unsubscribe", "subscribe")]
    assert adapter.pending() == [("orderbook", BTC)]
    (message,) = books(adapter.receive(book({"5.0": "1.0"}, {}), 3))
    assert (message.action, message.reason) == ("snapshot", "resync")
    assert adapter.pending() == []


@pytest.mark.parametrize(
    ("text", "outcome"),
    [
        ('Already subscribed: {"type":"l2Book","coin":"BTC","nSigFigs":null}', Subscribed),
        ('Invalid subscription {"type":"l2Book","coin":"BTC","nSigFigs":null}', Refused),
    ],
)
def test_an_error_repeats_the_subscription_that_it_is_about(text: str, outcome: type[Output]) -> None:
    (output,) = Adapter([BTC], ["orderbook"], 20).receive(frame("error", text), 1)
    assert type(output) is outcome


@pytest.mark.parametrize(
    "text",
    [
        'Invalid subscription {"type":"candle","coin":"BTC"}',
        "Too many requests",
        'Already unsubscribed: {"type":"l2Book"}',
    ],
)
def test_an_error_about_nothing_that_was_asked_for_is_counted(text: str) -> None:
    adapter = Adapter([BTC], ["orderbook"], 20)
    with pytest.raises(FrameRejected):
        adapter.receive(frame("error", text), 1)
    assert adapter.pending() == [("orderbook", BTC)]


META: dict[str, Any] = {"universe": [{"name": "BTC"}, {"name": "kPEPE"}, {"name": "MATIC", "isDelisted": True}]}
SPOT: dict[str, Any] = {
    "tokens": [{"name": "USDC", "index": 0}, {"name": "PURR", "index": 1}, {"name": "UETH", "index": 221}],
    "universe": [
        {"name": "PURR/USDC", "tokens": [1, 0], "index": 0},
        {"name": "@151", "tokens": [221, 0], "index": 151},
        {"name": "@900", "tokens": [221, 0], "index": 900},
        {"name": "@901", "tokens": [999, 0], "index": 901},
    ],
}
ANSWERS: dict[str, Any] = {
    '{"type":"meta"}': META,
    '{"type":"spotMeta"}': SPOT,
    '{"type":"perpDexs"}': [None, {"name": "xyz", "fullName": "X"}],
    '{"type":"meta","dex":"xyz"}': {"universe": [{"name": "xyz:TSLA"}], "collateralToken": 221},
}


def read(reading: Reading[Listing]) -> Listing:
    try:
        request = next(reading)
        while True:
            assert request.path == "/info"
            assert request.body is not None
            request = reading.send(msgspec.json.encode(ANSWERS[request.body.decode()]))
    except StopIteration as done:
        return done.value  # type: ignore[no-any-return]


def test_contracts_spot_and_what_builders_list_are_asked_for_by_post() -> None:
    own, spot, others = map(read, exchanges.listings(exchanges.load("hyperliquid")))
    assert [symbol.canonical for symbol in own.symbols] == ["BTC-USDC-PERP", "kPEPE-USDC-PERP", "MATIC-USDC-PERP"]
    assert (own.find("BTC"), own.find("kpepe-usdc-perp")) == (BTC, own.find("kPEPE"))
    assert set(own.resting) == {"MATIC"}
    assert set(spot.symbols) == {Symbol("PURR-USDC", "PURR/USDC"), Symbol("UETH-USDC", "@151")}
    assert others.find("xyz:TSLA") == Symbol("xyz:TSLA-UETH-PERP", "xyz:TSLA", "perpetual", "UETH")


def test_a_collateral_that_is_no_token_is_refused() -> None:
    with pytest.raises(FrameRejected, match="collateral"):
        read_listing(msgspec.json.encode({**META, "collateralToken": 7}))


def test_names_by_rule_are_those_of_contracts() -> None:
    assert derive("btc-usdc-perp") == BTC
    assert derive("kPEPE-USDC-PERP").native == "kPEPE"
    for text in ("BTC-USDC", "BTC-USDT-PERP", "BTC-USDC-261225", "@151"):
        with pytest.raises(UnclearSymbol):
            derive(text)
