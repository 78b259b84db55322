"""Binance: every step of the documented procedure for the order book, subscriptions, names."""

from typing import Any

import msgspec
import pytest

from tickwire.errors import FrameRejected, UnclearSymbol, UnknownSymbol
from tickwire.events.levels import decode_levels
from tickwire.events.types import OrderBook, Ticker
from tickwire.exchanges.binance import Adapter, derive, read_listing
from tickwire.exchanges.contract import Channel, Fetch, Output, Reconnect, Refused, Resync, Send, Subscribed, Symbol

BTC = Symbol("BTC-USDT", "BTCUSDT")
ETH = Symbol("ETH-USDT", "ETHUSDT")


def depth(first: int, last: int, symbol: str = "BTCUSDT", bids: Any = (), asks: Any = ()) -> bytes:
    return msgspec.json.encode(
        {"e": "depthUpdate", "E": 1_700_000_000_000 + last, "s": symbol, "U": first, "u": last, "b": bids, "a": asks}
    )


def ticker(symbol: str = "BTCUSDT", **changed: Any) -> bytes:
    return msgspec.json.encode({"u": 7, "s": symbol, "b": "10", "B": "1", "a": "11", "A": "2"} | changed)


def snapshot(last: int, bids: Any = (("10", "1"),), asks: Any = (("11", "1"),)) -> bytes:
    return msgspec.json.encode({"lastUpdateId": last, "bids": bids, "asks": asks})


def book_adapter(*symbols: Symbol, depth: int = 25) -> Adapter:
    return Adapter(symbols or (BTC,), ["orderbook"], depth)


def synced(last: int = 100, *symbols: Symbol) -> Adapter:
    """Every book valid at *last*, with one event seen."""
    adapter = book_adapter(*symbols)
    for symbol in symbols or (BTC,):
        fetch = fetches(adapter.receive(depth(last, last, symbol.native), 1))[0]
        adapter.fetched(fetch, snapshot(last), 2)
    return adapter


def fetches(outputs: list[Output]) -> list[Fetch]:
    return [o for o in outputs if isinstance(o, Fetch)]


def books(outputs: list[Output]) -> list[tuple[str, int | None]]:
    return [(o.action, o.sequence) for o in outputs if isinstance(o, OrderBook)]


def sent(outputs: list[Output]) -> list[Any]:
    return [msgspec.json.decode(o.payload) for o in outputs if isinstance(o, Send)]


class TestBookProcedure:
    def test_the_first_event_asks_for_the_snapshot_and_later_ones_do_not(self) -> None:
        adapter = book_adapter()
        assert fetches(adapter.receive(depth(1, 1), 1)) == [
            Fetch(BTC, "/api/v3/depth?symbol=BTCUSDT&limit=100", 5, levels=100)
        ]
        assert adapter.receive(depth(2, 2), 1) == []
        assert adapter.book(BTC) is None

    @pytest.mark.parametrize(("asked", "limits"), [(1, [100, 1000]), (501, [100, 1000, 5000])])
    def test_a_book_begins_with_the_cheapest_snapshot_and_is_deepened_as_far_as_its_depth_needs(
        self, asked: int, limits: list[int]
    ) -> None:
        adapter, weights = book_adapter(depth=asked), {100: 5, 1000: 50, 5000: 250}
        outputs = adapter.receive(depth(1, 1), 1)
        for limit in limits:
            (fetch,) = fetches(outputs)
            assert (fetch.path, fetch.weight) == (f"/api/v3/depth?symbol=BTCUSDT&limit={limit}", weights[limit])
            adapter.asking(fetch)
            sides = [[[str(price + sign * n), "1"] for n in range(limit)] for price, sign in ((9000, -1), (9001, 1))]
            body = msgspec.json.encode({"lastUpdateId": 1, "bids": sides[0], "asks": sides[1]})
            outputs = adapter.fetched(fetch, body, 2)
            message = next(o for o in outputs if isinstance(o, OrderBook))
            assert message.depth == min(asked, limit)
        assert fetches(outputs) == []

    def test_buffered_events_up_to_the_snapshot_are_dropped_and_the_others_follow_it(self) -> None:
        adapter = book_adapter()
        (fetch,) = fetches(adapter.receive(depth(1, 5), 1))
        for event in (depth(6, 8), depth(9, 12), depth(13, 13)):
            adapter.receive(event, 1)
        assert books(adapter.fetched(fetch, snapshot(8), 2)) == [("snapshot", 8), ("delta", 12), ("delta", 13)]

    def test_the_first_event_that_applies_may_begin_before_the_snapshot(self) -> None:
        adapter = book_adapter()
        (fetch,) = fetches(adapter.receive(depth(1, 12), 1))
        assert books(adapter.fetched(fetch, snapshot(8), 2)) == [("snapshot", 8), ("delta", 12)]

    def test_a_snapshot_just_before_the_first_event_fits(self) -> None:
        adapter = book_adapter()
        (fetch,) = fetches(adapter.receive(depth(9, 12), 1))
        assert books(adapter.fetched(fetch, snapshot(8), 2)) == [("snapshot", 8), ("delta", 12)]

    def test_a_snapshot_older_than_the_buffer_is_fetched_again_with_growing_delay(self) -> None:
        adapter = book_adapter()
        (fetch,) = fetches(adapter.receive(depth(9, 12), 1))
        delays = []
        for _ in range(8):
            outputs = adapter.fetched(fetch, snapshot(7), 2)
            assert books(outputs) == []
            (fetch,) = fetches(outputs)
            delays.append(fetch.delay_s)
        assert delays == [0.25, 0.5, 1.0, 2.0, 4.0, 8.0, 8.0, 8.0]
        assert books(adapter.fetched(fetch, snapshot(8), 2)) == [("snapshot", 8), ("delta", 12)]

    def test_one_chain_of_fetches_only(self) -> None:
        """The answer to a replaced fetch may start the book; when it is too old it asks for nothing."""
        adapter = book_adapter()
        adapter.start()
        (early,) = fetches(adapter.receive(b'{"result":null,"id":1}', 1))
        (later,) = fetches(adapter.receive(depth(9, 12), 1))
        assert (early.delay_s, later.delay_s) == (2.0, 0.0)
        assert adapter.fetched(early, snapshot(7), 2) == []
        assert len(fetches(adapter.fetched(later, snapshot(7), 2))) == 1
        assert books(adapter.fetched(early, snapshot(11), 2)) == [("snapshot", 11), ("delta", 12)]

    def test_a_late_answer_never_overwrites_a_valid_book(self) -> None:
        adapter = book_adapter()
        (fetch,) = fetches(adapter.receive(depth(1, 1), 1))
        adapter.fetched(fetch, snapshot(1), 2)
        adapter.receive(depth(2, 2, bids=[["10.5", "3"]]), 3)
        assert adapter.fetched(fetch, snapshot(1), 4) == []
        book = adapter.book(BTC)
        assert book is not None
        assert book.bids.top() == [("10.5", "3"), ("10", "1")]

    def test_a_hole_in_the_buffer_throws_away_what_lies_before_it(self) -> None:
        adapter = book_adapter()
        (fetch,) = fetches(adapter.receive(depth(1, 5), 1))
        adapter.receive(depth(8, 9), 1)
        (fetch,) = fetches(adapter.fetched(fetch, snapshot(3), 2))
        assert books(adapter.fetched(fetch, snapshot(8), 2)) == [("snapshot", 8), ("delta", 9)]

    def test_doubled_events_in_the_buffer_count_once(self) -> None:
        adapter = book_adapter()
        (fetch,) = fetches(adapter.receive(depth(1, 5), 1))
        for event in (depth(6, 7), depth(6, 7), depth(1, 5)):
            adapter.receive(event, 1)
        assert books(adapter.fetched(fetch, snapshot(5), 2)) == [("snapshot", 5), ("delta", 7)]

    def test_the_buffer_is_bounded_and_a_snapshot_from_before_it_is_too_old(self) -> None:
        adapter = book_adapter()
        (fetch,) = fetches(adapter.receive(depth(0, 0), 1))
        for i in range(1, 5000):
            adapter.receive(depth(i, i), 1)
        (fetch,) = fetches(adapter.fetched(fetch, snapshot(1000), 2))
        assert len(books(adapter.fetched(fetch, snapshot(4699), 2))) == 301

    def test_known_events_are_ignored_and_overlapping_ones_applied(self) -> None:
        adapter = synced(100)
        assert adapter.receive(depth(90, 100), 3) == []
        assert books(adapter.receive(depth(95, 103), 3)) == [("delta", 103)]
        assert books(adapter.receive(depth(104, 104), 3)) == [("delta", 104)]

    def test_a_gap_invalidates_and_resyncs_this_book_alone(self) -> None:
        adapter = synced(100, BTC, ETH)
        outputs = adapter.receive(depth(102, 103), 3)
        assert books(outputs) == [("invalid", 100)]
        assert isinstance(outputs[0], OrderBook)
        assert outputs[0].reason == "gap"
        assert outputs[1:] == [Resync(BTC, "gap")]
        assert adapter.book(BTC) is None
        assert adapter.receive(depth(104, 104), 3) == []  # kept, and no reason to ask before it is time
        (fetch,) = fetches(adapter.resync(BTC))
        assert books(adapter.receive(depth(101, 101, "ETHUSDT"), 3)) == [("delta", 101)]
        assert adapter.receive(depth(105, 105), 3) == []
        outputs = adapter.fetched(fetch, snapshot(103), 4)
        assert books(outputs) == [("snapshot", 103), ("delta", 104), ("delta", 105)]
        assert isinstance(outputs[0], OrderBook)
        assert outputs[0].reason == "resync"

    def test_an_event_with_a_wrong_number_is_rejected_and_the_next_one_is_a_gap(self) -> None:
        adapter = synced(100)
        with pytest.raises(FrameRejected, match="malformed"):
            adapter.receive(depth(101, 101, bids=[["9", "1"], ["x", "1"]]), 3)
        assert adapter.book(BTC) is None
        assert books(adapter.receive(depth(102, 102), 3)) == [("invalid", None)]

    @pytest.mark.parametrize("frame", [b'{"e":"depthUpdate"}', depth(-1, 1), depth(1, 10**20 - 1)])
    def test_an_event_without_its_fields_or_with_numbers_that_no_update_has_is_malformed(self, frame: bytes) -> None:
        with pytest.raises(FrameRejected, match="malformed"):
            synced(100).receive(frame, 3)

    def test_an_event_whose_numbers_contradict_each_other_is_a_gap_whatever_the_next_one_says(self) -> None:
        adapter = synced(100)
        with pytest.raises(FrameRejected, match="malformed"):
            adapter.receive(depth(109, 102), 3)
        assert books(adapter.receive(depth(3, 105), 3)) == [("invalid", None)]

    def test_a_wrong_number_beyond_a_gap_changes_nothing(self) -> None:
        adapter = synced(100)
        with pytest.raises(FrameRejected, match="malformed"):
            adapter.receive(depth(105, 106, asks=[["9", "-1"]]), 3)
        assert books(adapter.receive(depth(101, 101), 3)) == [("delta", 101)]

    def test_a_wrong_number_while_the_snapshot_is_awaited_leaves_a_hole(self) -> None:
        adapter = book_adapter()
        (fetch,) = fetches(adapter.receive(depth(1, 1), 1))
        with pytest.raises(FrameRejected, match="malformed"):
            adapter.receive(depth(2, 2, asks=[["9", "NaN"]]), 1)
        adapter.receive(depth(3, 3), 1)
        assert len(fetches(adapter.fetched(fetch, snapshot(1), 2))) == 1

    @pytest.mark.parametrize("body", [b"", b"{}", b'{"code":-1121,"msg":"Invalid symbol."}', snapshot(9, [["x", "1"]])])
    def test_a_body_that_is_no_snapshot_is_rejected_and_the_next_one_counts(self, body: bytes) -> None:
        adapter = book_adapter()
        (fetch,) = fetches(adapter.receive(depth(9, 9), 1))
        with pytest.raises(FrameRejected, match="malformed"):
            adapter.fetched(fetch, body, 2)
        assert books(adapter.fetched(fetch, snapshot(9), 2)) == [("snapshot", 9)]

    def test_restart_says_invalid_and_a_resync_fetches(self) -> None:
        adapter = synced(100)
        outputs = adapter.restart(BTC, "stale", 9)
        assert books(outputs) == [("invalid", 100)]
        (fetch,) = fetches(adapter.resync(BTC))
        assert books(adapter.restart(BTC, "stale", 9)) == []
        assert books(adapter.fetched(fetch, snapshot(200), 10)) == [("snapshot", 200)]
        assert adapter.resync(BTC) == []

    def test_times_and_numbers_are_the_exchanges(self) -> None:
        (delta,) = synced(100).receive(depth(101, 102, bids=[["10.10", "0.50"]]), 1_700_000_000_999_999)
        assert isinstance(delta, OrderBook)
        decode_levels(delta)
        assert delta.exchange_us == 1_700_000_000_102_000
        assert (delta.received_us, delta.bids, delta.depth) == (1_700_000_000_999_999, [("10.10", "0.50")], 25)
        assert delta.reason is None

    def test_levels_leave_in_order_and_each_price_once(self) -> None:
        (delta,) = synced(100).receive(depth(101, 101, bids=[["1", "1"], ["3", "1"], ["1.0", "2"]]), 1)
        assert isinstance(delta, OrderBook)
        decode_levels(delta)
        assert delta.bids == [("3", "1"), ("1.0", "2")]


class TestTicker:
    def test_a_combined_and_a_raw_frame_are_the_same(self) -> None:
        adapter = Adapter([BTC], ["ticker"], 25)
        adapter.receive(ticker(), 1)
        raw = adapter.receive(ticker(), 1)
        assert adapter.receive(b'{"stream":"btcusdt@bookTicker","data":' + ticker() + b"}", 1) == raw
        assert isinstance(raw[0], Ticker)
        assert (raw[0].bid, raw[0].ask_size, raw[0].sequence, raw[0].exchange_us) == ("10", "2", 7, None)

    @pytest.mark.parametrize(
        "changed", [{"b": "x"}, {"A": "-1"}, {"a": None}, {"b": [["1", "2"]]}, {"u": None}, {"B": "NaN"}, {"b": 10.5}]
    )
    def test_a_ticker_with_a_wrong_field_is_malformed(self, changed: dict[str, Any]) -> None:
        with pytest.raises(FrameRejected, match="malformed"):
            Adapter([BTC], ["ticker"], 25).receive(ticker(**changed), 1)

    @pytest.mark.parametrize("frame", [ticker("XRPUSDT"), depth(1, 1), depth(1, 1, "XRPUSDT")])
    def test_what_was_not_asked_for_is_unknown(self, frame: bytes) -> None:
        with pytest.raises(FrameRejected, match="unknown"):
            Adapter([BTC], ["ticker"], 25).receive(frame, 1)


class TestSubscriptions:
    def test_requests_are_split_and_numbered(self) -> None:
        symbols = [Symbol(f"A{i}-USDT", f"A{i}USDT") for i in range(150)]
        channels: list[Channel] = ["ticker", "orderbook"]
        requests = sent(Adapter(symbols, channels, 25).start())
        assert [(r["method"], len(r["params"]), r["id"]) for r in requests] == [
            ("SUBSCRIBE", 200, 1),
            ("SUBSCRIBE", 100, 2),
        ]
        assert requests[0]["params"][:2] == ["a0usdt@bookTicker", "a0usdt@depth@100ms"]

    def test_an_acknowledgement_asks_for_the_snapshots_of_quiet_symbols_later(self) -> None:
        adapter = book_adapter(BTC, ETH)
        adapter.start()
        outputs = adapter.receive(b'{"result":null,"id":1}', 1)
        assert adapter.pending() == []
        assert [(f.symbol, f.delay_s) for f in fetches(outputs)] == [(BTC, 2.0), (ETH, 2.0)]
        assert books(adapter.fetched(fetches(outputs)[1], snapshot(5), 2)) == [("snapshot", 5)]
        assert adapter.receive(b'{"result":null,"id":1}', 1) == []

    def test_data_acknowledges_the_whole_request(self) -> None:
        """Some servers in between never answer; Binance accepts or refuses a request as a whole."""
        adapter = book_adapter(BTC, ETH)
        adapter.start()
        outputs = adapter.receive(depth(1, 1), 1)
        assert [o for o in outputs if isinstance(o, Subscribed)] == [
            Subscribed("orderbook", BTC),
            Subscribed("orderbook", ETH),
        ]
        assert [(f.symbol, f.delay_s) for f in fetches(outputs)] == [(ETH, 2.0), (BTC, 0.0)]
        assert adapter.pending() == []

    @pytest.mark.parametrize(
        "error", ['{"error":{"code":2,"msg":"no such stream"},"id":ID}', '{"code":2,"msg":"no such stream","id":ID}']
    )
    def test_a_refused_request_is_halved_until_the_refused_symbol_is_named(self, error: str) -> None:
        symbols = [Symbol(f"A{i}-USDT", f"A{i}USDT") for i in range(9)]
        adapter = Adapter(symbols, ["ticker"], 25)
        queue = sent(adapter.start())
        refused: list[Output] = []
        for request in queue:
            bad = "a6usdt@bookTicker" in request["params"]
            answer = error if bad else '{"result":null,"id":ID}'
            outputs = adapter.receive(answer.replace("ID", str(request["id"])).encode(), 1)
            queue += sent(outputs)
            refused += [o for o in outputs if isinstance(o, Refused)]
        assert refused == [Refused("ticker", symbols[6], "no such stream (code 2)")]
        assert adapter.pending() == []
        assert len(queue) < 10

    def test_a_symbol_that_is_heard_already_is_not_the_refused_one(self) -> None:
        adapter = Adapter([BTC, ETH], ["ticker"], 25)
        adapter.start()
        adapter.receive(ticker("BTCUSDT"), 1)
        assert adapter.receive(b'{"error":{"code":2,"msg":"no"},"id":1}', 1) == [Refused("ticker", ETH, "no (code 2)")]

    def test_an_error_that_answers_nothing_is_unknown(self) -> None:
        for frame in (b'{"error":{"code":2,"msg":"?"},"id":77}', b'{"code":-1003,"msg":"Too many requests"}'):
            with pytest.raises(FrameRejected, match="unknown"):
                book_adapter().receive(frame, 1)

    def test_stop_unsubscribes_everything_and_its_answer_changes_nothing(self) -> None:
        adapter = book_adapter(BTC, ETH)
        adapter.start()
        (request,) = sent(adapter.stop())
        assert (request["method"], request["params"]) == ("UNSUBSCRIBE", ["btcusdt@depth@100ms", "ethusdt@depth@100ms"])
        assert adapter.receive(b'{"result":null,"id":2}', 1) == []
        assert len(adapter.pending()) == 2

    @pytest.mark.parametrize(
        "frame", [b'{"e":"serverShutdown","E":1}', b'{"stream":"x","data":{"e":"serverShutdown","E":1}}']
    )
    def test_an_announced_shutdown_asks_for_a_new_connection(self, frame: bytes) -> None:
        (reconnect,) = book_adapter().receive(frame, 1)
        assert isinstance(reconnect, Reconnect)

    def test_an_event_of_another_kind_is_unknown_though_its_fields_have_other_types(self) -> None:
        with pytest.raises(FrameRejected, match="unknown"):
            book_adapter().receive(b'{"stream":"x","data":{"e":"aggTrade","s":"BTCUSDT","a":1,"b":2}}', 1)


class TestNames:
    LISTING = msgspec.json.encode(
        {
            "symbols": [
                {"symbol": "BTCUSDT", "status": "TRADING", "baseAsset": "BTC", "quoteAsset": "USDT", "filters": []},
                {"symbol": "OLDUSDT", "status": "BREAK", "baseAsset": "OLD", "quoteAsset": "USDT"},
            ]
        }
    )

    def test_the_listing_has_what_rests_too(self) -> None:
        listing = read_listing(self.LISTING)
        assert listing.symbols == (BTC, Symbol("OLD-USDT", "OLDUSDT"))
        assert listing.resting == {"OLDUSDT": "BREAK"}

    @pytest.mark.parametrize("body", [b"", b"[]", b'{"symbols":[{}]}', b'{"code":-1003,"msg":"x"}'])
    def test_a_body_that_is_no_listing_is_rejected(self, body: bytes) -> None:
        with pytest.raises(FrameRejected, match="malformed"):
            read_listing(body)

    @pytest.mark.parametrize("text", ["BTCUSDT", "btcusdt", "BTC-USDT", "btc/usdt", " BTC_USDT "])
    def test_names_are_derived_however_they_are_written(self, text: str) -> None:
        assert derive(text) == BTC

    def test_the_known_quote_behind_a_known_base_counts(self) -> None:
        assert derive("ETHFDUSD") == Symbol("ETH-FDUSD", "ETHFDUSD")
        assert derive("XLMBTC") == Symbol("XLM-BTC", "XLMBTC")
        assert derive("BNBUSD") == Symbol("BNB-USD", "BNBUSD")
        assert derive("NEWUSDT") == Symbol("NEW-USDT", "NEWUSDT")

    @pytest.mark.parametrize("text", ["BTCUSD1", "ETHEURI", "BTCAEUR", "XRPRLUSD", "NEWBUSD", "SOLBNSOL", "NEWTRY"])
    def test_what_would_be_a_guess_is_refused_and_may_be_written_apart(self, text: str) -> None:
        with pytest.raises(UnclearSymbol, match="BASE-QUOTE"):
            derive(text)
        assert derive(f"{text[:3]}-{text[3:]}") == Symbol(f"{text[:3]}-{text[3:]}", text)

    @pytest.mark.parametrize("text", ["", "USDT", "XYZ", "BTC-", "-USDT", "BTC-USDT&limit=1", "BTC-USDT-PERP"])
    def test_a_name_that_cannot_be_split_is_unknown(self, text: str) -> None:
        with pytest.raises(UnknownSymbol):
            derive(text)

    def test_a_name_outside_ascii_stays_one_query_parameter(self) -> None:
        """Binance lists symbols in Chinese characters."""
        (fetch,) = fetches(book_adapter(derive("币安-USDT")).receive(depth(1, 1, "币安USDT"), 1))
        assert fetch.path == "/api/v3/depth?symbol=%E5%B8%81%E5%AE%89USDT&limit=100"


def test_a_retry_asks_for_the_streams_that_were_not_answered_and_nothing_else() -> None:
    adapter = Adapter([Symbol("BTC-USDT", "BTCUSDT")], ["ticker"], 25)
    adapter.start()
    assert [message["params"] for message in sent(adapter.retry())] == [["btcusdt@bookTicker"]]
    adapter.receive(ticker(), 1)
    assert adapter.retry() == []
