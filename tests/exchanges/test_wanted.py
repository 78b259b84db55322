"""What names and patterns take of a listing."""

from collections.abc import Sequence

import pytest

from tickwire.errors import UnfitPattern
from tickwire.exchanges import wanted
from tickwire.exchanges.contract import Symbol
from tickwire.exchanges.symbols import Listing
from tickwire.exchanges.wanted import Wanted

NAMES = ("BTC-USDT", "ETH-USDT", "BTC-BUSD", "ETH-BTC", "BTC-USDT-PERP", "ETH-USDC-261225-2000-C")
LISTING = Listing(
    [*(Symbol(name, name.replace("-", "")) for name in NAMES), Symbol("OLD-USDT", "OLDUSDT")],
    {"XBT-USDT": Symbol("BTC-USDT", "BTCUSDT")},
    {"OLDUSDT": "BREAK"},
)


def picked(*texts: str, listing: Listing = LISTING, reading: Sequence[Symbol] = ()) -> list[str]:
    wanted = Wanted(texts)
    wanted.check(listing, "toy")
    return [symbol.canonical for symbol in wanted.take(listing, reading)]


@pytest.mark.parametrize(
    ("texts", "names"),
    [
        (["ALL"], NAMES),
        (["all"], NAMES),
        (["*"], NAMES),
        (["*-USDT"], ["BTC-USDT", "ETH-USDT"]),
        (["*-usdt"], ["BTC-USDT", "ETH-USDT"]),
        (["*-USDT*"], ["BTC-USDT", "ETH-USDT", "BTC-USDT-PERP"]),
        (["???-USDT"], ["BTC-USDT", "ETH-USDT"]),
        (["ETH-*", "*-USDT"], ["BTC-USDT", "ETH-USDT", "ETH-BTC", "ETH-USDC-261225-2000-C"]),
        (["ALL", "!*-BUSD", "!*-C"], ["BTC-USDT", "ETH-USDT", "ETH-BTC", "BTC-USDT-PERP"]),
        (["!*USD*", "*"], ["ETH-BTC"]),
        (["!*USD*"], ["ETH-BTC"]),
        (["*-USDT", "!XBT/USDT"], ["ETH-USDT"]),
        (["*-USDT", "!ETHUSDT", "!NOPE-USDT"], ["BTC-USDT"]),
        (["BTC-*", "!btc_usdt_perp"], ["BTC-USDT", "BTC-BUSD"]),
        (["BTC-USDT", "OLD-USDT"], []),
        (["BTC-USDT", "!BTC-USDT"], []),
    ],
)
def test_patterns_take_what_trades_and_has_such_a_name(texts: list[str], names: list[str]) -> None:
    assert picked(*texts) == list(names)


def test_names_stay_as_they_were_written_and_are_never_left_out() -> None:
    assert Wanted(["btc/usdt", "*-EUR", "!BTC*", "OLDUSDT"]).names == ["btc/usdt", "OLDUSDT"]


@pytest.mark.parametrize(
    ("texts", "said"),
    [
        (["*-USDX"], "the pattern '*-USDX' matches no symbol (names are such as BTC-USDT, ETH-USDT, BTC-BUSD)"),
        (["*-USDT", "OLD-*"], "the pattern 'OLD-*' matches no symbol (1 that match are not trading now)"),
        (["*-BUSD", "!BTC-*"], "matches no symbol (1 that match are excluded with '!')"),
        (["[A-Z]*-USDT"], "the pattern '[A-Z]*-USDT' matches no symbol"),
    ],
)
def test_a_pattern_that_takes_nothing_is_said_with_what_is_in_the_way(texts: list[str], said: str) -> None:
    with pytest.raises(UnfitPattern) as error:
        picked(*texts)
    assert said in str(error.value)
    assert error.value.exit_code == 2


def test_names_that_are_odd_or_not_the_only_ones_are_not_taken() -> None:
    odd = ["", "A-X\n", "A-\x1b[2J", "B C-X", "Z" * 101]
    symbols = [Symbol(name, f"n{i}") for i, name in enumerate(odd)] + [Symbol("B-X", name) for name in odd]
    sound = [Symbol("币安-X", "币安X"), Symbol("A-X", "AX"), Symbol("A-X", "AX2")]
    listing = Listing(symbols + sound)
    assert [symbol.native for symbol in Wanted(["ALL"]).take(listing)] == ["币安X", "AX"]


def test_what_is_being_read_is_taken_although_it_rests() -> None:
    reading = [Symbol("OLD-USDT", "OLDUSDT"), Symbol("BTC-USDT", "BTCUSDT")]
    assert sorted(picked("*-USDT", reading=reading)) == ["BTC-USDT", "ETH-USDT", "OLD-USDT"]
    assert picked("*-USDT", "!OLD*", "!BTC*", reading=reading) == ["ETH-USDT"]


def test_a_listing_without_end_is_too_much() -> None:
    listing = Listing(Symbol(f"A{i}-X", f"A{i}X") for i in range(wanted.MOST + 1))
    with pytest.raises(UnfitPattern, match=f"matches {wanted.MOST + 1} symbols"):
        picked("ALL", listing=listing)
    assert len(picked("A1*", listing=listing)) == 1 + 10 + 100 + 1000 + 1


def test_many_stars_are_no_work_without_end() -> None:
    listing = Listing([Symbol("A" * 99, "AX"), Symbol("B", "BX")])
    assert picked("B*", f"!{'*A' * 40}*B", listing=listing) == ["B"]
