"""Sizes in contracts become sizes in units without the loss of a digit."""

from decimal import Context, Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tickwire.events import decimals
from tickwire.events.decimals import decimal_text, product

_EXACT = Context(prec=100)


@pytest.mark.parametrize(
    ("size", "factor", "units"),
    [
        ("1", "1", "1"),
        ("12.3", "0.01", "0.123"),
        ("1500", "0.01", "15"),
        ("1.50", "0.1", "0.15"),
        ("7", "100", "700"),
        ("0.1", "10", "1"),
        ("3", "1000000", "3000000"),
        ("0.3", "0.1", "0.03"),
        ("1e-2", "10", "0.1"),
        ("0.00", "100", "0"),
    ],
)
def test_a_product_is_written_out_in_full_and_without_zeros_at_the_end(size: str, factor: str, units: str) -> None:
    assert product(size, factor) == units


@given(
    st.decimals(min_value=0, max_value=10**9, places=10, allow_nan=False),
    st.decimals(min_value=Decimal("1e-10"), max_value=10**4, places=10, allow_nan=False),
)
def test_a_product_is_exact(size: Decimal, factor: Decimal) -> None:
    assert Decimal(product(f"{size:f}", f"{factor:f}")) == _EXACT.multiply(size, factor)


@pytest.mark.parametrize("size", ["", "-1", "x", "NaN", "1e99", "9" * 14, "0." + "1" * 24])
def test_what_is_no_size_or_has_no_room_is_an_error(size: str) -> None:
    with pytest.raises(ValueError, match=r"size|digits|decimal"):
        product(size, "10.1")


def test_sizes_leave_nothing_in_the_cache_of_prices() -> None:
    """Of which there are always new ones."""
    before = len(decimals._keys)
    for number in range(100):
        assert Decimal(decimal_text(f"1.{number:02}7e-05")) == Decimal(f"1.{number:02}7e-05")
        product(f"3.{number:02}7", "0.01")
    assert len(decimals._keys) - before <= 1  # the factor
