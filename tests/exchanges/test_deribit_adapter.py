"""Deribit: names, units, missing sides, heartbeats, what its answers mean, and what makes a book start again."""

from typing import Any

import msgspec
import pytest

from recordings import books
from tickwire.errors import FrameRejected, UnclearSymbol
from tickwire.events.types import OrderBook, Ticker, Trade
from tickwire.exchanges.contract import Output, Refused, Resync, Send, Subscribed, Symbol
from tickwire.exchanges.deribit import Adapter, derive, read_listing

PERP = Symbol("BTC-USD-PERP", "BTC-PERPETUAL", "perpetual", "BTC")
ETH = Symbol("ETH-USD-PERP", "ETH-PERPETUAL", "perpetual", "ETH")


def made(*symbols: Symbol) -> Adapter:
    adapter = Adapter(symbols or (PERP,), ["orderbook"], 100)
    adapter.start()
    return adapter


def pushed(channel: str, **data: Any) -> bytes:
    data = {"instrument_name": "BTC-PERPETUAL", "timestamp": 7, **data}
    frame = {"jsonrpc": "2.0", "method": "subscription", "params": {"channel": channel, "data": data}}
    return msgspec.json.encode(frame)


def book(kind: str, number: int, previous: int | None = None, bids: Any = (), asks: Any = ()) -> bytes:
    before = {} if previous is None else {"prev_change_id": previous}
    return pushed("book.BTC-PERPETUAL.100ms", type=kind, change_id=number, bids=bids, asks=asks, **before)


def started() -> Adapter:
    adapter = made()
    adapter.receive(book("snapshot", 100, None, [["new", 5.0, 1.0], ["new", 4.0, 2.0]], [["new", 6.0, 1.0]]), 1)
    return adapter


def one(outputs: list[Output]) -> OrderBook:
    (message,) = books(outputs)
    return message


def answer(number: int, **fields: Any) -> bytes:
    return msgspec.json.encode({"jsonrpc": "2.0", "id": number, **fields})


def sent(outputs: list[Output]) -> list[Any]:
    return [msgspec.json.decode(output.payload) for output in outputs if isinstance(output, Send)]


class TestNames:
    @pytest.mark.parametrize(
        ("native", "symbol"),
        [
            ("BTC-PERPETUAL", PERP),
            ("SOL_USDC-PERPETUAL", Symbol("SOL-USDC-PERP", "SOL_USDC-PERPETUAL", "perpetual", "USDC")),
            ("BTC-6SEP26", Symbol("BTC-USD-260906", "BTC-6SEP26", "future", "BTC")),
            ("ETH_USDC-25DEC26", Symbol("ETH-USDC-261225", "ETH_USDC-25DEC26", "future", "USDC")),
            ("BTC-25DEC26-100000-C", Symbol("BTC-USD-261225-100000-C", "BTC-25DEC26-100000-C", "option", "BTC")),
            ("XRP_USDC-9MAR27-1d02-P", Symbol("XRP-USDC-270309-1d02-P", "XRP_USDC-9MAR27-1d02-P", "option", "USDC")),
            ("BTC_USDC", Symbol("BTC-USDC", "BTC_USDC")),
        ],
    )
    def test_every_kind_has_a_canonical_name_which_leads_back_to_it(self, native: str, symbol: Symbol) -> None:
        assert [derive(text) for text in (native, native.lower(), symbol.canonical, symbol.canonical.lower())] == [
            symbol
        ] * 4
        listing = read_listing(msgspec.json.encode({"result": [{"instrument_name": native, "is_active": True}]}))
        assert listing.symbols == (symbol,)

    @pytest.mark.parametrize(
        "text", ["", "BTC", "BTC-USD", "BTC-99XXX26", "BTC-USD-261340", "BTC-USD-261225-1-X", "BTC-FS-6SEP26_PERP"]
    )
    def test_what_names_no_instrument_is_unclear(self, text: str) -> None:
        with pytest.raises(UnclearSymbol):
            derive(text)

    def test_combinations_are_not_listed_and_what_is_not_active_rests(self) -> None:
        names = [("BTC-FS-25DEC26_PERP", True), ("BTC-CS-25DEC26-90000_100000", True), ("BTC-PERPETUAL", False)]
        body = {"result": [{"instrument_name": name, "is_active": active} for name, active in names]}
        listing = read_listing(msgspec.json.encode(body))
        assert (listing.symbols, set(listing.resting)) == ((PERP,), {"BTC-PERPETUAL"})

    def test_a_listing_that_is_an_error_is_refused(self) -> None:
        with pytest.raises(FrameRejected):
            read_listing(answer(1, error={"code": 10028, "message": "too_many_requests"}))


class TestBook:
    def test_sizes_leave_as_the_exchange_counts_them_with_their_digits(self) -> None:
        frame = book("snapshot", 1).replace(b'"bids":[]', b'"bids":[["new",90412.0,2.2e3],["new",9e4,10]]')
        assert one(made().receive(frame, 1)).bids == [("90412.0", "2200"), ("90000", "10")]

    def test_a_deleted_level_goes_whatever_its_amount(self) -> None:
        message = one(started().receive(book("change", 101, 100, [["delete", 5.0, 3.0], ["change", 4.0, 7.5]]), 2))
        assert message.bids == [("5.0", "0"), ("4.0", "7.5")]

    def test_a_level_may_be_deleted_and_new_at_once(self) -> None:
        message = one(started().receive(book("change", 101, 100, [["delete", 5.0, 0.0], ["new", 5.0, 2.0]]), 2))
        assert message.bids == [("5.0", "2.0")]

    def test_numbers_may_jump_where_each_names_the_one_before(self) -> None:
        adapter = started()
        assert one(adapter.receive(book("change", 9000, 100), 2)).sequence == 9000
        assert one(adapter.receive(book("change", 9001, 9000), 3)).sequence == 9001

    @pytest.mark.parametrize("previous", [99, 101, None])
    def test_a_change_on_another_number_is_a_hole(self, previous: int | None) -> None:
        outputs = started().receive(book("change", 105, previous), 2)
        assert (one(outputs).action, one(outputs).reason) == ("invalid", "gap")
        assert Resync(PERP, "gap") in outputs

    @pytest.mark.parametrize("side", [b"bids", b"asks"])
    def test_a_change_without_a_side_is_none(self, side: bytes) -> None:
        adapter = started()
        with pytest.raises(FrameRejected, match="malformed"):
            adapter.receive(book("change", 101, 100, [["new", 3.0, 1.0]]).replace(side, b"more"), 2)
        assert one(adapter.receive(book("change", 102, 101), 3)).reason == "gap"

    def test_what_comes_twice_is_left_out(self) -> None:
        adapter = started()
        change = book("change", 101, 100, [["new", 5.5, 1.0]])
        assert len(adapter.receive(change, 2)) == 1
        assert adapter.receive(change, 3) == []

    def test_a_new_snapshot_replaces(self) -> None:
        message = one(started().receive(book("snapshot", 50, 49, [["new", 3.0, 1.0]]), 2))
        assert (message.action, message.reason, message.bids, message.asks) == (
            "snapshot",
            "resync",
            [("3.0", "1.0")],
            [],
        )

    def test_an_action_that_nobody_documented_is_refused_and_leaves_the_book_in_doubt(self) -> None:
        adapter = started()
        with pytest.raises(FrameRejected, match="malformed"):
            adapter.receive(book("change", 101, 100, [["moved", 5.0, 1.0]]), 2)
        assert adapter.book(PERP) is None
        assert one(adapter.receive(book("change", 102, 101), 3)).reason == "gap"

    def test_without_a_type_the_number_before_tells_a_change(self) -> None:
        adapter = made()
        levels = {"bids": [["new", 5.0, 1.0]], "asks": []}
        first, second = (pushed("book.BTC-PERPETUAL.raw", change_id=n, **levels) for n in (100, 101))
        assert one(adapter.receive(first, 1)).action == "snapshot"
        assert (
            one(adapter.receive(second.replace(b'"change_id"', b'"prev_change_id":100,"change_id"'), 1)).action
            == "delta"
        )

    def test_a_book_of_the_best_levels_alone_is_not_the_book(self) -> None:
        adapter = started()
        with pytest.raises(FrameRejected, match="unknown"):
            adapter.receive(pushed("book.BTC-PERPETUAL.none.1.100ms", change_id=101, bids=[[5.0, 1.0]], asks=[]), 2)
        assert one(adapter.receive(book("change", 101, 100, [["new", 5.5, 1.0]]), 3)).action == "delta"

    def test_to_start_again_it_is_unsubscribed_first(self) -> None:
        adapter = started()
        adapter.restart(PERP, "stale", 2)
        requests = sent(adapter.resync(PERP))
        assert [request["method"] for request in requests] == ["public/unsubscribe", "public/subscribe"]
        assert len({request["id"] for request in requests}) == 2


def test_a_side_without_a_price_is_missing_whatever_its_amount() -> None:
    adapter = Adapter([PERP], ["ticker"], 100)
    sides = {"best_bid_price": None, "best_bid_amount": 0.0, "best_ask_price": 5.5, "best_ask_amount": 10.0}
    (_, ticker) = adapter.receive(pushed("ticker.BTC-PERPETUAL.raw", **sides), 1)
    assert isinstance(ticker, Ticker)
    assert (ticker.bid, ticker.bid_size, ticker.ask) == (None, None, "5.5")


@pytest.mark.parametrize("zero", ["0.0", "0", "null"])
def test_a_missing_side_is_zero_and_no_price(zero: str) -> None:
    adapter = Adapter([PERP], ["ticker"], 100)
    sides = {"best_bid_price": 5.5, "best_bid_amount": 10.0, "best_ask_price": "ZERO", "best_ask_amount": "ZERO"}
    (_, ticker) = adapter.receive(pushed("quote.BTC-PERPETUAL", **sides).replace(b'"ZERO"', zero.encode()), 1)
    assert isinstance(ticker, Ticker)
    assert (ticker.bid, ticker.bid_size, ticker.ask, ticker.ask_size) == ("5.5", "10.0", None, None)


def test_trades_come_several_at_once_with_the_takers_side() -> None:
    adapter = Adapter([PERP], ["trade"], 100)
    one = {
        "instrument_name": "BTC-PERPETUAL",
        "trade_id": "41",
        "timestamp": 7,
        "price": 5.5,
        "direction": "buy",
        "amount": 9,
    }
    frame = {"method": "subscription", "params": {"channel": "trades.BTC-PERPETUAL.100ms", "data": [one, one]}}
    payload = msgspec.json.encode(frame).replace(b'"amount":9', b'"amount":1.5e3')
    trades = [output for output in adapter.receive(payload, 1) if isinstance(output, Trade)]
    assert [(t.trade_id, t.price, t.size, t.side, t.exchange_us) for t in trades] == [
        ("41", "5.5", "1500", "buy", 7000)
    ] * 2


def test_a_ticker_is_read_as_a_quote_with_the_last_price() -> None:
    sides = {"best_bid_price": 5.5, "best_bid_amount": 10.0, "best_ask_price": 6.0, "best_ask_amount": 1.0}
    frame = pushed("ticker.BTC-PERPETUAL.100ms", **sides, last_price=5.75)
    (_, ticker) = Adapter([PERP], ["ticker"], 100).receive(frame, 1)
    assert isinstance(ticker, Ticker)
    assert (ticker.bid, ticker.ask, ticker.last) == ("5.5", "6.0", "5.75")


class TestAnswers:
    def test_a_channel_that_is_missing_from_the_answer_is_refused(self) -> None:
        outputs = made(PERP, ETH).receive(answer(1, result=["book.ETH-PERPETUAL.100ms"]), 1)
        assert outputs == [Refused("orderbook", PERP, "unknown"), Subscribed("orderbook", ETH)]

    def test_an_error_concerns_the_request_as_a_whole_which_is_halved(self) -> None:
        outputs = made(PERP, ETH).receive(answer(1, error={"code": 11050, "message": "bad_request"}), 1)
        assert [r["params"]["channels"] for r in sent(outputs)] == [
            ["book.BTC-PERPETUAL.100ms"],
            ["book.ETH-PERPETUAL.100ms"],
        ]

    def test_another_clients_answer_accepts_what_it_names_and_refuses_nothing(self) -> None:
        adapter = made(PERP, ETH)
        others = ["book.BTC-PERPETUAL.raw", "book.ETH-PERPETUAL.none.10.100ms", "deribit_price_index.btc_usd"]
        assert adapter.receive(answer(1, result=others), 1) == [Subscribed("orderbook", PERP)]
        named = answer(1, result=["book.ETH-PERPETUAL.raw"]).replace(b'"id":1', b'"id":"101"')
        assert adapter.receive(named, 1) == [Subscribed("orderbook", ETH)]

    def test_what_was_refused_is_carried_once_an_answer_names_it(self) -> None:
        adapter = made(PERP, ETH)
        adapter.receive(answer(1, result=["book.ETH-PERPETUAL.100ms"]), 1)
        assert adapter.receive(answer(7, result=["book.BTC-PERPETUAL.100ms"]), 1) == [Subscribed("orderbook", PERP)]

    @pytest.mark.parametrize("result", ["ok", {"version": "1.2.26"}])
    def test_an_answer_to_something_else_is_unknown(self, result: Any) -> None:
        with pytest.raises(FrameRejected, match="unknown"):
            made().receive(answer(1, result=result), 1)

    def test_too_many_requests_refuse_nothing(self) -> None:
        adapter = made()
        with pytest.raises(FrameRejected, match="too_many_requests"):
            adapter.receive(answer(1, error={"code": 10028, "message": "too_many_requests"}), 1)
        assert adapter.pending() == [("orderbook", PERP)]

    @pytest.mark.parametrize("said", [{"result": []}, {"error": {"code": 13019, "message": "unknown"}}])
    def test_a_book_that_starts_again_can_be_refused(self, said: dict[str, Any]) -> None:
        adapter = started()
        adapter.restart(PERP, "stale", 2)
        *_, request = sent(adapter.resync(PERP))
        assert adapter.receive(answer(request["id"], **said), 3) == [Refused("orderbook", PERP, "unknown")]
        assert adapter.pending() == []

    def test_answers_that_name_nothing_change_nothing(self) -> None:
        adapter = made()
        assert adapter.receive(answer(0, result="ok"), 1) == []
        assert adapter.receive(answer(2_000_000, result=[]), 1) == []
        assert adapter.pending() == [("orderbook", PERP)]


def test_heartbeats_are_asked_for_and_a_test_request_is_answered_past_what_waits() -> None:
    adapter = Adapter([PERP], ["ticker"], 100)
    assert sent(adapter.start())[0]["method"] == "public/set_heartbeat"
    (reply,) = adapter.receive(b'{"params":{"type":"test_request"},"method":"heartbeat","jsonrpc":"2.0"}', 1)
    assert isinstance(reply, Send)
    assert reply.urgent
    assert sent([reply])[0]["method"] == "public/test"
    assert adapter.receive(b'{"params":{"type":"heartbeat"},"method":"heartbeat","jsonrpc":"2.0"}', 1) == []
