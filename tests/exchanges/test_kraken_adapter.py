"""Kraken v2: checksum on every message, levels cut to the depth, resync of one book alone, subscriptions."""

import zlib
from typing import Any

import msgspec
import pytest

from recordings import books
from tickwire.errors import FrameRejected
from tickwire.events.types import Ticker
from tickwire.exchanges.contract import Output, Refused, Resync, Send, Subscribed, Symbol
from tickwire.exchanges.kraken import Adapter

BTC = Symbol("BTC-USD", "BTC/USD")
ETH = Symbol("ETH-USD", "ETH/USD")
Levels = list[tuple[str, str]]
TIME = "2026-11-24T19:00:00.123456Z"


def crc(bids: Levels, asks: Levels) -> int:
    """The documented checksum of a book given best first."""

    def strip(text: str) -> str:
        return text.replace(".", "").lstrip("0")

    return zlib.crc32("".join(strip(p) + strip(q) for p, q in [*asks[:10], *bids[:10]]).encode())


def book(kind: str, bids: Levels, asks: Levels, checksum: int | None, symbol: str = "BTC/USD") -> bytes:
    def text(levels: Levels) -> str:
        return ",".join(f'{{"price":{p},"qty":{q}}}' for p, q in levels)

    return (
        f'{{"channel":"book","type":"{kind}","data":[{{"symbol":"{symbol}","bids":[{text(bids)}],"asks":[{text(asks)}],'
        f'"checksum":{"null" if checksum is None else checksum},"timestamp":"{TIME}"}}]}}'
    ).encode()


BIDS: Levels = [(f"{100 - i}.0", "1.50000000") for i in range(10)]
ASKS: Levels = [(f"{101 + i}.0", "2.50000000") for i in range(10)]


def synced(*symbols: Symbol, depth: int = 10) -> Adapter:
    adapter = Adapter(symbols or (BTC,), ["orderbook"], depth)
    adapter.start()
    for symbol in symbols or (BTC,):
        adapter.receive(book("snapshot", BIDS, ASKS, crc(BIDS, ASKS), symbol.native), 1)
    return adapter


def sent(outputs: list[Output]) -> list[Any]:
    return [msgspec.json.decode(o.payload) for o in outputs if isinstance(o, Send)]


def answer(method: str = "subscribe", **fields: Any) -> bytes:
    return msgspec.json.encode({"method": method, **fields})


class TestBook:
    def test_a_snapshot_starts_the_book(self) -> None:
        adapter = Adapter([BTC], ["orderbook"], 10)
        adapter.start()
        outputs = adapter.receive(book("snapshot", BIDS, ASKS, crc(BIDS, ASKS)), 5)
        assert outputs[0] == Subscribed("orderbook", BTC)
        (message,) = books(outputs)
        assert (message.action, message.reason, message.depth) == ("snapshot", "initial", 10)
        assert (message.bids, message.asks) == (BIDS, ASKS)
        assert (message.exchange_us, message.received_us) == (1_795_546_800_123_456, 5)

    def test_levels_beyond_the_depth_leave_in_the_same_delta(self) -> None:
        new = [("100.5", "1.00000000"), *BIDS[:9]]
        (delta,) = books(synced().receive(book("update", [("100.5", "1.00000000")], [], crc(new, ASKS)), 2))
        assert delta.bids == [("100.5", "1.00000000"), ("91.0", "0")]

    def test_a_level_added_and_cut_at_once_never_stands_as_an_addition(self) -> None:
        adapter = synced()
        new = [("100.5", "1.00000000"), *BIDS[:9]]
        update: Levels = [("90.5", "7.00000000"), ("100.5", "1.00000000"), ("91.0", "3.00000000")]
        (delta,) = books(adapter.receive(book("update", update, [], crc(new, ASKS)), 2))
        assert delta.bids == [("100.5", "1.00000000"), ("91.0", "0"), ("90.5", "0")]

    def test_a_price_several_times_in_one_update_counts_with_its_last_size(self) -> None:
        new = [("101.0", "3.00000000"), *ASKS[1:]]
        update: Levels = [("101.0", "1.00000000"), ("101.0", "0.00000000"), ("101.0", "3.00000000")]
        (delta,) = books(synced().receive(book("update", [], update, crc(BIDS, new)), 2))
        assert delta.asks == [("101.0", "3.00000000")]

    def test_an_update_without_levels_is_a_delta_all_the_same(self) -> None:
        (delta,) = books(synced().receive(book("update", [], [], crc(BIDS, ASKS)), 2))
        assert (delta.action, delta.bids, delta.asks) == ("delta", [], [])

    def test_the_depth_that_the_exchange_acknowledges_counts(self) -> None:
        adapter = Adapter([BTC], ["orderbook"], 25)
        (request,) = sent(adapter.start())
        assert request["params"]["depth"] == 25
        result = {"channel": "book", "symbol": "BTC/USD", "depth": 10}
        assert adapter.receive(answer(success=True, result=result), 1) == [Subscribed("orderbook", BTC)]
        adapter.receive(book("snapshot", BIDS, ASKS, crc(BIDS, ASKS)), 1)
        new = [("100.5", "1.00000000"), *BIDS[:9]]
        (delta,) = books(adapter.receive(book("update", [("100.5", "1.00000000")], [], crc(new, ASKS)), 2))
        assert delta.bids[-1] == ("91.0", "0")
        assert delta.depth == 10

    @pytest.mark.parametrize(("least", "asked"), [(1, 10), (10, 10), (11, 25), (500, 500), (5000, 1000)])
    def test_the_next_offered_depth_is_asked_for(self, least: int, asked: int) -> None:
        (request,) = sent(Adapter([BTC], ["orderbook"], least).start())
        assert request["params"] == {"channel": "book", "symbol": ["BTC/USD"], "depth": asked}

    def test_a_wrong_checksum_resyncs_this_book_alone(self) -> None:
        adapter = synced(BTC, ETH)
        outputs = adapter.receive(book("update", [("100.0", "9.0")], [], 1), 2)
        assert [(m.action, m.reason) for m in books(outputs)] == [("invalid", "checksum")]
        assert outputs[1:] == [Resync(BTC, "checksum")]
        assert adapter.book(BTC) is None
        assert adapter.pending() == []
        assert [(r["method"], r["params"]["symbol"]) for r in sent(adapter.resync(BTC))] == [
            ("unsubscribe", ["BTC/USD"]),
            ("subscribe", ["BTC/USD"]),
        ]
        assert adapter.pending() == [("orderbook", BTC)]
        (other,) = books(adapter.receive(book("update", [], [], crc(BIDS, ASKS), "ETH/USD"), 2))
        assert other.symbol == "ETH-USD"
        assert adapter.receive(book("update", [], [], crc(BIDS, ASKS)), 2) == []  # an old one, still on its way
        (fresh,) = books(adapter.receive(book("snapshot", BIDS, ASKS, crc(BIDS, ASKS)), 3))
        assert (fresh.action, fresh.reason) == ("snapshot", "resync")
        assert adapter.pending() == []
        assert adapter.resync(BTC) == []

    def test_the_checksum_of_a_snapshot_counts_too(self) -> None:
        adapter = Adapter([BTC], ["orderbook"], 10)
        outputs = adapter.receive(book("snapshot", BIDS, ASKS, 1), 1)
        assert outputs == [Subscribed("orderbook", BTC), Resync(BTC, "checksum")]
        outputs = synced().receive(book("snapshot", BIDS, ASKS, 1), 1)
        assert [(m.action, m.reason) for m in books(outputs)] == [("invalid", "checksum")]

    def test_a_snapshot_unasked_starts_the_book_again(self) -> None:
        (message,) = books(synced().receive(book("snapshot", BIDS[:3], ASKS[:3], crc(BIDS[:3], ASKS[:3])), 2))
        assert (message.action, message.reason, message.bids) == ("snapshot", "resync", BIDS[:3])

    def test_a_broken_frame_that_names_the_book_restarts_it_at_its_next_update(self) -> None:
        """Below ten levels no checksum would show that an update is missing."""
        adapter = synced(BTC, ETH, depth=25)
        with pytest.raises(FrameRejected, match="malformed"):
            adapter.receive(book("update", [("70.0", "1.0")], [], 1)[:-9], 2)
        assert adapter.book(BTC) is None
        assert adapter.book(ETH) is not None
        outputs = adapter.receive(book("update", [], [], crc(BIDS, ASKS)), 2)
        assert [(m.action, m.reason) for m in books(outputs)] == [("invalid", "gap")]
        assert outputs[1:] == [Resync(BTC, "gap")]

    def test_a_broken_frame_of_a_book_leaves_one_alone_whose_name_is_the_beginning_of_its(self) -> None:
        usdt = Symbol("BTC-USDT", "BTC/USDT")
        adapter = synced(BTC, usdt)
        with pytest.raises(FrameRejected, match="malformed"):
            adapter.receive(book("update", [("70.0", "1.0")], [], 1, "BTC/USDT")[:-9], 2)
        assert adapter.book(BTC) is not None
        assert adapter.book(usdt) is None

    @pytest.mark.parametrize(
        "bad",
        [
            book("update", [("99.0", "-1")], [], 1),
            book("update", [("NaN", "1")], [], 1),
            book("update", [("99.0", "{}")], [], 1),
            book("update", [("99.0", "1"), ("98.0", "true")], [], 1),
            book("replace", [], [], 1),
            book("update", [("1e99", "1")], [], 1),
            book("update", [("99.0", "3"), ("98.0", "-1")], [], 1).replace(b"BTC/", b"BTC\\/"),
            book("update", [], [], 1).replace(b"Z", b"+00:00"),
            book("update", [], [], 1).replace(b'"data":[', b'"data":[{"symbol":"BTC/USD"},'),
        ],
    )
    def test_a_wrong_field_is_malformed_and_the_book_starts_again(self, bad: bytes) -> None:
        adapter = synced()
        with pytest.raises(FrameRejected, match="malformed"):
            adapter.receive(bad, 2)
        outputs = adapter.receive(book("update", [], [], crc(BIDS, ASKS)), 2)
        assert [(m.action, m.reason) for m in books(outputs)] == [("invalid", "gap")]

    def test_an_update_of_no_book_is_malformed(self) -> None:
        with pytest.raises(FrameRejected, match="malformed"):
            synced().receive(b'{"channel":"book","type":"update","data":[]}', 2)

    def test_a_missing_checksum_is_a_wrong_one(self) -> None:
        assert [m.action for m in books(synced().receive(book("update", [], [], None), 2))] == ["invalid"]

    def test_a_resync_subscribes_again(self) -> None:
        adapter = synced()
        outputs = adapter.restart(BTC, "overflow", 2)
        assert [(m.action, m.reason) for m in books(outputs)] == [("invalid", "overflow")]
        assert [r["method"] for r in sent(adapter.resync(BTC))] == ["unsubscribe", "subscribe"]
        assert books(adapter.restart(BTC, "overflow", 2)) == []


class TestTicker:
    FRAME = (
        b'{"channel":"ticker","type":"update","data":[{"symbol":"BTC/USD","bid":100.10,"bid_qty":0.50000000,'
        b'"ask":101,"ask_qty":1e-7,"last":100.5,"vwap":1.0,"timestamp":"2026-11-24T19:00:00Z"}]}'
    )

    def test_every_digit_stays(self) -> None:
        (ticker,) = Adapter([BTC], ["ticker"], 10).receive(self.FRAME, 1)[1:]
        assert isinstance(ticker, Ticker)
        assert (ticker.bid, ticker.bid_size, ticker.ask, ticker.ask_size) == (
            "100.10",
            "0.50000000",
            "101",
            "0.0000001",
        )
        assert (ticker.last, ticker.exchange_us) == ("100.5", 1_795_546_800_000_000)

    @pytest.mark.parametrize("empty", [b'"bid":null,"bid_qty":null', b'"bid":0,"bid_qty":0.00000000'])
    def test_an_empty_side_is_none(self, empty: bytes) -> None:
        frame = self.FRAME.replace(b'"bid":100.10,"bid_qty":0.50000000', empty)
        (ticker,) = Adapter([BTC], ["ticker"], 10).receive(frame, 1)[1:]
        assert isinstance(ticker, Ticker)
        assert (ticker.bid, ticker.bid_size, ticker.ask) == (None, None, "101")

    def test_another_symbol_is_unknown(self) -> None:
        with pytest.raises(FrameRejected, match="unknown"):
            Adapter([ETH], ["ticker"], 10).receive(self.FRAME, 1)


class TestSubscriptions:
    def test_each_channel_is_asked_for_fifty_symbols_at_a_time(self) -> None:
        symbols = [Symbol(f"A{i}-USD", f"A{i}/USD") for i in range(120)]
        requests = sent(Adapter(symbols, ["ticker", "orderbook"], 10).start())
        assert [len(r["params"]["symbol"]) for r in requests] == [50, 50, 20] * 2
        assert [r["req_id"] for r in requests] == [1, 2, 3, 4, 5, 6]
        assert requests[0]["params"]["event_trigger"] == "bbo"

    def test_an_answer_is_known_by_channel_and_symbol_without_its_number(self) -> None:
        adapter = Adapter([BTC, ETH], ["ticker", "orderbook"], 10)
        adapter.start()
        result = {"channel": "book", "symbol": "ETH/USD", "depth": 10}
        assert adapter.receive(answer(success=True, result=result), 1) == [Subscribed("orderbook", ETH)]
        assert adapter.receive(answer(success=True, result=result), 1) == []
        assert len(adapter.pending()) == 3

    def test_a_refusal_with_its_number_names_the_channel(self) -> None:
        adapter = Adapter([BTC, ETH], ["ticker", "orderbook"], 10)
        adapter.start()
        error = "Currency pair not supported BTC/USD"
        refusal = answer(success=False, error=error, symbol="BTC/USD", req_id=2)
        assert adapter.receive(refusal, 1) == [Refused("orderbook", BTC, error)]

    def test_a_refusal_without_its_number_concerns_every_channel_that_waits(self) -> None:
        adapter = Adapter([BTC, ETH], ["ticker", "orderbook"], 10)
        adapter.start()
        refusal = answer(success=False, error="Currency pair not supported BTC/USD", symbol="BTC/USD")
        assert [o.channel for o in adapter.receive(refusal, 1) if isinstance(o, Refused)] == ["ticker", "orderbook"]
        assert adapter.pending() == [("ticker", ETH), ("orderbook", ETH)]

    def test_a_refusal_without_a_symbol_concerns_its_request(self) -> None:
        adapter = Adapter([BTC, ETH], ["orderbook"], 10)
        adapter.start()
        refusal = answer(success=False, error="Subscription depth not supported", req_id=1)
        assert [o.symbol for o in adapter.receive(refusal, 1) if isinstance(o, Refused)] == [BTC, ETH]

    def test_a_book_refused_while_it_restarts_is_named(self) -> None:
        adapter = synced()
        adapter.restart(BTC, "stale", 1)
        adapter.resync(BTC)
        refusal = answer(success=False, error="Market is closed", symbol="BTC/USD")
        assert adapter.receive(refusal, 1) == [Refused("orderbook", BTC, "Market is closed")]
        assert adapter.pending() == []

    def test_already_subscribed_is_an_acknowledgement(self) -> None:
        adapter = Adapter([BTC], ["ticker"], 10)
        adapter.start()
        said = answer(success=False, error="Already subscribed", symbol="BTC/USD", req_id=1)
        assert adapter.receive(said, 1) == [Subscribed("ticker", BTC)]

    def test_too_many_messages_leaves_the_symbol_pending(self) -> None:
        adapter = Adapter([BTC], ["ticker"], 10)
        adapter.start()
        with pytest.raises(FrameRejected, match="too many"):
            adapter.receive(answer(success=False, error="Exceeded msg rate", symbol="BTC/USD", req_id=1), 1)
        assert adapter.pending() == [("ticker", BTC)]

    def test_an_error_that_answers_nothing_is_unknown(self) -> None:
        with pytest.raises(FrameRejected, match="unknown"):
            synced().receive(answer(success=False, error="Malformed request"), 1)

    @pytest.mark.parametrize(
        "frame",
        [
            b'{"channel":"heartbeat"}',
            b'{"channel":"status","type":"update","data":[{"system":"maintenance","connection_id":99999999999999999999}]}',
            b'{"method":"pong","req_id":1}',
            b'{"method":"unsubscribe","result":{"channel":"book","symbol":"BTC/USD"},"success":true}',
            b'{"method":"unsubscribe","error":"Subscription Not Found","success":false,"symbol":"BTC/USD"}',
        ],
    )
    def test_what_needs_no_answer_gets_none(self, frame: bytes) -> None:
        assert synced().receive(frame, 1) == []

    @pytest.mark.parametrize("frame", [b'{"channel":"instrument","data":{"assets":[]}}', b'{"method":"add_order"}'])
    def test_another_kind_of_message_is_unknown(self, frame: bytes) -> None:
        with pytest.raises(FrameRejected, match="unknown"):
            synced().receive(frame, 1)

    def test_ping_is_krakens_own(self) -> None:
        assert synced().ping() == b'{"method":"ping"}'


def test_a_retry_asks_for_what_was_not_answered_and_nothing_else() -> None:
    adapter = Adapter([BTC, ETH], ["orderbook"], 10)
    adapter.start()
    adapter.receive(book("snapshot", BIDS, ASKS, crc(BIDS, ASKS)), 1)
    assert [(m["method"], m["params"]["symbol"]) for m in sent(adapter.retry())] == [("subscribe", ["ETH/USD"])]
    adapter.receive(book("snapshot", BIDS, ASKS, crc(BIDS, ASKS), "ETH/USD"), 1)
    assert adapter.retry() == []


def test_a_retry_asks_again_for_a_book_whose_new_snapshot_did_not_come() -> None:
    adapter = synced()
    adapter.restart(BTC, "stale", 2)
    adapter.resync(BTC)
    assert [m["method"] for m in sent(adapter.retry())] == ["unsubscribe", "subscribe"]
