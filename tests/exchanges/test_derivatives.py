"""Names of contracts, and what their sizes are worth."""

import pytest
from msgspec import Raw

from tickwire.errors import FrameRejected, UnclearSymbol
from tickwire.exchanges.contract import Symbol
from tickwire.exchanges.numbers import in_units
from tickwire.exchanges.symbols import Listing, derivative, split_derivative

PERPETUAL = Symbol("BTC-USDT-PERP", "BTC-USDT-SWAP", "perpetual", "USDT", "0.01")
DATED = Symbol("BTC-USD-261225", "BTC-USD-261225", "future", "BTC", "100")
CHRISTMAS_MS = 1_798_185_600_000  # 2026-12-25 08:00 UTC


def test_what_does_not_expire_is_a_perpetual() -> None:
    assert derivative("BTC-USDT-SWAP", "BTC", "USDT", "USDT", "0.01") == PERPETUAL


def test_what_expires_has_the_day_in_its_name() -> None:
    assert derivative("BTC-USD-261225", "BTC", "USD", "BTC", "100", CHRISTMAS_MS) == DATED


@pytest.mark.parametrize(("size", "expires_ms"), [("0", None), ("", None), ("-1", None), ("x", None), ("1", 10**18)])
def test_a_contract_of_no_size_or_no_day_is_rejected(size: str, expires_ms: int | None) -> None:
    with pytest.raises(FrameRejected, match="malformed"):
        derivative("BTC-USDT-SWAP", "BTC", "USDT", "USDT", size, expires_ms)


@pytest.mark.parametrize("text", ["BTC-USDT-PERP", "btc/usdt-perp", "BTCUSDTPERP", "BTC-USDT-SWAP", "btc_usdt_swap"])
def test_a_contract_is_found_by_either_name(text: str) -> None:
    assert Listing([PERPETUAL, DATED]).resolve(text, "x") == PERPETUAL


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("BTC-USDT-PERP", ("BTC", "USDT", "PERP")),
        ("btc/usdt-perp", ("BTC", "USDT", "PERP")),
        ("BTCUSDT", ("BTC", "USDT", "PERP")),
        ("BTC-USDT", ("BTC", "USDT", "PERP")),
        ("BTC-USDT-261225", ("BTC", "USDT", "261225")),
        ("BTCUSDT_261225", ("BTC", "USDT", "261225")),
    ],
)
def test_a_name_splits_into_base_quote_and_perpetual_or_day(text: str, parts: tuple[str, str, str]) -> None:
    assert split_derivative(text, "x") == parts


@pytest.mark.parametrize("text", ["", "PERP", "-PERP", "XYZ-PERP", "BTC-USDT-26122", "BTC-USDT-261225-100000-C"])
def test_a_name_that_would_be_a_guess_is_refused(text: str) -> None:
    with pytest.raises(UnclearSymbol):
        split_derivative(text, "x")


def test_levels_in_contracts_become_levels_in_units() -> None:
    levels = Raw(b'[["65000.1","12.3","0","4"],["65000","0","0","0"]]')
    assert in_units(levels, "0.01") == [("65000.1", "0.123"), ("65000", "0")]


def test_levels_in_units_stay_as_the_exchange_wrote_them() -> None:
    levels = Raw(b'[["65000.1","12.30"]]')
    assert in_units(levels, "1") is levels


@pytest.mark.parametrize("levels", [b'[["1"]]', b"{}", b'[["1","x"]]', b'[["1","-2"]]'])
def test_what_is_no_level_is_an_error(levels: bytes) -> None:
    with pytest.raises(ValueError, match=r"level|size|values"):
        in_units(Raw(levels), "0.01")
