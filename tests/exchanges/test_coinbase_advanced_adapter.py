"""Coinbase Advanced Trade: the numbers of a connection, sides, and products in USDC."""

from contextlib import suppress
from typing import Any

import msgspec
import pytest

from recordings import books
from tickwire.errors import FrameRejected, NotWanted
from tickwire.events.types import Trade
from tickwire.exchanges.coinbase_advanced import Adapter, derive, read_listing
from tickwire.exchanges.contract import Output, Refused, Resync, Send, Subscribed, Symbol

BTC, ETH = Symbol("BTC-USD", "BTC-USD"), Symbol("ETH-USD", "ETH-USD")


def frame(number: int | None, channel: str, *events: dict[str, Any], time: str = "2026-11-24T19:00:00.1Z") -> bytes:
    numbered = {} if number is None else {"sequence_num": number}
    return msgspec.json.encode({"channel": channel, "timestamp": time, **numbered, "events": events})


def book(
    kind: str = "update", product: str = "BTC-USD", price: str = "5", size: str = "1", side: str = "bid"
) -> dict[str, Any]:
    update = {"side": side, "event_time": "1970-01-01T00:00:00Z", "price_level": price, "new_quantity": size}
    return {"type": kind, "product_id": product, "updates": [update]}


def trades(kind: str, *ids: str, product: str = "BTC-USD", side: str = "BUY") -> dict[str, Any]:
    usual = {"price": "5", "size": "1", "side": side, "time": "2026-11-24T19:00:00.123456789Z", "product_id": product}
    return {"type": kind, "trades": [usual | {"trade_id": each} for each in ids]}


def started() -> Adapter:
    """Both books at the number 11."""
    adapter = Adapter([BTC, ETH], ["orderbook", "trade"], 25)
    adapter.start()
    adapter.receive(frame(10, "l2_data", book("snapshot")), 1)
    adapter.receive(frame(11, "l2_data", book("snapshot", "ETH-USD")), 1)
    return adapter


def told(outputs: list[Output]) -> list[tuple[str, str]]:
    return [(message.action, message.symbol) for message in books(outputs)]


class TestNumbers:
    @pytest.mark.parametrize("channel", ["heartbeats", "subscriptions", "candles", "ticker", "l2_data"])
    def test_a_number_that_is_missing_on_any_channel_restarts_every_book(self, channel: str) -> None:
        outputs = started().receive(frame(13, channel), 2)
        assert told(outputs) == [("invalid", "BTC-USD"), ("invalid", "ETH-USD")]
        assert [output.symbol for output in outputs if isinstance(output, Resync)] == [BTC, ETH]

    @pytest.mark.parametrize("channel", ["heartbeats", "subscriptions", "candles"])
    def test_every_channel_counts(self, channel: str) -> None:
        adapter = started()
        with suppress(FrameRejected):  # one of a channel that was not asked for
            adapter.receive(frame(12, channel), 2)
        assert told(adapter.receive(frame(13, "l2_data", book()), 3)) == [("delta", "BTC-USD")]

    def test_another_message_of_the_same_number_says_that_one_is_missing(self) -> None:
        outputs = started().receive(frame(11, "l2_data", book(product="ETH-USD")), 2)
        assert told(outputs) == [("invalid", "BTC-USD"), ("invalid", "ETH-USD")]

    def test_a_message_that_comes_twice_is_ignored(self) -> None:
        assert started().receive(frame(11, "l2_data", book("snapshot", "ETH-USD")), 2) == []

    def test_the_message_that_shows_the_hole_is_taken_too(self) -> None:
        outputs = started().receive(frame(13, "l2_data", book("snapshot")), 2)
        assert told(outputs) == [("invalid", "BTC-USD"), ("invalid", "ETH-USD"), ("snapshot", "BTC-USD")]

    @pytest.mark.parametrize("payload", [b"{", frame(12, "l2_data", book(), time="x"), frame(12, "l2_data", book("x"))])
    def test_a_message_that_cannot_be_read_is_one_that_is_missing(self, payload: bytes) -> None:
        adapter = started()
        with pytest.raises(FrameRejected, match="malformed"):
            adapter.receive(payload, 2)
        assert told(adapter.receive(frame(13, "heartbeats"), 3)) == [("invalid", "BTC-USD"), ("invalid", "ETH-USD")]

    def test_what_is_not_ours_does_not_hide_what_comes_with_it(self) -> None:
        adapter = started()
        assert told(adapter.receive(frame(12, "l2_data", book(), book(product="SOL-USD")), 2)) == [("delta", "BTC-USD")]
        adapter.remove([ETH])
        assert told(adapter.receive(frame(13, "l2_data", book(product="ETH-USD"), book()), 3)) == [("delta", "BTC-USD")]
        with pytest.raises(NotWanted):
            adapter.receive(frame(14, "l2_data", book(product="ETH-USD")), 4)
        assert told(adapter.receive(frame(15, "l2_data", book()), 5)) == [("delta", "BTC-USD")]


def test_a_snapshot_replaces_and_the_size_zero_removes_however_it_is_written() -> None:
    adapter = started()
    (snapshot,) = books(adapter.receive(frame(12, "l2_data", book("snapshot", price="6", side="offer")), 2))
    assert (snapshot.bids, snapshot.asks) == ([], [("6", "1")])
    adapter.receive(frame(13, "l2_data", book(price="6.00", size="0.00000000", side="offer")), 3)
    current = adapter.book(BTC)
    assert current is not None
    assert current.asks.top() == []


class TestTrades:
    def test_the_side_is_the_takers_and_the_order_that_of_the_numbers(self) -> None:
        (*_, first, second) = started().receive(frame(12, "market_trades", trades("update", "1000", "999")), 2)
        assert isinstance(first, Trade)
        assert isinstance(second, Trade)
        assert [(each.trade_id, each.side) for each in (first, second)] == [("999", "sell"), ("1000", "sell")]
        assert first.exchange_us == 1795546800123456

    def test_those_from_before_acknowledge_and_do_not_leave(self) -> None:
        adapter = started()
        assert adapter.receive(frame(12, "market_trades", trades("snapshot", "2", "1")), 2) == [
            Subscribed("trade", BTC)
        ]


class TestAnswers:
    def made(self) -> Adapter:
        adapter = Adapter([BTC, ETH], ["ticker"], 25)
        adapter.start()
        return adapter

    def test_the_list_of_subscriptions_acknowledges_what_it_names(self) -> None:
        carried = {"ticker": ["BTC-USD", "SOL-USD"], "heartbeats": ["heartbeats"], "level2": None}
        answer = frame(0, "subscriptions", {"subscriptions": carried})
        assert self.made().receive(answer, 1) == [Subscribed("ticker", BTC)]

    def test_an_error_refuses_the_product_that_it_names_and_the_others_are_asked_for_again(self) -> None:
        error = "failed to subscribe: 'ETH-USD', not a product"
        refused, again = self.made().receive(msgspec.json.encode({"type": "error", "message": error}), 1)
        assert refused == Refused("ticker", ETH, error)
        assert isinstance(again, Send)
        assert msgspec.json.decode(again.payload)["product_ids"] == ["BTC-USD"]

    def test_after_an_error_that_names_nothing_products_are_asked_for_one_by_one(self) -> None:
        adapter = self.made()
        with pytest.raises(FrameRejected, match="unknown"):
            adapter.receive(b'{"type":"error","message":"failed to subscribe"}', 1)
        asked = [msgspec.json.decode(send.payload)["product_ids"] for send in adapter.retry() if isinstance(send, Send)]
        assert asked == [["BTC-USD"], ["ETH-USD"]]


def test_a_request_has_one_channel_and_heartbeats_come_first() -> None:
    adapter = Adapter([BTC, ETH], ["ticker", "orderbook", "trade"], 25)
    requests = [msgspec.json.decode(send.payload) for send in adapter.start() if isinstance(send, Send)]
    assert [request["channel"] for request in requests] == ["heartbeats", "ticker", "level2", "market_trades"]


def test_the_listing_has_products_in_usdc_as_spellings() -> None:
    usual = {
        "product_id": "BTC-USD",
        "base_currency_id": "BTC",
        "quote_currency_id": "USD",
        "status": "online",
        "alias": "",
    }
    other = usual | {"product_id": "BTC-USDC", "quote_currency_id": "USDC", "alias": "BTC-USD"}
    own = usual | {"product_id": "USDT-USDC", "base_currency_id": "USDT", "quote_currency_id": "USDC"}
    rests = usual | {"product_id": "OLD-USD", "base_currency_id": "OLD", "trading_disabled": True}
    listing = read_listing(msgspec.json.encode({"products": [usual, other, own, rests], "num_products": 4}))
    assert listing.find("BTC-USDC") == listing.find("btc/usd") == BTC
    assert listing.find("USDT-USDC") == Symbol("USDT-USDC", "USDT-USDC")
    assert listing.resting == {"OLD-USD": "disabled"}
    with pytest.raises(FrameRejected):
        read_listing(b'{"error":"rate limit exceeded"}')


@pytest.mark.parametrize(
    ("text", "name"), [("btc_usd", "BTC-USD"), ("BTC-USDC", "BTC-USD"), ("usdt-usdc", "USDT-USDC")]
)
def test_names_by_rule(text: str, name: str) -> None:
    assert derive(text) == Symbol(name, name)
