"""Bitfinex: one row of numbers for all channels, the checksum of raw digits, signs as sides, tickers off the book."""

import contextlib
import zlib
from typing import Any

import msgspec
import pytest

from recordings import books
from tickwire.errors import FrameRejected
from tickwire.events.types import OrderBook, Ticker, Trade
from tickwire.exchanges.bitfinex import Adapter, derive, read_listing
from tickwire.exchanges.contract import Channel, Output, Reconnect, Refused, Resync, Send, Subscribed, Symbol

BTC = Symbol("BTC-USD", "tBTCUSD")
ETH = Symbol("ETH-USD", "tETHUSD")
MS = 1_795_946_400_123
BOOK = "[[100,1,1.5],[99.5,2,0.25],[101,1,-2],[101.5,3,-0.75]]"


def event(kind: str, **fields: Any) -> bytes:
    return msgspec.json.encode({"event": kind, **fields})


def data(channel: int, content: str, number: int) -> bytes:
    return f"[{channel},{content},{number},{MS}]".encode()


def crc(*numbers: str) -> int:
    value = zlib.crc32(":".join(numbers).encode())
    return value - 2**32 if value >= 2**31 else value


def opened(*channels: Channel) -> Adapter:
    """Two books, of the channels 1 and 2, whose snapshots have the numbers 1 and 2."""
    adapter = Adapter([BTC, ETH], channels or ("orderbook",), 25)
    adapter.start()
    for number, symbol in enumerate((BTC, ETH), 1):
        adapter.receive(event("subscribed", channel="book", chanId=number, symbol=symbol.native, len="25"), 1)
        adapter.receive(data(number, BOOK, number), 1)
    return adapter


def sent(outputs: list[Output]) -> list[Any]:
    return [msgspec.json.decode(output.payload) for output in outputs if isinstance(output, Send)]


def told(outputs: list[Output]) -> list[tuple[str, str | None]]:
    return [(message.action, message.reason) for message in books(outputs)]


def test_the_checks_are_switched_on_before_anything_is_subscribed() -> None:
    conf, first, *_ = sent(Adapter([BTC, ETH], ["ticker", "orderbook"], 30).start())
    assert conf == {"event": "conf", "flags": 32768 | 65536 | 131072}
    assert (first["symbol"], first["prec"], first["freq"], first["len"]) == ("tBTCUSD", "P0", "F0", "100")


@pytest.mark.parametrize("other", [{"channel": "ticker"}, {"channel": "candles"}, {"channel": "book", "prec": "R0"}])
def test_another_channel_of_the_symbol_is_not_its_book(other: dict[str, str]) -> None:
    adapter = opened()
    with pytest.raises(FrameRejected, match="unknown"):
        adapter.receive(event("subscribed", chanId=3, symbol="tBTCUSD", **other), 2)
    with pytest.raises(FrameRejected, match="unknown"):
        adapter.receive(data(3, "[100,1,7]", 3), 2)
    (change,) = books(adapter.receive(data(1, "[99,1,4]", 4), 2))
    assert (change.action, change.bids) == ("delta", [("99", "4")])


@pytest.mark.parametrize("length", ["25", 25])
def test_a_book_promises_the_levels_that_the_exchange_says_it_has(length: str | int) -> None:
    adapter = Adapter([BTC], ["orderbook"], 100)
    adapter.receive(event("subscribed", channel="book", prec="P0", chanId=1, symbol="tBTCUSD", len=length), 1)
    (snapshot,) = books(adapter.receive(data(1, BOOK, 1), 1))
    assert snapshot.depth == 25


def test_the_sign_is_the_side_and_a_count_of_zero_removes() -> None:
    adapter = opened()
    (snapshot,) = books(adapter.receive(data(1, BOOK, 3), 2))
    assert (snapshot.bids, snapshot.asks) == ([("100", "1.5"), ("99.5", "0.25")], [("101", "2"), ("101.5", "0.75")])
    assert (snapshot.sequence, snapshot.exchange_us) == (3, MS * 1000)
    (bid,) = books(adapter.receive(data(1, "[99.5,0,1]", 4), 2))
    (ask,) = books(adapter.receive(data(1, "[101.5,0,-1]", 5), 2))
    assert (bid.bids, bid.asks, ask.bids, ask.asks) == ([("99.5", "0")], [], [], [("101.5", "0")])


def test_a_new_snapshot_replaces_the_book_even_an_empty_one() -> None:
    adapter = opened()
    (snapshot,) = books(adapter.receive(data(1, "[]", 3), 2))
    assert (snapshot.action, snapshot.bids, snapshot.asks) == ("snapshot", [], [])


@pytest.mark.parametrize("last", ['"hb"', '"cs",0', "[100,1,3]", BOOK])
def test_a_message_that_is_missing_on_any_channel_restarts_every_book(last: str) -> None:
    outputs = opened().receive(data(2, last, 4), 2)
    assert told(outputs) == [("invalid", "gap"), ("invalid", "gap")]
    assert [output for output in outputs if isinstance(output, Resync)] == [Resync(BTC, "gap"), Resync(ETH, "gap")]


def test_a_book_that_is_being_subscribed_again_is_not_subscribed_once_more() -> None:
    adapter = opened()
    adapter.receive(data(1, '"hb"', 5), 2)
    assert len(sent(adapter.resync(BTC))) == 2
    assert adapter.receive(data(1, '"hb"', 9), 3) == [Resync(ETH, "gap")]


def test_heartbeats_and_checksums_are_numbered_with_the_books() -> None:
    adapter = opened()
    assert adapter.receive(data(1, '"hb"', 3), 2) == []
    right = crc("100", "1.5", "101", "-2", "99.5", "0.25", "101.5", "-0.75")
    assert adapter.receive(data(2, f'"cs",{right}', 4), 2) == []
    assert told(adapter.receive(data(1, "[100,1,3]", 5), 2)) == [("delta", None)]


def test_the_same_message_twice_counts_once() -> None:
    adapter = opened()
    assert told(adapter.receive(data(1, "[100,1,3]", 3), 2)) == [("delta", None)]
    assert adapter.receive(data(1, "[100,1,3]", 3), 2) == []


@pytest.mark.parametrize("other", [data(1, "[99,1,4]", 3), data(2, "[100,1,3]", 3), data(7, "[100,1,3]", 3)])
def test_another_message_of_the_same_number_says_that_one_is_missing(other: bytes) -> None:
    adapter = opened()
    with contextlib.suppress(FrameRejected):  # the channel 7 is none of ours
        adapter.receive(other, 2)
    assert told(adapter.receive(data(1, "[100,1,3]", 3), 2)) == [("invalid", "gap"), ("invalid", "gap")]


def test_a_frame_that_cannot_be_read_shows_as_missing() -> None:
    adapter = opened()
    with pytest.raises(FrameRejected, match="malformed"):
        adapter.receive(data(1, "[100,1,3]", 3)[:-7], 2)
    assert told(adapter.receive(data(2, '"hb"', 4), 2)) == [("invalid", "gap"), ("invalid", "gap")]


def test_a_wrong_checksum_restarts_its_book_alone_by_the_number_of_its_channel() -> None:
    adapter = opened()
    outputs = adapter.receive(data(2, '"cs",17', 3), 2)
    assert told(outputs) == [("invalid", "checksum")]
    assert outputs[1:] == [Resync(ETH, "checksum")]
    unsubscribe, subscribe = sent(adapter.resync(ETH))
    assert (unsubscribe, subscribe["symbol"]) == ({"event": "unsubscribe", "chanId": 2}, "tETHUSD")
    assert adapter.receive(data(2, "[100,1,3]", 4), 2) == []  # from before it was unsubscribed
    adapter.receive(event("unsubscribed", status="OK", chanId=2), 2)
    with pytest.raises(FrameRejected, match="unknown"):
        adapter.receive(data(2, "[100,1,3]", 5), 2)
    adapter.receive(event("subscribed", channel="book", chanId=7, symbol="tETHUSD", len="25"), 2)
    assert told(adapter.receive(data(7, BOOK, 6), 2)) == [("snapshot", "resync")]
    assert adapter.book(BTC) is not None


@pytest.mark.parametrize(
    ("bid", "ask", "size"),
    [("5.6e-7", "5.7e-7", "60712.4250231"), ("0.000001", "0.0000011", "1e-8"), ("9e-7", "1.23e-6", "4000")],
)
def test_the_checksum_is_of_the_digits_as_they_came_and_the_book_has_no_exponents(
    bid: str, ask: str, size: str
) -> None:
    adapter = opened()
    adapter.receive(data(1, f"[[{bid},1,{size}],[{ask},2,-{size}]]", 3), 2)
    if "e-6" not in ask:  # which JavaScript never writes
        assert adapter.receive(data(1, f'"cs",{crc(bid, size, ask, "-" + size)}', 4), 2) == []
    book = adapter.book(BTC)
    assert book is not None
    assert not any("e" in number for level in [*book.bids.top(), *book.asks.top()] for number in level)


def test_the_checksum_covers_25_levels_a_side() -> None:
    adapter = opened()
    bids, asks = [(f"{500 - i}", "1") for i in range(30)], [(f"{501 + i}", "2") for i in range(26)]
    entries = [f"[{p},1,{s}]" for p, s in bids] + [f"[{p},1,-{s}]" for p, s in asks]
    adapter.receive(data(1, f"[{','.join(entries)}]", 3), 2)
    top = [n for (b, bs), (a, s) in zip(bids[:25], asks[:25], strict=True) for n in (b, bs, a, "-" + s)]
    assert adapter.receive(data(1, f'"cs",{crc(*top)}', 4), 2) == []
    assert told(adapter.receive(data(1, f'"cs",{crc(*top[:-2])}', 5), 2)) == [("invalid", "checksum")]


@pytest.mark.parametrize(
    "entry", ['[100,"1",1]', "[100,-1,1]", "[100,1,0]", "[-100,1,1]", "[100,1]", "[null,1,1]", "[1e99,1,1]", "1"]
)
def test_a_level_that_is_none_starts_its_book_again_at_the_next_change(entry: str) -> None:
    adapter = opened()
    with pytest.raises(FrameRejected, match="malformed"):
        adapter.receive(data(1, f"[{entry},{entry}]" if entry == "1" else entry, 3), 2)
    assert adapter.book(BTC) is None
    assert told(adapter.receive(data(1, "[100,1,1]", 4), 2)) == [("invalid", "gap")]
    assert adapter.book(ETH) is not None


def test_tickers_are_read_off_the_book_when_its_best_levels_change() -> None:
    adapter = opened("ticker", "orderbook")
    outputs = adapter.receive(data(1, "[100,1,3]", 3), 2)
    assert [type(output) for output in outputs] == [OrderBook, Ticker]
    ticker = outputs[1]
    assert isinstance(ticker, Ticker)
    assert (ticker.bid, ticker.bid_size, ticker.ask, ticker.ask_size) == ("100", "3", "101", "2")
    assert (ticker.sequence, ticker.exchange_us, ticker.received_us) == (3, MS * 1000, 2)
    assert [type(output) for output in adapter.receive(data(1, "[99.5,1,3]", 4), 2)] == [OrderBook]
    assert [type(output) for output in adapter.receive(data(1, '"cs",1', 5), 2)] == [OrderBook, Resync]


def test_a_ticker_alone_keeps_its_book_true_by_itself() -> None:
    adapter = opened("ticker")
    assert adapter.pending() == []
    assert [type(output) for output in adapter.receive(data(1, "[100,1,3]", 3), 2)] == [Ticker]
    again = sent(adapter.receive(data(1, '"cs",1', 4), 2))
    assert [request["event"] for request in again] == ["unsubscribe", "subscribe"]
    assert adapter.pending() == [("ticker", BTC)]


def test_answers_concern_every_channel_that_was_asked_for() -> None:
    adapter = Adapter([BTC, ETH], ["ticker", "orderbook"], 25)
    adapter.start()
    assert adapter.pending() == [(channel, symbol) for symbol in (BTC, ETH) for channel in ("ticker", "orderbook")]
    answer = adapter.receive(event("subscribed", channel="book", chanId=1, symbol="tBTCUSD", len="25"), 1)
    assert answer == [Subscribed("ticker", BTC), Subscribed("orderbook", BTC)]
    said = "symbol: invalid (code 10300)"
    answer = adapter.receive(event("error", msg="symbol: invalid", code=10300, symbol="tETHUSD"), 1)
    assert answer == [Refused("ticker", ETH, said), Refused("orderbook", ETH, said)]
    with pytest.raises(FrameRejected, match="unknown"):
        adapter.receive(event("error", msg="unknown event", code=10000), 1)


def test_each_trade_is_told_once_with_the_takers_side_and_without_those_from_before() -> None:
    adapter = Adapter([BTC], ["ticker", "trade"], 25)
    assert [request.get("channel") for request in sent(adapter.start())] == [None, "book", "trades"]
    answer = adapter.receive(event("subscribed", channel="trades", chanId=5, symbol="tBTCUSD"), 1)
    assert answer == [Subscribed("trade", BTC)]
    assert adapter.receive(data(5, "[[17,1795946390000,1,99]]", 1), 1) == []
    (sold,) = adapter.receive(data(5, f'"te",[18,{MS},-1.5e-7,100.10]', 2), 2)
    assert isinstance(sold, Trade)
    assert (sold.trade_id, sold.price, sold.size, sold.side) == ("18", "100.10", "0.00000015", "sell")
    assert (sold.exchange_us, sold.received_us) == (MS * 1000, 2)
    assert adapter.receive(data(5, f'"tu",[18,{MS},-1.5e-7,100.10]', 3), 2) == []
    (bought,) = adapter.receive(data(5, f'"te",[19,{MS},2,100.2]', 4), 2)
    assert isinstance(bought, Trade)
    assert (bought.size, bought.side) == ("2", "buy")
    with pytest.raises(FrameRejected, match="malformed"):
        adapter.receive(data(5, '"te",[20]', 5), 2)
    assert sent(adapter.stop())[1] == {"event": "unsubscribe", "chanId": 5}


@pytest.mark.parametrize("leave", [event("info", code=20051), event("info", code=20061), event("error", code=10301)])
def test_what_needs_a_new_connection_asks_for_one(leave: bytes) -> None:
    (output,) = opened().receive(leave, 2)
    assert isinstance(output, Reconnect)


def test_checks_that_the_exchange_does_not_give_are_no_acceptance() -> None:
    with pytest.raises(FrameRejected, match="unknown"):
        opened().receive(event("conf", status="FAILED"), 2)
    with pytest.raises(FrameRejected, match="malformed"):
        opened().receive(b"[1,[100,1,3]]", 2)


def unnumbered(channel: int, content: str) -> bytes:
    return f"[{channel},{content},{MS}]".encode()


def test_where_the_exchange_does_not_number_messages_checksums_tell_what_is_missing() -> None:
    adapter = Adapter([BTC], ["ticker", "orderbook", "trade"], 25)
    adapter.start()
    assert adapter.receive(event("conf", status="OK", flags=32768 | 131072), 1) == []
    adapter.receive(event("subscribed", channel="book", chanId=1, symbol="tBTCUSD", len="25"), 1)
    adapter.receive(event("subscribed", channel="trades", chanId=2, symbol="tBTCUSD"), 1)
    (snapshot,) = books(adapter.receive(unnumbered(1, BOOK), 1))
    assert (snapshot.sequence, snapshot.exchange_us) == (None, MS * 1000)
    for _ in range(2):
        (delta,) = books(adapter.receive(unnumbered(1, "[99,1,4]"), 2))
        assert (delta.action, delta.bids, delta.sequence, delta.exchange_us) == (
            "delta",
            [("99", "4")],
            None,
            MS * 1000,
        )
    (trade,) = adapter.receive(unnumbered(2, f'"te",[18,{MS},-1.5,100.1]'), 2)
    assert isinstance(trade, Trade)
    assert adapter.receive(unnumbered(1, '"hb"'), 2) == []
    assert told(adapter.receive(unnumbered(1, '"cs",1'), 2)) == [("invalid", "checksum")]


@pytest.mark.parametrize("end", [1, 2, 5, 12, -1])
def test_a_frame_that_cannot_be_read_leaves_books_in_doubt_where_nothing_is_numbered(end: int) -> None:
    adapter = Adapter([BTC], ["orderbook"], 25)
    adapter.receive(event("conf", status="OK", flags=32768 | 131072), 1)
    adapter.receive(event("subscribed", channel="book", chanId=1, symbol="tBTCUSD", len="25"), 1)
    adapter.receive(unnumbered(1, BOOK), 1)
    with pytest.raises(FrameRejected, match="malformed"):
        adapter.receive(unnumbered(1, "[99,1,4]")[:end], 2)
    assert adapter.book(BTC) is None
    assert told(adapter.receive(unnumbered(1, "[98,1,4]"), 3)) == [("invalid", "gap")]


def test_a_message_without_a_time_counts_all_the_same() -> None:
    (delta,) = books(opened().receive(b"[1,[100,1,3],3]", 2))
    assert (delta.bids, delta.sequence, delta.exchange_us) == ([("100", "3")], 3, None)


def test_names_are_of_three_letters_or_split_by_a_colon_and_ust_is_usdt() -> None:
    listing = read_listing(b'[["BTCUSD","BTCUST","DOGE:USD","ATOUSD"]]')
    names = {symbol.canonical: symbol.native for symbol in listing.symbols}
    assert names == {"BTC-USD": "tBTCUSD", "BTC-USDT": "tBTCUST", "DOGE-USD": "tDOGE:USD", "ATOM-USD": "tATOUSD"}
    assert listing.resolve("DOGE:USD", "bitfinex").native == "tDOGE:USD"
    for text in ("BTC-USDT", "BTC/UST", "tBTCUST", "btc-usdt"):
        assert derive(text) == Symbol("BTC-USDT", "tBTCUST")
    assert derive("DOGE-USD") == Symbol("DOGE-USD", "tDOGE:USD")
    with pytest.raises(FrameRejected):
        read_listing(b'["error",10020,"conf: invalid"]')
