"""Bitget: what tells a hole in a book, and what its answers mean."""

from typing import Any

import msgspec
import pytest

from recordings import books
from tickwire.errors import FrameRejected
from tickwire.exchanges.bitget import EXCHANGE, Adapter, derive, read_listing
from tickwire.exchanges.contract import Output, Refused, Send, Subscribed, Symbol

BTC, ETH = Symbol("BTC-USDT", "BTCUSDT"), Symbol("ETH-USDT", "ETHUSDT")
BID = [["5", "1"]]


def frame(action: str, channel: str = "books", **sides: Any) -> bytes:
    data = [{"asks": [], "bids": [], "ts": "1", **sides}]
    return msgspec.json.encode({"action": action, "arg": {"channel": channel, "instId": "BTCUSDT"}, "data": data})


def event(name: str, **fields: Any) -> bytes:
    return msgspec.json.encode({"event": name, **fields})


def made(*symbols: Symbol) -> Adapter:
    adapter = Adapter(symbols or [BTC], ["orderbook"], 25)
    adapter.start()
    return adapter


def started() -> Adapter:
    adapter = made()
    adapter.receive(frame("snapshot", bids=BID, seq=10, pseq=0), 1)
    return adapter


@pytest.mark.parametrize(
    ("numbers", "action"),
    [
        ({"seq": 12, "pseq": 10}, "delta"),
        ({"seq": "12", "pseq": "10"}, "delta"),  # numbers are texts sometimes
        ({"seq": 3, "pseq": 10}, "delta"),  # after maintenance
        ({"seq": 12}, "delta"),
        ({"seq": 10, "pseq": 8}, None),  # it comes twice
        ({"seq": 14, "pseq": 12}, "invalid"),
        ({"seq": 9, "pseq": 8}, None),  # from before the snapshot
        ({"seq": 14, "pseq": 0}, "invalid"),
    ],
)
def test_a_change_follows_where_it_names_the_number_before(numbers: dict[str, Any], action: str | None) -> None:
    (*given,) = books(started().receive(frame("update", bids=BID, **numbers), 2))
    assert [message.action for message in given] == ([] if action is None else [action])


def test_a_change_that_cannot_be_read_is_a_hole_even_where_the_next_one_names_nothing() -> None:
    adapter = started()
    with pytest.raises(FrameRejected, match="malformed"):
        adapter.receive(frame("update", bids=BID, ts="x"), 2)
    assert [message.reason for message in books(adapter.receive(frame("update", bids=BID, seq=12), 3))] == ["gap"]


def test_a_snapshot_that_is_no_list_starts_a_book_and_every_snapshot_replaces_it() -> None:
    adapter = started()
    for asks in (b'"asks":[]', b'"asks":[["6","1"]]'):
        whole = frame("snapshot", bids=[["4", "1"]], seq=1, pseq=0).replace(b'"asks":[]', asks)
        (snapshot,) = books(adapter.receive(whole.replace(b'"data":[', b'"data":').replace(b"}]}", b"}}"), 2))
        assert (snapshot.action, snapshot.bids) == ("snapshot", [("4", "1")])
    assert snapshot.asks == [("6", "1")]


def test_trades_from_before_acknowledge_and_do_not_leave() -> None:
    adapter = Adapter([BTC], ["trade"], 25)
    trade = b'{"ts":"1","price":"5","size":"1","side":"buy","tradeId":"7"}'
    text = b'{"action":"%b","arg":{"channel":"trade","instId":"BTCUSDT"},"data":[%b]}'
    assert adapter.receive(text % (b"snapshot", trade), 1) == [Subscribed("trade", BTC)]
    assert adapter.pending() == []
    assert len(adapter.receive(text % (b"update", trade), 1)) == 1


class TestAnswers:
    @pytest.mark.parametrize("code", [30001, "30001"])
    def test_a_refusal_is_known_by_its_argument_or_by_its_text(self, code: int | str) -> None:
        text = "instType:SPOT,channel:books,instId:BTCUSDT doesn't exist"
        refused: list[Output] = [Refused("orderbook", BTC, f"{text} (code 30001)")]
        argument = {"instType": "SPOT", "channel": "books", "instId": "BTCUSDT"}
        assert made().receive(event("error", code=code, msg=text), 1) == refused
        assert made().receive(event("error", code=code, msg=text, arg=argument), 1) == refused

    @pytest.mark.parametrize("fields", [{"code": 30006, "arg": {"channel": "books", "instId": "BTCUSDT"}}, {"code": 1}])
    def test_what_says_nothing_about_a_subscription_refuses_none(self, fields: dict[str, Any]) -> None:
        adapter = made()
        with pytest.raises(FrameRejected, match="unknown"):
            adapter.receive(event("error", msg="too many requests", **fields), 1)
        assert adapter.pending() == [("orderbook", BTC)]

    def test_what_was_refused_together_with_another_is_asked_for_again(self) -> None:
        adapter = made(BTC, ETH)
        adapter.receive(event("error", code=30001, arg={"channel": "books", "instId": "ETHUSDT"}), 1)
        (again,) = adapter.retry()
        assert isinstance(again, Send)
        assert [arg["instId"] for arg in msgspec.json.decode(again.payload)["args"]] == ["BTCUSDT"]


def test_no_request_is_longer_than_the_exchange_takes() -> None:
    symbols = [Symbol(f"{i:020}-USDT", f"{i:020}USDT") for i in range(EXCHANGE.symbols_per_connection)]
    sent = [output.payload for output in Adapter(symbols, EXCHANGE.channels, 25).start() if isinstance(output, Send)]
    assert max(map(len, sent)) <= 4096


def test_the_listing_names_what_rests() -> None:
    usual = {"symbol": "BTCUSDT", "baseCoin": "BTC", "quoteCoin": "USDT", "status": "online", "areaSymbol": "no"}
    rests = usual | {"symbol": "ETHUSDT", "baseCoin": "ETH", "status": "halt"}
    listing = read_listing(msgspec.json.encode({"code": "00000", "msg": "success", "data": [usual, rests]}))
    assert (listing.symbols, listing.resting) == ((BTC, ETH), {"ETHUSDT": "halt"})
    with pytest.raises(FrameRejected, match="429"):
        read_listing(b'{"code":"429","msg":"Too Many Requests"}')


@pytest.mark.parametrize("text", ["BTC-USDT", "btc_usdt", "BTCUSDT", "BTC/USDT"])
def test_names_by_rule(text: str) -> None:
    assert derive(text) == BTC
