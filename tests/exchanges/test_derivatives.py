"""Names of contracts, and what their sizes are worth."""

import pytest

from tickwire.errors import FrameRejected, UnclearSymbol
from tickwire.exchanges.contract import Symbol
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
