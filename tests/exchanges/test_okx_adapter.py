"""What OKX does differently from the other exchanges."""

import zlib
from typing import Any

import msgspec
import pytest

from recordings import books
from tickwire.errors import FrameRejected, UnclearSymbol, UnknownContractSize, UnknownSymbol
from tickwire.events.types import Ticker
from tickwire.exchanges import okx, okx_swap
from tickwire.exchanges.contract import Refused, Resync, Send, Subscribed, Symbol

BTC, ETH = Symbol("BTC-USDT", "BTC-USDT"), Symbol("ETH-USDT", "ETH-USDT")


def listing(*instruments: dict[str, str], code: str = "0") -> bytes:
    return msgspec.json.encode({"code": code, "msg": "", "data": instruments})


def swap(name: str, **fields: str) -> dict[str, str]:
    usual = {
        "instId": f"{name}-SWAP", "instType": "SWAP", "state": "live", "baseCcy": "", "quoteCcy": "", "expTime": "",
        "instFamily": name, "settleCcy": "USDT", "ctType": "linear", "ctVal": "0.01", "ctMult": "1", "ctValCcy": "BTC",
    }  # fmt: skip
    return usual | fields


class TestSpotNames:
    def test_the_listing_has_what_rests_too(self) -> None:
        usual = {"instId": "BTC-USDT", "instType": "SPOT", "state": "live", "baseCcy": "BTC", "quoteCcy": "USDT"}
        rests = usual | {"instId": "ETH-USDT", "baseCcy": "ETH", "state": "suspend"}
        read = okx.read_listing(listing(usual, rests))
        assert read.symbols == (BTC, ETH)
        assert read.resting == {"ETH-USDT": "suspend"}

    def test_what_is_no_spot_has_no_base_and_is_left_out(self) -> None:
        assert okx.read_listing(listing(swap("BTC-USDT"))).symbols == ()

    @pytest.mark.parametrize("body", [b"", b"[]", b'{"code":"0","data":[{}]}', listing(code="50011")])
    def test_a_body_that_is_no_listing_is_rejected(self, body: bytes) -> None:
        with pytest.raises(FrameRejected, match="malformed"):
            okx.read_listing(body)

    @pytest.mark.parametrize("text", ["BTCUSDT", "btc-usdt", "btc/usdt"])
    def test_names_are_derived_however_they_are_written(self, text: str) -> None:
        assert okx.derive(text) == BTC

    def test_what_would_be_a_guess_is_refused(self) -> None:
        with pytest.raises(UnclearSymbol):
            okx.derive("XRPRLUSD")


class TestSwapNames:
    def test_a_contract_is_its_value_times_its_multiplier(self) -> None:
        read = okx_swap.read_listing(listing(swap("BTC-USDT", ctVal="0.01", ctMult="10")))
        assert read.symbols == (Symbol("BTC-USDT-PERP", "BTC-USDT-SWAP", "perpetual", "USDT", "0.1"),)

    def test_a_listing_of_before_2022_calls_the_family_its_underlying(self) -> None:
        read = okx_swap.read_listing(listing(swap("BTC-USDT", instFamily="", uly="BTC-USDT")))
        assert [symbol.canonical for symbol in read.symbols] == ["BTC-USDT-PERP"]

    def test_an_inverse_contract_is_an_amount_of_the_quote(self) -> None:
        inverse = {"settleCcy": "BTC", "ctType": "inverse", "ctVal": "100", "ctValCcy": "USD"}
        read = okx_swap.read_listing(listing(swap("BTC-USD", **inverse)))
        assert read.symbols == (Symbol("BTC-USD-PERP", "BTC-USD-SWAP", "perpetual", "BTC", "100"),)

    def test_two_contracts_of_the_same_assets_have_two_names(self) -> None:
        inverse = {"settleCcy": "BTC", "ctType": "inverse", "ctVal": "100", "ctValCcy": "USD"}
        united = swap("BTC-USD_UM", settleCcy="USDC")
        read = okx_swap.read_listing(listing(swap("BTC-USD", **inverse), united))
        assert [symbol.canonical for symbol in read.symbols] == ["BTC-USD-PERP", "BTC-USD_UM-PERP"]

    @pytest.mark.parametrize(
        "fields",
        [
            {"ctVal": ""},
            {"ctMult": ""},
            {"ctType": ""},
            {"ctValCcy": "USDT"},  # a linear contract that is an amount of the quote
            {"settleCcy": "BTC"},  # a linear contract that is settled in its base
            {"ctType": "inverse"},
            {"ctType": "inverse", "ctValCcy": "USDT", "settleCcy": "ETH"},
        ],
    )
    def test_what_cannot_be_converted_is_not_offered(self, fields: dict[str, str]) -> None:
        read = okx_swap.read_listing(listing(swap("BTC-USDT", **fields), swap("ETH-USDT", ctValCcy="ETH")))
        assert [symbol.canonical for symbol in read.symbols] == ["ETH-USDT-PERP"]
        with pytest.raises(UnknownSymbol, match="does not list the symbol 'BTC-USDT-SWAP'"):
            read.resolve("BTC-USDT-SWAP", "okx_swap")

    @pytest.mark.parametrize("size", ["0", "x", "-1"])
    def test_a_contract_of_a_size_that_is_none_is_rejected(self, size: str) -> None:
        with pytest.raises(FrameRejected, match="malformed"):
            okx_swap.read_listing(listing(swap("BTC-USDT", ctVal=size)))

    def test_without_the_listing_there_is_one_sentence_and_no_symbol(self) -> None:
        with pytest.raises(UnknownContractSize) as caught:
            okx_swap.derive("BTC-USDT-SWAP")
        said = str(caught.value)
        assert "BTC-USDT-SWAP" in said
        assert said.count(". ") == 0


class TestAnswers:
    def started(self) -> okx.Adapter:
        adapter = okx.Adapter([BTC, ETH], ["orderbook"], 25)
        adapter.start()
        return adapter

    def receive(self, adapter: okx.Adapter, **event: Any) -> list[Any]:
        return adapter.receive(msgspec.json.encode(event), 1)

    def test_a_request_that_is_refused_as_a_whole_is_halved_until_the_bad_one_stands_alone(self) -> None:
        adapter = self.started()
        halves = self.receive(adapter, event="error", code="60012", msg="Invalid request", id="1")
        assert [msgspec.json.decode(send.payload)["args"][0]["instId"] for send in halves] == ["BTC-USDT", "ETH-USDT"]
        refused = self.receive(adapter, event="error", code="60012", msg="Invalid request", id="3")
        assert refused == [Refused("orderbook", ETH, "Invalid request (code 60012)")]

    def test_too_many_requests_refuse_nothing(self) -> None:
        adapter = self.started()
        with pytest.raises(FrameRejected, match="too frequent"):
            self.receive(adapter, event="error", code="60014", msg="Requests too frequent", id="1")
        assert adapter.pending() == [("orderbook", BTC), ("orderbook", ETH)]

    def test_a_notice_of_something_else_does_not_end_the_connection(self) -> None:
        with pytest.raises(FrameRejected, match="unknown"):
            self.receive(self.started(), event="notice", code="1", msg="x")

    def test_a_book_given_up_is_asked_for_over_the_socket(self) -> None:
        adapter = self.started()
        assert adapter.restart(BTC, "stale", 1) == [Resync(BTC, "stale")]
        asked = [msgspec.json.decode(send.payload)["op"] for send in adapter.resync(BTC) if isinstance(send, Send)]
        assert asked == ["unsubscribe", "subscribe"]
        assert ("orderbook", BTC) in adapter.pending()


def crc(text: str) -> int:
    value = zlib.crc32(text.encode())
    return value - 2**32 if value >= 2**31 else value


def book(action: str, bids: Any, asks: Any, channel: str = "books", symbol: Symbol = BTC, **more: Any) -> bytes:
    """A message of a book as it was before it had numbers."""
    levels = [[(price, size, "0", "1") for price, size in side] for side in (bids, asks)]
    sides = {"bids": levels[0], "asks": levels[1], "ts": "1639999305247", **more}
    arg = {"channel": channel, "instId": symbol.native}
    return msgspec.json.encode({"arg": arg, "action": action, "data": [sides]})


PERP = Symbol("BTC-USDT-PERP", "BTC-USDT-SWAP", "perpetual", "USDT", "0.01")


class TestChecksum:
    """Until June 2026 books had checksums of what the exchange wrote, and no numbers at first."""

    @pytest.mark.parametrize("channel", ["books", "books-l2-tbt"])
    def test_a_book_without_numbers_is_kept_by_its_checksums(self, channel: str) -> None:
        adapter = okx.Adapter([BTC], ["orderbook"], 25)
        one = crc("100.5:1:101:2:99:3")
        outputs = adapter.receive(
            book("snapshot", [("100.5", "1"), ("99", "3")], [("101", "2")], channel, checksum=one), 1
        )
        assert [(m.action, m.sequence) for m in books(outputs)] == [("snapshot", None)]
        two = crc("100.5:1:101:0.50")
        outputs = adapter.receive(book("update", [("99", "0")], [("101", "0.50")], channel, checksum=two), 2)
        assert [(m.action, m.sequence) for m in books(outputs)] == [("delta", None)]
        outputs = adapter.receive(book("update", [("98", "1")], [], channel, checksum=two), 3)
        assert ([m.reason for m in books(outputs)], outputs[1]) == (["checksum"], Resync(BTC, "checksum"))

    def test_a_wrong_checksum_counts_beside_right_numbers_too(self) -> None:
        adapter = okx.Adapter([BTC], ["orderbook"], 25)
        outputs = adapter.receive(book("snapshot", [("1", "1")], [], seqId=5, prevSeqId=-1, checksum=crc("1:2")), 1)
        assert outputs == [Subscribed("orderbook", BTC), Resync(BTC, "checksum")]

    def test_what_the_exchange_counted_is_what_it_is_made_of(self) -> None:
        adapter = okx_swap.Adapter([PERP], ["orderbook"], 25)
        frame = book(
            "snapshot", [("100.5", "10")], [("101", "1250.5")], symbol=PERP, checksum=crc("100.5:10:101:1250.5")
        )
        (message,) = books(adapter.receive(frame, 1))
        assert (message.bids, message.asks) == ([("100.5", "0.1")], [("101", "12.505")])

    @pytest.mark.parametrize("checksum", [{}, {"checksum": 0}])
    def test_a_book_that_nothing_shows_to_be_whole_is_refused(self, checksum: dict[str, Any]) -> None:
        with pytest.raises(FrameRejected, match="malformed"):
            okx.Adapter([BTC], ["orderbook"], 25).receive(book("snapshot", [], [], **checksum), 1)

    def test_a_frame_that_cannot_be_read_leaves_a_book_without_numbers_in_doubt(self) -> None:
        adapter = okx.Adapter([BTC, ETH], ["orderbook"], 25)
        adapter.receive(book("snapshot", [("1", "1")], [], checksum=crc("1:1")), 1)
        adapter.receive(book("snapshot", [("1", "1")], [], symbol=ETH, seqId=5, prevSeqId=-1), 1)
        with pytest.raises(FrameRejected, match="malformed"):
            adapter.receive(book("update", [("0.5", "1")], [], checksum=crc("1:1:0.5:1"))[:-9], 2)
        assert adapter.book(BTC) is None
        assert adapter.book(ETH) is not None  # the next number shows what is missing
        outputs = adapter.receive(book("update", [("2", "1")], [], checksum=crc("2:1:1:1")), 3)
        assert [m.reason for m in books(outputs)] == ["gap"]

    def test_a_change_without_a_number_and_without_its_snapshot_is_left_out(self) -> None:
        adapter = okx.Adapter([BTC], ["orderbook"], 25)
        outputs = adapter.receive(book("update", [("1", "1")], [], checksum=crc("1:1")), 1)
        assert outputs == [Subscribed("orderbook", BTC)]
        assert adapter.pending() == [("orderbook", BTC)]  # it is asked for once more


def test_a_ticker_says_what_the_best_bid_and_offer_do() -> None:
    adapter = okx_swap.Adapter([PERP], ["ticker"], 25)
    sides = {"bidPx": "", "bidSz": "", "askPx": "101", "askSz": "168", "last": "100.5", "ts": "1640131263109"}
    frame = {"arg": {"channel": "tickers", "instId": PERP.native}, "data": [{"instId": PERP.native, **sides}]}
    (_, ticker) = adapter.receive(msgspec.json.encode(frame), 1)
    assert isinstance(ticker, Ticker)
    assert (ticker.bid, ticker.bid_size, ticker.ask, ticker.ask_size) == (None, None, "101", "1.68")
    assert (ticker.last, ticker.exchange_us) == ("100.5", 1_640_131_263_109_000)


def test_the_best_bid_and_offer_had_no_number_once() -> None:
    adapter = okx.Adapter([BTC], ["ticker"], 25)
    sides = {"bids": [["1", "2", "0", "1"]], "asks": [], "ts": "1651761120004"}
    frame = {"arg": {"channel": "bbo-tbt", "instId": "BTC-USDT"}, "data": [sides]}
    (_, ticker) = adapter.receive(msgspec.json.encode(frame), 1)
    assert isinstance(ticker, Ticker)
    assert (ticker.bid, ticker.bid_size, ticker.ask, ticker.sequence) == ("1", "2", None, None)
