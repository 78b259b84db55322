"""Kraken's names of symbols, however they are written, and its times and numbers to the last digit."""

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from forms import FORMS, use
from tickwire.errors import FrameRejected, UnknownSymbol
from tickwire.events.decimals import decimal_text
from tickwire.exchanges import numbers
from tickwire.exchanges.contract import Symbol
from tickwire.exchanges.kraken import EXCHANGE, derive, read_listing
from tickwire.exchanges.symbols import joined

BTC = Symbol("BTC-USD", "BTC/USD")


class TestNames:
    def test_the_listing_says_btc_where_rest_says_xbt(self) -> None:
        pairs = {
            "XXBTZUSD": {"wsname": "XBT/USD", "status": "online"},
            "XETHXXBT": {"wsname": "ETH/XBT"},
            "XDGUSD": {"wsname": "XDG/USD"},
            "DARK.d": {"altname": "DARK.d"},
        }
        listing = read_listing(msgspec.json.encode({"error": [], "result": pairs}))
        assert [s.native for s in listing.symbols] == ["BTC/USD", "ETH/BTC", "DOGE/USD"]
        for text in ("btcusd", "XBT/USD", "xbtusd", "XXBTZUSD", "BTC-USD"):
            assert listing.resolve(text, "kraken") == BTC

    def test_tokenized_assets_are_listed_by_themselves_and_keep_their_letters(self) -> None:
        apple = Symbol("AAPLx-USD", "AAPLx/USD")
        pairs = {"AAPLxUSD": {"altname": "AAPLxUSD", "wsname": "AAPLx/USD", "status": "cancel_only"}}
        currencies = read_listing(msgspec.json.encode({"error": [], "result": {"XXBTZUSD": {"wsname": "XBT/USD"}}}))
        listing = joined([currencies, read_listing(msgspec.json.encode({"error": [], "result": pairs}))])
        assert listing.symbols == (BTC, apple)
        assert listing.resting == {"AAPLx/USD": "cancel_only"}
        for text in ("AAPLx/USD", "AAPLx-USD", "aaplxusd", "AAPLX-USD"):
            assert listing.resolve(text, "kraken") == apple
        assert listing.resolve("XBTUSD", "kraken") == BTC
        assert any("tokenized_asset" in path for path in EXCHANGE.listing_paths)

    @pytest.mark.parametrize("text", ["AAPLx/USD", "AAPLx-usd", " AAPLx_USD"])
    def test_a_derived_name_keeps_its_letters(self, text: str) -> None:
        assert derive(text) == Symbol("AAPLx-USD", "AAPLx/USD")

    @pytest.mark.parametrize(
        "body", [b"", b"{}", b'{"error":["EGeneral:Too many requests"]}', b'{"error":[],"result":1}']
    )
    def test_a_body_that_is_no_listing_is_rejected(self, body: bytes) -> None:
        with pytest.raises(FrameRejected, match="malformed"):
            read_listing(body)

    @pytest.mark.parametrize("text", ["BTC/USD", "btcusd", "XBT-USD", "BTC-USD", "xbtusd"])
    def test_names_are_derived_however_they_are_written(self, text: str) -> None:
        assert derive(text) == BTC

    def test_a_quote_that_kraken_does_not_have_is_not_seen_in_a_name(self) -> None:
        assert derive("DOTUSD") == Symbol("DOT-USD", "DOT/USD")

    def test_a_name_that_cannot_be_split_is_unknown(self) -> None:
        with pytest.raises(UnknownSymbol):
            derive("BITCOIN")


class TestNumbers:
    @pytest.mark.parametrize("form", FORMS)
    @pytest.mark.parametrize(
        ("timestamp", "expected"),
        [
            ("1970-01-01T00:00:00Z", 0),
            ("2026-11-24T19:00:00.1Z", 1_795_546_800_100_000),
            ("2026-11-24T19:00:00.123456Z", 1_795_546_800_123_456),
            ("2026-11-24T19:00:00.999999999Z", 1_795_546_800_999_999),
        ],
    )
    def test_times_are_exact_and_finer_digits_are_cut(self, timestamp: str, expected: int, form: str) -> None:
        with use(form):
            assert numbers.micros(timestamp) == expected

    @pytest.mark.parametrize("form", FORMS)
    @pytest.mark.parametrize(
        "timestamp", ["", "Z", "2026-11-24T19:00:00", "2026-11-24T19:00:00.-1Z", "2026-13-01T00:00:00Z"]
    )
    def test_what_is_no_time_in_utc_is_an_error(self, timestamp: str, form: str) -> None:
        with use(form), pytest.raises(ValueError, match="time"):
            numbers.micros(timestamp)

    @given(st.decimals(allow_nan=False, allow_infinity=False, min_value=0, max_value=10**12, places=12))
    def test_an_exponent_is_written_out_without_losing_a_digit(self, number: Any) -> None:
        written = decimal_text(f"{number:E}")
        assert "E" not in written
        assert type(number)(written) == number
