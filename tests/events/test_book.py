"""The order book against a naive model of Decimals."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tickwire.events import book as module
from tickwire.events.book import Book, in_order, is_zero, price_key
from tickwire.events.types import Level

# Few prices, so that levels meet; written with different zeros at the end, so that texts differ where values do not.
prices = st.builds(
    lambda units, zeros: f"{Decimal(units) / 100:.2f}" + "0" * zeros, st.integers(0, 25), st.integers(0, 2)
)
sizes = st.sampled_from(["0", "0.000", "1", "1.50", "0.00000001"])
deltas = st.lists(st.tuples(prices, sizes), max_size=8)
sides = st.booleans()


class Model:
    """A dictionary of Decimals, sorted when it is looked at."""

    def __init__(self) -> None:
        self.levels: dict[Decimal, Level] = {}

    def change(self, levels: list[Level]) -> None:
        for price, size in levels:
            self.levels.pop(Decimal(price), None)
            if Decimal(size):
                self.levels[Decimal(price)] = (price, size)

    def top(self, *, highest_first: bool) -> list[Level]:
        return [self.levels[price] for price in sorted(self.levels, reverse=highest_first)]


@given(st.lists(st.tuples(deltas, deltas), max_size=6), st.integers(1, 6))
def test_apply_and_truncate_do_what_the_model_does(updates: list[tuple[list[Level], list[Level]]], depth: int) -> None:
    book, bids, asks = Book(), Model(), Model()
    for i, (bid_levels, ask_levels) in enumerate(updates):
        book.apply(bid_levels, ask_levels)
        bids.change(bid_levels)
        asks.change(ask_levels)
        if i % 2:
            cut = book.truncate(depth)
            best = (bids.top(highest_first=True), asks.top(highest_first=False))
            assert cut == (best[0][depth:], best[1][depth:])
            for model, levels in zip((bids, asks), cut, strict=True):
                model.change([(price, "0") for price, _ in levels])
        assert book.bids.top() == bids.top(highest_first=True)
        assert book.asks.top() == asks.top(highest_first=False)
        assert book.bids.top(depth) == book.bids.top()[:depth]
        assert book.asks.best() == next(iter(book.asks.top()), None)
        assert len(book.bids) == len(bids.levels)
        best_bid, best_ask = book.bids.best(), book.asks.best()
        crossed = bool(best_bid and best_ask and Decimal(best_bid[0]) >= Decimal(best_ask[0]))
        assert book.crossed() is crossed


def inverse(levels: list[Level], before: list[Level]) -> list[Level]:
    """What takes a delta back: the levels as they were, and the removal of those that were not there."""
    old = {Decimal(price): (price, size) for price, size in before}
    return [old.get(Decimal(price), (price, "0")) for price, _ in levels]


@given(deltas, deltas)
def test_a_delta_and_its_inverse_leave_the_book_as_it_was(start: list[Level], delta: list[Level]) -> None:
    book = Book(bids=start)
    before = book.bids.top()
    book.apply(delta, [])
    book.apply(inverse(delta, before), [])
    assert book.bids.top() == before


@given(deltas, st.lists(deltas, max_size=6), st.data())
def test_a_keyframe_and_the_deltas_after_it_rebuild_the_book(
    start: list[Level], updates: list[list[Level]], data: st.DataObject
) -> None:
    book = Book(asks=start)
    at = data.draw(st.integers(0, len(updates)))
    for delta in updates[:at]:
        book.apply([], delta)
    rebuilt = Book(book.bids.top(), book.asks.top())
    for delta in updates[at:]:
        book.apply([], delta)
        rebuilt.apply([], in_order(delta, highest_first=False))
    assert rebuilt.asks.top() == book.asks.top()


@given(deltas, deltas, sides)
def test_a_delta_put_in_order_does_the_same_and_has_each_price_once(
    start: list[Level], delta: list[Level], highest_first: bool
) -> None:
    ordered = in_order(delta, highest_first=highest_first)
    values = [Decimal(price) for price, _ in ordered]
    assert values == sorted(set(values), reverse=highest_first)
    plain, tidy = Book(bids=start), Book(bids=start)
    plain.apply(delta, [])
    tidy.apply(ordered, [])
    assert plain.bids.top() == tidy.bids.top()


def test_a_delta_in_order_is_handed_on_as_it_is() -> None:
    levels = [("3", "1"), ("2", "0")]
    assert in_order(levels, highest_first=True) is levels


decimals = st.decimals(allow_nan=False, allow_infinity=False, places=20, min_value=-(10**20), max_value=10**20)


@given(decimals)
def test_a_price_key_is_the_exact_value(value: Decimal) -> None:
    assert (
        price_key(f"{value:f}")
        == price_key(f"{value:E}")
        == int(value.as_integer_ratio()[0] * 10**24) // (value.as_integer_ratio()[1])
    )


@pytest.mark.parametrize(
    "text",
    ["", ".", "-", "x", "1.2.3", "NaN", "Infinity", "-Infinity", "1e81", "1e-30", "٣", "1" * 81, "0." + "1" * 25],
)  # fmt: skip
def test_what_is_no_price_is_an_error(text: str) -> None:
    with pytest.raises(ValueError, match=r"decimal"):
        price_key(text)


@pytest.mark.parametrize("text", ["", ".", "0..", "-1", "-0.1", "x", "NaN", "sNaN", "Infinity", "1_0", "٣", "1.2.3"])
def test_what_is_no_size_is_an_error(text: str) -> None:
    with pytest.raises(ValueError, match="not a size"):
        is_zero(text)


@given(st.decimals(allow_nan=False, allow_infinity=False, min_value=0, max_value=10**12, places=8))
def test_zero_is_known_however_it_is_written(value: Decimal) -> None:
    assert is_zero(f"{value:f}") is (value == 0)
    assert is_zero(f"{value:E}") is (value == 0)


def test_prices_are_remembered_up_to_a_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_CACHE_LIMIT", 10)
    monkeypatch.setattr(module, "_keys", {})
    for i in range(100):
        assert price_key(str(i)) == i * 10**24
        assert len(module._keys) <= 10
