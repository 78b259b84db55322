"""Crypto.com: what its answers and numbers mean, and what is a contract."""

from typing import Any

import msgspec
import pytest

from recordings import books
from tickwire.errors import FrameRejected
from tickwire.events.types import Ticker, Trade
from tickwire.exchanges.contract import Refused, Send, Subscribed, Symbol
from tickwire.exchanges.crypto_com import Adapter, derive, read_listing

BTC = Symbol("BTC-USD", "BTC_USD")
PERP = Symbol("BTC-USD-PERP", "BTCUSD-PERP", "perpetual", "USD")


def made(depth: int = 25) -> Adapter:
    adapter = Adapter([BTC], ["orderbook"], depth)
    adapter.start()
    return adapter


def data(channel: str, said: dict[str, Any], **more: Any) -> bytes:
    result = {"channel": channel, "instrument_name": "BTC_USD", "data": [said], **more}
    return msgspec.json.encode({"id": -1, "method": "subscribe", "code": 0, "result": result})


def answer(**fields: Any) -> bytes:
    return msgspec.json.encode({"method": "subscribe", **fields})


def started() -> Adapter:
    adapter = made()
    adapter.receive(data("book", {"bids": [["5", "1", "1"]], "asks": [["6", "1", "1"]], "u": 10}, depth=50), 1)
    return adapter


@pytest.mark.parametrize(("least", "name"), [(1, "book.BTC_USD.10"), (11, "book.BTC_USD.50"), (999, "book.BTC_USD.50")])
def test_the_next_offered_depth_is_asked_for_as_changes(least: int, name: str) -> None:
    (send,) = Adapter([BTC], ["orderbook"], least).start()
    assert isinstance(send, Send)
    params = msgspec.json.decode(send.payload)["params"]
    assert (params["channels"], params["book_subscription_type"]) == ([name], "SNAPSHOT_AND_UPDATE")


@pytest.mark.parametrize(
    ("u", "pu", "action"), [(14, 10, "delta"), (14, 11, "invalid"), (10, 10, "delta"), (10, 9, None), (3, 10, "delta")]
)
def test_a_change_follows_where_it_names_the_number_before(u: int, pu: int, action: str | None) -> None:
    (*given,) = books(
        started().receive(data("book.update", {"update": {"bids": [["5", "2", "1"]]}, "u": u, "pu": pu}), 2)
    )
    assert [message.action for message in given] == ([] if action is None else [action])


def test_a_change_that_does_not_name_the_number_before_is_refused_and_the_next_one_is_a_hole() -> None:
    adapter = started()
    with pytest.raises(FrameRejected, match="malformed"):
        adapter.receive(data("book.update", {"update": {"bids": [["5", "2", "1"]]}, "u": 11}), 2)
    (message,) = books(adapter.receive(data("book.update", {"update": {}, "u": 12, "pu": 11}), 3))
    assert message.reason == "gap"


def test_the_depth_that_the_exchange_says_is_kept_and_no_more() -> None:
    adapter = made(50)
    levels = [[str(price), "1", "1"] for price in range(40, 20, -1)]
    (snapshot,) = books(adapter.receive(data("book", {"bids": levels, "u": 10}, depth=10), 1))
    assert (snapshot.depth, len(snapshot.bids)) == (10, 10)
    change = {"update": {"bids": [["41", "1", "1"]]}, "u": 11, "pu": 10}
    (delta,) = books(adapter.receive(data("book.update", change, depth=10), 2))
    assert delta.bids == [("41", "1"), ("31", "0")]


def test_the_first_trades_of_an_instrument_are_from_before_the_subscription() -> None:
    adapter = Adapter([Symbol("BTC-USD", "BTC_USD")], ["trade"], 25)
    adapter.start()

    def ids(*numbers: str) -> list[Any]:
        trades = [{"d": number, "t": 1, "p": "1.5", "q": "2", "s": "BUY"} for number in numbers]
        outputs = adapter.receive(msgspec.json.encode({"method": "subscribe", "result": {"channel": "trade",
            "instrument_name": "BTC_USD", "data": trades}}), 2)  # fmt: skip
        return [o.trade_id if isinstance(o, Trade) else type(o) for o in outputs]

    assert ids("9", "8") == [Subscribed]
    assert ids("12", "11") == ["11", "12"]
    adapter.renew("trade", Symbol("BTC-USD", "BTC_USD"), 3)
    assert ids("12", "11", "9") == [Subscribed]
    assert ids("13") == ["13"]


def test_a_heartbeat_is_answered_at_once_with_its_own_number() -> None:
    (send,) = made().receive(b'{"id":1587523073344,"method":"public/heartbeat","code":0}', 1)
    assert isinstance(send, Send)
    assert send.urgent
    assert msgspec.json.decode(send.payload) == {"id": 1587523073344, "method": "public/respond-heartbeat"}


@pytest.mark.parametrize("absent", [{}, {"k": None, "ks": None}, {"k": "", "ks": ""}])
def test_a_ticker_may_have_one_side(absent: dict[str, Any]) -> None:
    adapter = Adapter([BTC], ["ticker"], 10)
    *_, ticker = adapter.receive(data("ticker", {"b": "5", "bs": "1", "a": "5", "t": 7, "i": "BTC_USD", **absent}), 1)
    assert isinstance(ticker, Ticker)
    assert (ticker.bid, ticker.bid_size, ticker.ask, ticker.ask_size) == ("5", "1", None, None)


class TestAnswers:
    @pytest.mark.parametrize(
        "fields", [{"id": 1}, {"channel": "book.BTC_USD.50"}, {"id": 77, "channel": "book.BTC_USD.50"}]
    )
    def test_an_answer_is_known_by_the_channel_it_names_or_by_its_number(self, fields: dict[str, Any]) -> None:
        assert made().receive(answer(code=0, **fields), 1) == [Subscribed("orderbook", BTC)]
        refused = Refused("orderbook", BTC, "Unknown channel (code 40004)")
        assert made().receive(answer(code=40004, message="Unknown channel", **fields), 1) == [refused]

    def test_the_answer_to_another_clients_request_changes_nothing(self) -> None:
        adapter = made()
        for number in (77, "77", -1):
            assert adapter.receive(answer(code=0, id=number), 1) == []
        assert adapter.pending() == [("orderbook", BTC)]

    @pytest.mark.parametrize("code", [40003, 42901])
    def test_some_codes_refuse_nothing(self, code: int) -> None:
        adapter = made()
        with pytest.raises(FrameRejected, match="unknown"):
            adapter.receive(answer(code=code, id=1, channel="book.BTC_USD.50"), 1)
        assert adapter.pending() == [("orderbook", BTC)]


def test_the_listing_has_spot_and_contracts() -> None:
    spot = {"symbol": "BTC_USD", "inst_type": "CCY_PAIR", "base_ccy": "BTC", "quote_ccy": "USD", "tradable": True}
    perpetual = spot | {"symbol": "BTCUSD-PERP", "inst_type": "PERPETUAL_SWAP"}
    dated = spot | {"symbol": "BTCUSD-261225", "inst_type": "FUTURE", "expiry_timestamp_ms": 1798185600000}
    option = spot | {"symbol": "BTCUSD-261225-CW90000", "inst_type": "WARRANT"}
    rests = spot | {"symbol": "OLD_USD", "base_ccy": "OLD", "tradable": False}
    instruments = [spot, perpetual, dated, option, rests]
    listing = read_listing(msgspec.json.encode({"code": 0, "result": {"data": instruments}}))
    assert [symbol.canonical for symbol in listing.symbols] == ["BTC-USD", "BTC-USD-PERP", "BTC-USD-261225", "OLD-USD"]
    assert (listing.symbols[:2], listing.resting) == ((BTC, PERP), {"OLD_USD": "not tradable"})
    with pytest.raises(FrameRejected):
        read_listing(b'{"code":42901,"message":"Requests have exceeded rate limits"}')


@pytest.mark.parametrize(
    ("text", "native"),
    [
        ("BTC-USD", "BTC_USD"),
        ("btc_usd", "BTC_USD"),
        ("BTCUSD-PERP", "BTCUSD-PERP"),
        ("btc-usd-perp", "BTCUSD-PERP"),
        ("BTC-USD-261225", "BTCUSD-261225"),
    ],
)
def test_names_by_rule(text: str, native: str) -> None:
    assert derive(text).native == native
