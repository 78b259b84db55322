"""Gate: what its answers mean, and what makes a book start again."""

from typing import Any

import msgspec
import pytest

from recordings import books
from tickwire.errors import FrameRejected
from tickwire.events.types import Trade
from tickwire.exchanges.contract import Output, Refused, Resync, Send, Subscribed, Symbol
from tickwire.exchanges.gate import Adapter, derive, read_listing

BTC = Symbol("BTC-USDT", "BTC_USDT")


def made(depth: int = 50) -> Adapter:
    adapter = Adapter([BTC], ["orderbook"], depth)
    adapter.start()
    return adapter


def book(last: int, first: int | None = None, depth: int = 50, **levels: Any) -> bytes:
    """A change, or a snapshot where it has no first number."""
    numbers = {"u": last, "full": True} if first is None else {"U": first, "u": last}
    result = {"t": 1, "s": f"ob.BTC_USDT.{depth}", **numbers, **levels}
    return msgspec.json.encode({"channel": "spot.obu", "event": "update", "result": result})


def answer(error: str | None = None, **fields: Any) -> bytes:
    fields |= {"error": {"code": 2, "message": error}} if error else {}
    return msgspec.json.encode({"channel": "spot.obu", "event": "subscribe", **fields})


def started() -> Adapter:
    adapter = made()
    adapter.receive(book(10, b=[["5", "1"]], a=[["6", "1"]]), 1)
    return adapter


def sent(outputs: list[Output]) -> list[Any]:
    return [msgspec.json.decode(output.payload)["event"] for output in outputs if isinstance(output, Send)]


@pytest.mark.parametrize(
    ("least", "stream"), [(1, "ob.BTC_USDT.50"), (51, "ob.BTC_USDT.400"), (999, "ob.BTC_USDT.400")]
)
def test_the_next_offered_depth_is_asked_for(least: int, stream: str) -> None:
    (send,) = Adapter([BTC], ["orderbook"], least).start()
    assert isinstance(send, Send)
    assert msgspec.json.decode(send.payload)["payload"] == [stream]


def test_every_message_of_ours_leaves_room_for_the_time_of_its_sending() -> None:
    mark = Adapter.exchange.time_mark
    assert mark is not None
    payloads = [output.payload for output in made().start() + made().stop() if isinstance(output, Send)]
    assert all(payload.count(b'"time":' + mark) == 1 for payload in [*payloads, Adapter.ping_text or b""])


@pytest.mark.parametrize("first", [9, 11, 12, 1000])
def test_only_what_begins_right_behind_the_book_is_applied(first: int) -> None:
    outputs = started().receive(book(first + 3, first, b=[["5", "2"]]), 2)
    assert [message.action for message in books(outputs)] == ["delta" if first == 11 else "invalid"]
    assert (Resync(BTC, "gap") in outputs) is (first != 11)


def test_a_change_without_its_first_number_is_refused_and_the_next_one_is_a_hole() -> None:
    adapter = started()
    with pytest.raises(FrameRejected, match="first number"):
        adapter.receive(book(11, b=[["5", "2"]]).replace(b'"full":true,', b""), 2)
    assert [message.reason for message in books(adapter.receive(book(12, 12), 3))] == ["gap"]


def test_a_snapshot_replaces_also_where_its_number_is_lower() -> None:
    adapter = started()
    (snapshot,) = books(adapter.receive(book(3, b=[["4", "1"]]), 2))
    assert (snapshot.action, snapshot.bids, snapshot.asks) == ("snapshot", [("4", "1")], [])
    assert [message.action for message in books(adapter.receive(book(4, 4, b=[["4", "0"]]), 3))] == ["delta"]


def test_a_book_of_another_depth_is_not_the_one_asked_for() -> None:
    adapter = started()
    with pytest.raises(FrameRejected, match="not asked for"):
        adapter.receive(book(10, depth=400), 1)


def test_a_book_that_begins_at_another_depth_promises_that_one() -> None:
    adapter = made(50)
    assert [message.depth for message in books(adapter.receive(book(10, depth=400, b=[["5", "1"]]), 1))] == [400]
    assert [m.action for m in books(adapter.receive(book(11, 11, depth=400), 2))] == ["delta"]


@pytest.mark.parametrize("said", [{"id": 99}, {"id": "a1"}, {}, {"id": 1, "payload": ["ob.BTC_USDT.400"]}])
def test_what_an_answer_names_counts_and_not_its_number(said: dict[str, Any]) -> None:
    said = {"payload": ["ob.ETH_USDT.50", "ob.BTC_USDT.50"], "result": {"status": "success"}} | said
    assert made().receive(answer(**said), 1) == [Subscribed("orderbook", BTC)]


@pytest.mark.parametrize(
    ("text", "us"), [("1606292218213.4578", 1606292218213457), ("1606292218213.0", 1606292218213000), ("12", 12000)]
)
def test_the_time_of_a_trade_has_decimals_and_its_side_is_the_takers(text: str, us: int) -> None:
    adapter = Adapter([BTC], ["trade"], 50)
    said = {
        "id": 9,
        "currency_pair": "BTC_USDT",
        "side": "sell",
        "amount": "0.10",
        "price": "5",
        "create_time_ms": text,
    }
    frame = msgspec.json.encode({"channel": "spot.trades", "event": "update", "result": said})
    (_, trade) = adapter.receive(frame, 1)
    assert isinstance(trade, Trade)
    assert (trade.trade_id, trade.side, trade.size, trade.exchange_us) == ("9", "sell", "0.10", us)


class TestAnswers:
    @pytest.mark.parametrize("fields", [{"id": 1}, {"payload": ["ob.BTC_USDT.50"]}])
    def test_an_answer_is_known_by_its_number_or_by_its_payload(self, fields: dict[str, Any]) -> None:
        assert made().receive(answer(result={"status": "success"}, **fields), 1) == [Subscribed("orderbook", BTC)]
        refused = Refused("orderbook", BTC, "unknown currency pair: BTC_USDT")
        assert made().receive(answer("unknown currency pair: BTC_USDT", **fields), 1) == [refused]

    def test_a_subscription_that_is_there_already_is_carried(self) -> None:
        adapter = started()
        assert adapter.receive(answer("Alert sub ob.BTC_USDT.50", payload=["ob.BTC_USDT.50"]), 1) == []
        assert adapter.pending() == []

    def test_one_that_is_there_without_its_snapshot_is_asked_for_anew_once(self) -> None:
        adapter = made()
        duplicate = answer("Alert sub ob.BTC_USDT.50", id=1, payload=["ob.BTC_USDT.50"])
        outputs = adapter.receive(duplicate, 1)
        assert outputs[0] == Subscribed("orderbook", BTC)
        assert sent(outputs) == ["unsubscribe", "subscribe"]
        assert sent(adapter.receive(duplicate.replace(b'"id":1,', b""), 2)) == []

    def test_an_error_that_answers_nothing_of_ours_is_counted(self) -> None:
        with pytest.raises(FrameRejected, match="unknown"):
            made().receive(answer("x", payload=["ob.ETH_USDT.50"]), 1)


def test_the_listing_names_what_rests() -> None:
    pair = {"id": "BTC_USDT", "base": "BTC", "quote": "USDT", "trade_status": "tradable", "precision": 1}
    other = {"id": "OLD_USDT", "base": "OLD", "quote": "USDT", "trade_status": "untradable"}
    listing = read_listing(msgspec.json.encode([pair, other]))
    assert listing.find("btc-usdt") == BTC
    assert listing.resting == {"OLD_USDT": "untradable"}
    with pytest.raises(FrameRejected):
        read_listing(b'{"label":"SERVER_ERROR","message":"x"}')


@pytest.mark.parametrize("text", ["BTC-USDT", "btc_usdt", "BTCUSDT", "BTC/USDT"])
def test_names_by_rule(text: str) -> None:
    assert derive(text) == BTC
