"""KuCoin: the welcome, levels of the price 0, what its answers mean, and what makes a book start again."""

import msgspec
import pytest

from recordings import books
from tickwire.errors import FrameRejected
from tickwire.events.types import OrderBook, Trade
from tickwire.exchanges.contract import Output, Refused, Resync, Send, Subscribed, Symbol
from tickwire.exchanges.kucoin import Adapter, derive, read_listing

BTC = Symbol("BTC-USDT", "BTC-USDT")
WELCOME = b'{"sessionId":"1","message":"welcome","pingInterval":18000,"pingTimeout":10000}'
Levels = list[tuple[str, str]]


def made() -> Adapter:
    adapter = Adapter([BTC], ["orderbook"], 10)
    adapter.receive(WELCOME, 1)
    return adapter


def book(kind: str, first: int, last: int, bids: Levels, asks: Levels = []) -> bytes:  # noqa: B006 - never changed
    data = {"s": "BTC-USDT", "O": first, "C": last, "M": 1_700_000_000_123_456_789, "b": bids, "a": asks}
    return msgspec.json.encode({"T": "obu.SPOT", "dp": "increment@10ms", "t": kind, "P": 1, "d": data})


def started() -> Adapter:
    adapter = made()
    adapter.receive(book("snapshot", 10, 10, [("5", "1"), ("0.5", "2")], [("6", "1")]), 1)
    return adapter


def changed(outputs: list[Output]) -> OrderBook:
    (message,) = books(outputs)
    return message


def test_nothing_is_asked_before_the_welcome_and_all_after_it_once() -> None:
    adapter = Adapter([BTC], ["ticker", "orderbook"], 10)
    assert adapter.start() == []
    asked = [msgspec.json.decode(o.payload)["channel"] for o in adapter.receive(WELCOME, 1) if isinstance(o, Send)]
    assert asked == ["ticker", "obu"]
    assert adapter.receive(WELCOME, 2) == []


@pytest.mark.parametrize("zero", ["0", "0.0", "00", "0.000"])
def test_a_change_of_the_price_0_is_no_level_and_moves_the_number_on(zero: str) -> None:
    adapter = started()
    message = changed(adapter.receive(book("delta", 11, 12, [(zero, "7")], [(zero, "0"), ("6", "3")]), 2))
    assert (message.action, message.sequence, message.bids, message.asks) == ("delta", 12, [], [("6", "3")])
    assert changed(adapter.receive(book("delta", 13, 13, [("0.5", "0")]), 3)).bids == [("0.5", "0")]
    kept = adapter.book(BTC)
    assert kept is not None
    assert (kept.bids.top(), kept.asks.top()) == ([("5", "1")], [("6", "3")])


@pytest.mark.parametrize(("first", "action"), [(9, "delta"), (11, "delta"), (12, "invalid"), (99, "invalid")])
def test_a_change_begins_right_behind_the_book_or_before(first: int, action: str) -> None:
    outputs = started().receive(book("delta", first, first + 3, [("5", "2")]), 2)
    assert changed(outputs).action == action
    assert (Resync(BTC, "gap") in outputs) is (action == "invalid")


def test_what_the_book_holds_already_is_left_out() -> None:
    assert started().receive(book("delta", 9, 10, [("5", "2")]), 2) == []


def test_a_new_snapshot_replaces() -> None:
    message = changed(started().receive(book("snapshot", 4, 4, [("3", "1")]), 2))
    assert (message.action, message.reason, message.bids, message.asks) == ("snapshot", "resync", [("3", "1")], [])


def test_a_snapshot_of_two_numbers_is_none_and_what_follows_is_a_hole() -> None:
    adapter = started()
    with pytest.raises(FrameRejected, match="always the same"):
        adapter.receive(book("snapshot", 12, 15, [("3", "1")]), 2)
    assert adapter.book(BTC) is None
    assert changed(adapter.receive(book("delta", 11, 11, [("5", "2")]), 3)).reason == "gap"


def test_the_names_of_channels_are_read_in_capitals_or_not() -> None:
    frame = book("delta", 11, 11, [("5", "2")]).replace(b"obu.SPOT", b"obu.spot")
    assert changed(started().receive(frame, 2)).action == "delta"


@pytest.mark.parametrize(("said", "trade_id"), [("sell", "77"), ("SELL", 77)])
def test_a_trade_has_the_takers_side_in_capitals_or_not(said: str, trade_id: str | int) -> None:
    adapter = Adapter([BTC], ["trade"], 10)
    data = {"s": "BTC-USDT", "S": said, "p": "5", "q": "0.10", "ti": trade_id, "M": 7000, "E": 1}
    frame = msgspec.json.encode({"T": "trade.SPOT", "P": 1, "d": data})
    (_, trade) = adapter.receive(frame, 1)
    assert isinstance(trade, Trade)
    assert (trade.trade_id, trade.side, trade.size, trade.exchange_us) == ("77", "sell", "0.10", 7)
    with pytest.raises(FrameRejected, match="side"):
        adapter.receive(frame.replace(said.encode(), b"both"), 1)


def test_times_are_nanoseconds() -> None:
    message = changed(made().receive(book("snapshot", 1, 1, []), 1))
    assert message.exchange_us == 1_700_000_000_123_456


def test_a_book_without_numbers_is_refused() -> None:
    with pytest.raises(FrameRejected, match="number"):
        started().receive(book("delta", 11, 11, []).replace(b'"O":11,', b""), 2)


@pytest.mark.parametrize("result", [b"true", b'"true"'])
def test_an_acknowledgement_is_known_by_the_requests_number(result: bytes) -> None:
    assert made().receive(b'{"id":"1","result":%s}' % result, 1) == [Subscribed("orderbook", BTC)]


@pytest.mark.parametrize("word", ["message", "reason"])
def test_a_refusal_says_why_in_one_of_two_words(word: str) -> None:
    refusal = msgspec.json.encode({"id": "1", "result": False, word: "invalid request data"})
    assert made().receive(refusal, 1) == [Refused("orderbook", BTC, "invalid request data")]


def test_a_book_that_was_asked_for_again_can_be_refused() -> None:
    adapter = started()
    adapter.restart(BTC, "stale", 2)
    names = [msgspec.json.decode(o.payload)["id"] for o in adapter.resync(BTC) if isinstance(o, Send)]
    refusals = [msgspec.json.encode({"id": name, "result": False, "reason": "no"}) for name in names]
    assert [adapter.receive(refusal, 3) for refusal in refusals] == [[], [Refused("orderbook", BTC, "no")]]


def test_the_listing_names_what_rests() -> None:
    pair = {"symbol": "BTC-USDT", "baseCurrency": "BTC", "quoteCurrency": "USDT", "enableTrading": True}
    rests = {"symbol": "OLD-USDT", "baseCurrency": "OLD", "quoteCurrency": "USDT", "enableTrading": False}
    listing = read_listing(msgspec.json.encode({"code": "200000", "data": [pair, rests]}))
    assert listing.find("btcusdt") == BTC
    assert set(listing.resting) == {"OLD-USDT"}
    with pytest.raises(FrameRejected):
        read_listing(b'{"code":"429000","msg":"too many requests"}')


def test_names_by_rule() -> None:
    assert derive("btc/usdt") == BTC
