"""Gemini: what begins a book, whose side a trade has, and how names are split."""

from typing import Any

import msgspec
import pytest

from recordings import books
from tickwire.errors import FrameRejected
from tickwire.events.types import Ticker, Trade
from tickwire.exchanges.contract import Output, Refused, Resync, Send, Subscribed, Symbol
from tickwire.exchanges.gemini import EXCHANGE, Adapter, derive, read_listing

BTC, ETH = Symbol("BTC-USD", "btcusd"), Symbol("ETH-USD", "ethusd")


def depth(first: int, last: int, **sides: Any) -> bytes:
    said = {"e": "depthUpdate", "E": 1_000_000_001, "s": "btcusd", "U": first, "u": last, "b": [["5", "1"]], "a": []}
    return msgspec.json.encode(said | sides)


def whole(number: int) -> bytes:
    return depth(number, number, a=[["6", "1"]])


def answer(number: Any, **fields: Any) -> bytes:
    return msgspec.json.encode({"id": number, **fields})


def made(*symbols: Symbol) -> Adapter:
    adapter = Adapter(symbols or [BTC], ["orderbook"], 25)
    adapter.start()
    return adapter


def started() -> Adapter:
    adapter = made()
    adapter.receive(whole(10), 1)
    return adapter


def told(outputs: list[Output]) -> list[str]:
    return [message.action for message in books(outputs)]


def test_the_address_asks_for_all_of_each_book() -> None:
    assert EXCHANGE.ws_url.endswith("?snapshot=-1")


@pytest.mark.parametrize(
    ("first", "last", "actions"),
    [(11, 14, ["delta"]), (11, 11, ["delta"]), (9, 14, ["delta"]), (10, 10, []), (12, 14, ["invalid"])],
)
def test_ranges_of_numbers_may_overlap_and_have_no_hole(first: int, last: int, actions: list[str]) -> None:
    outputs = started().receive(depth(first, last), 2)
    assert told(outputs) == actions
    assert (Resync(BTC, "gap") in outputs) is (actions == ["invalid"])


class TestBeginning:
    def broken(self) -> Adapter:
        """A book with a hole, in which the last number seen is 14."""
        adapter = started()
        adapter.receive(depth(12, 14), 2)
        adapter.resync(BTC)
        return adapter

    def test_a_change_begins_no_book(self) -> None:
        for first, last in ((11, 14), (14, 14), (3, 3)):
            assert told(made().receive(depth(first, last), 1)) == []

    def test_one_that_follows_on_the_last_is_of_the_subscription_that_was_given_up(self) -> None:
        adapter = self.broken()
        assert told(adapter.receive(whole(15), 3)) == []
        assert told(adapter.receive(whole(15), 4)) == ["snapshot"]
        assert ("orderbook", BTC) not in adapter.pending()

    @pytest.mark.parametrize("number", [14, 16, 3])
    def test_any_other_one_with_equal_numbers_and_two_sides_is_the_snapshot(self, number: int) -> None:
        assert told(self.broken().receive(whole(number), 3)) == ["snapshot"]

    @pytest.mark.parametrize("number", [15, 16])
    def test_the_last_one_is_known_also_where_it_was_taken_past_the_adapter(self, number: int) -> None:
        adapter = started()
        adapter._books["btcusd"].update_id = 14
        adapter.restart(BTC, "stale", 2)
        assert told(adapter.receive(whole(number), 3)) == (["snapshot"] if number > 15 else [])

    def test_what_waits_for_a_snapshot_is_asked_for_again(self) -> None:
        asked = [msgspec.json.decode(send.payload) for send in self.broken().retry() if isinstance(send, Send)]
        assert [request["method"] for request in asked] == ["unsubscribe", "subscribe"]
        assert asked[1]["params"] == ["btcusd@depth@100ms"]


@pytest.mark.parametrize(("maker", "side"), [(True, "sell"), (False, "buy")])
def test_the_side_of_a_trade_is_the_takers_and_its_time_in_nanoseconds(maker: bool, side: str) -> None:
    adapter = Adapter([BTC], ["trade"], 25)
    said = {"E": 1783981140085684217, "s": "btcusd", "t": 2840141014190422, "p": "62145.38", "q": "0.0162", "m": maker}
    *_, trade = adapter.receive(msgspec.json.encode(said), 1)
    assert isinstance(trade, Trade)
    assert (trade.side, trade.trade_id, trade.exchange_us) == (side, "2840141014190422", 1783981140085684)


def test_a_price_without_a_size_is_an_empty_side() -> None:
    adapter = Adapter([BTC], ["ticker"], 25)
    said = {"u": 7, "E": 1000, "s": "btcusd", "b": "5", "B": "1", "a": "0", "A": "0.00000000"}
    *_, ticker = adapter.receive(msgspec.json.encode(said), 1)
    assert isinstance(ticker, Ticker)
    assert (ticker.bid, ticker.bid_size, ticker.ask, ticker.ask_size) == ("5", "1", None, None)


class TestAnswers:
    def test_a_request_is_accepted_as_a_whole(self) -> None:
        carried = [Subscribed("orderbook", BTC), Subscribed("orderbook", ETH)]
        assert made(BTC, ETH).receive(answer("1", status=200), 1) == carried

    @pytest.mark.parametrize("fields", [{"status": 400}, {"error": {"code": 1, "msg": "x"}}])
    def test_a_refused_request_is_halved_until_the_bad_one_stands_alone(self, fields: dict[str, Any]) -> None:
        adapter = made(BTC, ETH)
        assert len(adapter.receive(answer("1", **fields), 1)) == 2
        (refused,) = adapter.receive(answer("3", **fields), 1)
        assert isinstance(refused, Refused)
        assert refused.symbol == ETH

    def test_too_many_requests_refuse_nothing(self) -> None:
        adapter = made()
        with pytest.raises(FrameRejected, match="unknown"):
            adapter.receive(answer("1", status=429, error={"code": 1, "msg": "x"}), 1)
        assert adapter.pending() == [("orderbook", BTC)]

    @pytest.mark.parametrize("number", [9000, "9000", "ping", "x"])
    def test_the_answer_to_another_clients_request_changes_nothing(self, number: Any) -> None:
        adapter = made()
        assert adapter.receive(answer(number, status=200), 1) == []
        assert adapter.pending() == [("orderbook", BTC)]


def test_names_of_the_listing_are_split_by_their_quotes() -> None:
    listing = read_listing(b'["btcusd","ethbtc","xrprlusd","btcgusd","paxgusd","gusdusd","btcgusdperp","wat"]')
    names = ["BTC-USD", "ETH-BTC", "XRP-RLUSD", "BTC-GUSD", "PAXG-USD", "GUSD-USD"]
    assert [symbol.canonical for symbol in listing.symbols] == names
    assert listing.find("BTC/USD") == BTC
    with pytest.raises(FrameRejected):
        read_listing(b'{"result":"error"}')


@pytest.mark.parametrize("text", ["BTC-USD", "btc_usd", "btcusd"])
def test_names_by_rule(text: str) -> None:
    assert derive(text) == BTC
