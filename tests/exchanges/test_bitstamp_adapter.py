"""Bitstamp: changes by their time alone, snapshots by REST, tickers off the book, trades."""

import contextlib
from typing import Any

import msgspec
import pytest

from recordings import books
from tickwire.errors import FrameRejected
from tickwire.events.types import OrderBook, Ticker, Trade
from tickwire.exchanges.bitstamp import EXCHANGE, Adapter, derive, read_listing
from tickwire.exchanges.contract import (
    Channel,
    Fetch,
    Output,
    Reconnect,
    Refused,
    Resync,
    Send,
    Subscribed,
    Symbol,
)

BTC = Symbol("BTC-USD", "btcusd")
ETH = Symbol("ETH-USD", "ethusd")
T = 1_795_946_400_000_000
Levels = list[list[str]]


def message(event: str, channel: str = "", data: Any = None) -> bytes:
    return msgspec.json.encode({"event": event, "channel": channel, "data": data})


def book(at: int, bids: Levels, asks: Levels) -> dict[str, Any]:
    return {"timestamp": str((T + at) // 10**6), "microtimestamp": str(T + at), "bids": bids, "asks": asks}


def change(at: int, bids: Levels, asks: Levels, native: str = "btcusd") -> bytes:
    return message("data", f"diff_order_book_{native}", book(at, bids, asks))


def snapshot(at: int, size: str = "1.50000000") -> bytes:
    return msgspec.json.encode(book(at, [["100", size], ["99", "2"]], [["101", "3"]]))


def only_fetch(outputs: list[Output]) -> Fetch:
    (fetch,) = [output for output in outputs if isinstance(output, Fetch)]
    return fetch


def opened(*channels: Channel) -> Adapter:
    """A book whose snapshot has the time 10, after a change of the time 5."""
    adapter = Adapter([BTC, ETH], channels or ("orderbook",), 10)
    adapter.start()
    fetch = only_fetch(adapter.receive(change(5, [["100", "1"]], []), 1))
    adapter.fetched(fetch, snapshot(10), 2)
    return adapter


def told(outputs: list[Output]) -> list[tuple[str, str | None]]:
    return [(m.action, m.reason) for m in books(outputs)]


def test_what_the_snapshot_holds_is_dropped_and_what_came_after_it_applied() -> None:
    adapter = Adapter([BTC], ["orderbook"], 10)
    adapter.start()
    fetch = only_fetch(adapter.receive(change(5, [["98", "7"]], []), 1))
    assert (fetch.path, fetch.delay_s) == ("/api/v2/order_book/btcusd/", 0.0)
    assert adapter.receive(change(10, [["97", "7"]], []), 2) == []
    assert adapter.receive(change(11, [["99", "0.00000000"]], []), 3) == []
    first, delta = books(adapter.fetched(fetch, snapshot(10), 4))
    assert (first.action, first.reason, first.bids) == ("snapshot", "initial", [("100", "1.50000000"), ("99", "2")])
    assert (delta.action, delta.bids, delta.exchange_us, delta.received_us) == ("delta", [("99", "0")], T + 11, 3)


def test_two_changes_of_one_time_both_count_and_an_older_one_says_that_a_time_was_wrong() -> None:
    adapter = opened()
    assert told(adapter.receive(change(20, [["100", "4"]], []), 3)) == [("delta", None)]
    assert told(adapter.receive(change(20, [["99", "4"]], []), 3)) == [("delta", None)]
    assert told(adapter.receive(change(19, [["99", "5"]], []), 3)) == [("invalid", "gap")]


@pytest.mark.parametrize(
    "frame",
    [
        change(20, [["100", "4"]], []),
        b'{"data":%b,"event":"data","channel":"diff_order_book_btcusd"}'
        % msgspec.json.encode(book(20, [["100", "4"]], [])),
    ],
)
def test_a_change_that_is_cut_anywhere_leaves_its_book_in_doubt(frame: bytes) -> None:
    for end in range(1, len(frame)):
        adapter = opened()
        with pytest.raises(FrameRejected, match="malformed"):
            adapter.receive(frame[:end], 2)
        assert adapter.book(BTC) is None


@pytest.mark.parametrize("frame", [b"", b"x", message("trade", "live_trades_btcusd", {})[:-1], b'{"event":"bts:heartb'])
def test_what_is_no_part_of_a_change_leaves_books_alone(frame: bytes) -> None:
    adapter = opened()
    with pytest.raises(FrameRejected):
        adapter.receive(frame, 2)
    assert adapter.book(BTC) is not None


def test_a_snapshot_older_than_the_first_change_is_asked_for_again_however_often_it_is_given() -> None:
    adapter = Adapter([BTC], ["orderbook"], 10)
    adapter.start()
    fetch = only_fetch(adapter.receive(change(10, [["98", "7"]], []), 1))
    for _ in range(10):
        fetch = only_fetch(adapter.fetched(fetch, snapshot(9), 2))
        assert fetch.delay_s > 0
    assert told(adapter.fetched(fetch, snapshot(10), 3)) == [("snapshot", "initial")]


def test_a_quiet_book_starts_once_a_snapshot_has_reached_its_first_change_though_not_the_later_ones() -> None:
    adapter = Adapter([BTC, ETH], ["orderbook"], 10)
    adapter.start()
    adapter.receive(message("bts:subscription_succeeded", "diff_order_book_btcusd", {}), 1)
    adapter.receive(change(10, [["98", "7"]], [], "ethusd"), 2)
    fetch = only_fetch(adapter.receive(change(60_000_000, [["98", "7"]], []), 3))
    fetch = only_fetch(adapter.fetched(fetch, snapshot(-3_600_000_000), 4))  # the last one of an hour before
    adapter.receive(change(90_000_000, [["97", "1"]], []), 5)
    outputs = adapter.fetched(fetch, snapshot(60_000_000), 6)
    assert told(outputs) == [("snapshot", "initial"), ("delta", None)]
    assert books(outputs)[1].bids == [("97", "1")]


def test_the_same_old_snapshot_starts_a_quiet_book_of_which_no_change_had_come() -> None:
    adapter = Adapter([BTC], ["orderbook"], 10)
    adapter.start()
    outputs = adapter.receive(message("bts:subscription_succeeded", "diff_order_book_btcusd", {}), 1)
    assert outputs[0] == Subscribed("orderbook", BTC)
    fetch = only_fetch(outputs)
    assert fetch.delay_s > 0  # so that what the exchange gives by REST may be a while behind
    assert told(adapter.fetched(fetch, snapshot(-3_600_000_000), 2)) == [("snapshot", "initial")]
    assert told(adapter.receive(change(60_000_000, [["98", "7"]], []), 3)) == [("delta", None)]


def accepted(first: int) -> tuple[Adapter, Fetch]:
    """A book that was accepted before anything had come: another one changes at 10, and it changes at *first*."""
    adapter = Adapter([BTC, ETH], ["orderbook"], 10)
    adapter.start()
    adapter.receive(message("bts:subscription_succeeded", "diff_order_book_btcusd", {}), 1)
    adapter.receive(change(10, [["98", "7"]], [], "ethusd"), 2)
    return adapter, only_fetch(adapter.receive(change(first, [["98", "7"]], []), 3))


def test_an_older_snapshot_of_a_quiet_book_counts_where_no_change_can_be_missing() -> None:
    adapter, fetch = accepted(60_000_000)
    again = only_fetch(adapter.fetched(fetch, snapshot(9), 4))  # of before the subscription
    assert told(adapter.fetched(again, snapshot(10), 5)) == [("snapshot", "initial"), ("delta", None)]


@pytest.mark.parametrize(
    "trouble", [change(65_000_000, [["98", "x"]], []), b'{"event":"data","channel":"diff_order', change(50, [], [])]
)
def test_after_any_trouble_it_counts_no_more(trouble: bytes) -> None:
    adapter, fetch = accepted(60_000_000)
    with contextlib.suppress(FrameRejected):  # the last one only goes back
        adapter.receive(trouble, 4)
    for _ in range(3):
        fetch = only_fetch(adapter.fetched(fetch, snapshot(20), 5))
    assert told(adapter.fetched(fetch, snapshot(70_000_000), 6)) == [("snapshot", "initial")]


def test_a_crossed_book_is_no_trouble() -> None:
    adapter = opened("ticker", "orderbook")
    assert EXCHANGE.crossed_s is None
    outputs = adapter.receive(change(20, [["102", "1"]], []), 3)
    assert told(outputs) == [("delta", None)]
    ticker = outputs[-1]
    assert isinstance(ticker, Ticker)
    assert (ticker.bid, ticker.ask) == ("102", "101")


@pytest.mark.parametrize(
    "bad",
    [
        change(20, [["100", "-1"]], []),
        change(20, [["x", "1"]], []),
        change(20, [["98", "1"]], [])[:-3],
        message("data", "diff_order_book_btcusd", {"bids": [], "asks": [], "microtimestamp": "soon"}),
        message("data", "diff_order_book_btcusd", {"bids": [], "asks": []}),
    ],
)
def test_a_change_that_cannot_be_read_starts_its_book_again_and_no_other(bad: bytes) -> None:
    adapter = opened()
    adapter.fetched(only_fetch(adapter.receive(change(5, [], [], "ethusd"), 2)), snapshot(10), 2)
    with pytest.raises(FrameRejected, match="malformed"):
        adapter.receive(bad, 3)
    assert adapter.book(BTC) is None
    assert adapter.book(ETH) is not None
    outputs = adapter.receive(change(30, [["97", "1"]], []), 4)
    assert told(outputs) == [("invalid", "gap")]
    assert outputs[1:] == [Resync(BTC, "gap")]


def test_a_snapshot_that_may_lack_a_change_which_could_not_be_read_is_asked_for_again() -> None:
    adapter = Adapter([BTC], ["orderbook"], 10)
    adapter.start()
    fetch = only_fetch(adapter.receive(change(5, [["98", "7"]], []), 1))
    with pytest.raises(FrameRejected, match="malformed"):
        adapter.receive(change(20, [["98", "x"]], []), 2)
    again = only_fetch(adapter.fetched(fetch, snapshot(10), 3))
    assert told(adapter.fetched(again, snapshot(30), 4)) == [("snapshot", "initial")]


def test_tickers_are_read_off_the_book_also_where_it_was_not_asked_for() -> None:
    adapter = Adapter([BTC], ["ticker"], 10)
    (request,) = [msgspec.json.decode(o.payload) for o in adapter.start() if isinstance(o, Send)]
    assert request == {"event": "bts:subscribe", "data": {"channel": "diff_order_book_btcusd"}}
    assert adapter.pending() == [("ticker", BTC)]
    outputs = adapter.receive(change(5, [["100", "1"]], []), 1)
    assert outputs[0] == Subscribed("ticker", BTC)
    (ticker,) = adapter.fetched(only_fetch(outputs), snapshot(10), 2)
    assert isinstance(ticker, Ticker)
    assert (ticker.bid, ticker.bid_size, ticker.ask, ticker.ask_size) == ("100", "1.50000000", "101", "3")
    assert adapter.receive(change(20, [["99", "1"]], []), 3) == []
    assert [type(o) for o in adapter.receive(change(21, [], [["101", "4"]]), 3)] == [Ticker]
    with pytest.raises(FrameRejected):
        adapter.receive(change(22, [["99", "x"]], []), 4)
    assert only_fetch(adapter.receive(change(23, [["99", "1"]], []), 5)).path == "/api/v2/order_book/btcusd/"


def test_the_ticker_comes_behind_the_change_that_made_it() -> None:
    outputs = opened("ticker", "orderbook").receive(change(20, [["100", "4"]], []), 3)
    assert [type(output) for output in outputs] == [OrderBook, Ticker]


@pytest.mark.parametrize(("kind", "side"), [(0, "buy"), (1, "sell")])
def test_a_trade_has_the_takers_side_and_every_digit(kind: int, side: str) -> None:
    adapter = Adapter([BTC], ["trade"], 10)
    trade = {"id": 412, "price": 100.1, "price_str": "100.10", "amount": 0.1, "amount_str": "0.10000000", "type": kind}
    (told_, done) = adapter.receive(message("trade", "live_trades_btcusd", {**trade, "microtimestamp": str(T)}), 2)
    assert told_ == Subscribed("trade", BTC)
    assert isinstance(done, Trade)
    assert (done.trade_id, done.price, done.size, done.side, done.exchange_us) == (
        "412",
        "100.10",
        "0.10000000",
        side,
        T,
    )


def test_an_error_refuses_the_channel_that_it_names_and_nothing_where_it_names_none() -> None:
    adapter = Adapter([BTC], ["ticker", "orderbook", "trade"], 10)
    adapter.start()
    error = {"code": None, "message": "Bad subscription string."}
    said = "Bad subscription string. (code None)"
    refused = [Refused("ticker", BTC, said), Refused("orderbook", BTC, said)]
    assert adapter.receive(message("bts:error", "diff_order_book_btcusd", error), 1) == refused
    with pytest.raises(FrameRejected, match="unknown"):
        adapter.receive(message("bts:error", "", error), 1)
    assert adapter.pending() == [("trade", BTC)]


def test_the_wish_to_reconnect_is_obeyed_and_heartbeats_are_quiet() -> None:
    adapter = opened()
    (leave,) = adapter.receive(message("bts:request_reconnect", "", ""), 2)
    assert isinstance(leave, Reconnect)
    assert adapter.ping() == b'{"event":"bts:heartbeat"}'
    assert adapter.receive(message("bts:heartbeat", "", {"status": "success"}), 2) == []


def test_the_listing_has_spot_alone_and_says_what_rests() -> None:
    pairs = [
        {"name": "BTC/USD", "url_symbol": "btcusd", "trading": "Enabled"},
        {"name": "OLD/EUR", "url_symbol": "oldeur", "trading": "Disabled"},
        {"name": "BTC/USD-PERP", "url_symbol": "btcusd-perp", "trading": "Enabled"},
    ]
    listing = read_listing(msgspec.json.encode(pairs))
    assert [symbol.canonical for symbol in listing.symbols] == ["BTC-USD", "OLD-EUR"]
    assert listing.resting == {"oldeur": "Disabled"}
    assert derive("eth/usd") == ETH
    with pytest.raises(FrameRejected):
        read_listing(b"{}")
