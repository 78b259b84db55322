"""Coinbase Exchange: books without numbers, zeros in any spelling, times of the year 1, refusals of no request."""

from typing import Any

import msgspec
import pytest

from recordings import books
from tickwire.errors import FrameRejected
from tickwire.events.types import Ticker, Trade
from tickwire.exchanges.coinbase_exchange import Adapter, derive, read_listing
from tickwire.exchanges.contract import Channel, Output, Refused, Resync, Send, Subscribed, Symbol

BTC = Symbol("BTC-USD", "BTC-USD")
ETH = Symbol("ETH-USD", "ETH-USD")
TIME = "2026-11-29T10:00:00.123456Z"


def message(kind: str, **fields: Any) -> bytes:
    return msgspec.json.encode({"type": kind, **fields})


def snapshot(product: str = "BTC-USD", size: str = "1.50") -> bytes:
    return message("snapshot", product_id=product, bids=[["100.0", size]], asks=[["101.0", "2"]], time=TIME)


def update(*changes: list[str], product: str = "BTC-USD", time: str = TIME) -> bytes:
    return message("l2update", product_id=product, changes=changes, time=time)


def ticker(**fields: Any) -> bytes:
    best = {"best_bid": "100.0", "best_bid_size": "0.50", "best_ask": "101", "best_ask_size": "2.0"}
    return message(
        "ticker", **{"product_id": "BTC-USD", "sequence": 7, "price": "100.5", "time": TIME, **best, **fields}
    )


def opened(*symbols: Symbol, channels: tuple[Channel, ...] = ("orderbook",)) -> Adapter:
    adapter = Adapter(symbols or (BTC,), channels, 10)
    adapter.start()
    for symbol in symbols or (BTC,):
        if "orderbook" in channels:
            adapter.receive(snapshot(symbol.native), 1)
    return adapter


def sent(outputs: list[Output]) -> list[Any]:
    return [msgspec.json.decode(output.payload) for output in outputs if isinstance(output, Send)]


@pytest.mark.parametrize("zero", ["0", "0.0", "0.00000000", "00", "0."])
def test_a_size_of_zero_in_any_spelling_removes_the_level(zero: str) -> None:
    (delta,) = books(opened().receive(update(["buy", "100.0", zero], ["sell", "101.0", "1.10"]), 2))
    assert (delta.bids, delta.asks) == ([("100.0", "0")], [("101.0", "1.10")])


def test_a_price_counts_by_its_value_and_with_its_last_size() -> None:
    (delta,) = books(opened().receive(update(["buy", "100.00", "3"], ["buy", "100", "4.0"]), 2))
    assert delta.bids == [("100", "4.0")]


def test_the_year_one_is_no_time() -> None:
    adapter = opened(channels=("ticker", "orderbook"))
    (delta,) = books(adapter.receive(update(["buy", "99", "1"], time="0001-01-01T00:00:00.000000Z"), 2))
    assert (delta.action, delta.exchange_us, delta.received_us) == ("delta", None, 2)
    told = adapter.receive(ticker(time="0001-01-01T00:00:00Z"), 3)[-1]
    assert isinstance(told, Ticker)
    assert (told.exchange_us, told.received_us) == (None, 3)


def test_a_change_that_is_cut_anywhere_leaves_its_book_in_doubt() -> None:
    whole = update(["buy", "99.0", "1"])
    for end in range(1, len(whole)):
        for part in (whole[:end], whole[end:]):
            adapter = opened(BTC, ETH)
            with pytest.raises(FrameRejected, match="malformed"):
                adapter.receive(part, 2)
            assert adapter.book(BTC) is None
            assert (adapter.book(ETH) is None) == (b'"BTC-USD"' not in part)


@pytest.mark.parametrize("frame", [b"", b"pong", b"<html>", message("match")[:-1], message("subscriptions")[:-1]])
def test_what_is_no_part_of_a_change_leaves_books_alone(frame: bytes) -> None:
    adapter = opened()
    with pytest.raises(FrameRejected):
        adapter.receive(frame, 2)
    assert adapter.book(BTC) is not None


def test_a_new_snapshot_replaces_the_book() -> None:
    adapter = opened()
    adapter.receive(update(["buy", "99.0", "1"]), 2)
    (message,) = books(adapter.receive(snapshot(size="7"), 3))
    assert (message.reason, message.bids, message.asks) == ("resync", [("100.0", "7")], [("101.0", "2")])


@pytest.mark.parametrize(
    "bad",
    [
        update(["buy", "99.0", "1"])[:-9],
        update(["bid", "99.0", "1"]),
        update(["buy", "99.0"]),
        update(["buy", "99.0", "0.-10000"]),
        update(["buy", "99.0", "-1"]),
        update(["buy", "99.0", "1"], time="yesterday"),
        snapshot(size="0.-10000"),
        message("l2update", product_id="BTC-USD", time=TIME),
        message("snapshot", product_id="BTC-USD", asks=[["101.0", "2"]], time=TIME),
    ],
)
def test_a_change_that_cannot_be_read_starts_its_book_again_and_no_other(bad: bytes) -> None:
    adapter = opened(BTC, ETH)
    with pytest.raises(FrameRejected, match="malformed"):
        adapter.receive(bad, 2)
    assert adapter.book(BTC) is None
    assert adapter.book(ETH) is not None
    outputs = adapter.receive(update(["buy", "98.0", "1"]), 3)
    assert [(m.action, m.reason) for m in books(outputs)] == [("invalid", "gap")]
    assert outputs[1:] == [Resync(BTC, "gap")]
    assert [request["type"] for request in sent(adapter.resync(BTC))] == ["unsubscribe", "subscribe"]
    assert adapter.receive(update(["buy", "98.0", "1"]), 4) == []  # from before the new subscription
    assert [m.reason for m in books(adapter.receive(snapshot(), 5))] == ["resync"]


def test_a_ticker_without_sizes_keeps_its_prices_and_one_with_zero_is_an_empty_side() -> None:
    adapter = opened(channels=("ticker",))
    told = adapter.receive(ticker(best_bid_size=None, best_ask_size="0.00000000"), 2)[-1]
    assert isinstance(told, Ticker)
    assert (told.bid, told.bid_size, told.ask, told.ask_size) == ("100.0", None, None, None)
    assert (told.last, told.sequence, told.exchange_us) == ("100.5", 7, 1_795_946_400_123_456)


MATCH = {"product_id": "BTC-USD", "trade_id": 905, "side": "sell", "size": "0.010", "price": "100.50", "time": TIME}


@pytest.mark.parametrize(("maker", "taker"), [("sell", "buy"), ("buy", "sell")])
def test_the_side_of_a_match_is_the_makers_and_of_a_trade_the_takers(maker: str, taker: str) -> None:
    told = opened(channels=("trade",)).receive(message("match", **{**MATCH, "side": maker}), 2)[-1]
    assert isinstance(told, Trade)
    assert (told.trade_id, told.price, told.size, told.side) == ("905", "100.50", "0.010", taker)
    assert (told.exchange_us, told.received_us) == (1_795_946_400_123_456, 2)


def test_the_last_match_from_before_the_subscription_is_no_trade() -> None:
    assert opened(channels=("trade",)).receive(message("last_match", **MATCH), 2) == []


def test_a_product_that_has_not_traded_has_a_ticker() -> None:
    told = opened(channels=("ticker",)).receive(ticker(side="", best_bid="", best_bid_size=""), 2)[-1]
    assert isinstance(told, Ticker)
    assert (told.bid, told.bid_size, told.ask, told.ask_size) == (None, None, "101", "2.0")


@pytest.mark.parametrize("missing", ["trade_id", "side", "size", "price"])
def test_a_match_that_lacks_something_is_malformed(missing: str) -> None:
    with pytest.raises(FrameRejected, match="malformed"):
        opened(channels=("trade",)).receive(message("match", **{**MATCH, missing: None}), 2)


@pytest.mark.parametrize("name", ["level2", "level2_batch", "level2_50"])
def test_the_list_of_what_is_subscribed_acknowledges_under_any_name_of_the_book(name: str) -> None:
    adapter = Adapter([BTC, ETH], ["ticker", "orderbook"], 10)
    (request,) = sent(adapter.start())
    assert [channel["name"] for channel in request["channels"]] == ["ticker", "level2_batch"]
    listed = [{"name": "ticker", "product_ids": ["BTC-USD"]}, {"name": name, "product_ids": ["BTC-USD", "ETH-USD"]}]
    answers = [Subscribed("ticker", BTC), Subscribed("orderbook", BTC), Subscribed("orderbook", ETH)]
    assert adapter.receive(message("subscriptions", channels=listed), 1) == answers
    assert adapter.receive(message("subscriptions", channels=listed), 2) == []
    assert adapter.pending() == [("ticker", ETH)]


def test_a_refused_product_is_named_on_every_channel_and_the_others_are_asked_for_again() -> None:
    adapter = Adapter([BTC, ETH], ["ticker", "orderbook"], 10)
    adapter.start()
    error = message("error", message="Failed to subscribe", reason="ETH-USD is not a valid product")
    outputs = adapter.receive(error, 1)
    said = "Failed to subscribe: ETH-USD is not a valid product"
    assert outputs[:2] == [Refused("ticker", ETH, said), Refused("orderbook", ETH, said)]
    (again,) = sent(outputs)
    assert [channel["product_ids"] for channel in again["channels"]] == [["BTC-USD"], ["BTC-USD"]]
    with pytest.raises(FrameRejected, match="unknown"):
        adapter.receive(error, 2)


def test_an_error_that_names_no_product_refuses_nothing() -> None:
    adapter = Adapter([BTC], ["ticker"], 10)
    adapter.start()
    with pytest.raises(FrameRejected, match="rate limit"):
        adapter.receive(message("error", message="Too many requests", reason="rate limit exceeded"), 1)
    assert adapter.pending() == [("ticker", BTC)]


def test_the_listing_says_what_rests() -> None:
    products = [
        {"id": "BTC-USD", "base_currency": "BTC", "quote_currency": "USD", "status": "online"},
        {"id": "OLD-USD", "base_currency": "OLD", "quote_currency": "USD", "status": "delisted"},
        {"id": "NEW-EUR", "base_currency": "NEW", "quote_currency": "EUR", "trading_disabled": True},
    ]
    listing = read_listing(msgspec.json.encode(products))
    assert listing.resolve("btc/usd", "coinbase_exchange") == BTC
    assert listing.resting == {"OLD-USD": "delisted", "NEW-EUR": "trading_disabled"}
    assert derive("eth-usd") == ETH
    with pytest.raises(FrameRejected):
        read_listing(b'{"message":"NotFound"}')
