"""The order book, in Python and compiled, against a naive model of Decimals."""

import shutil
import sysconfig
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from msgspec import Raw

from forms import FORMS, use
from tickwire.events import book as module
from tickwire.events import decimals as numbers
from tickwire.events.book import Book
from tickwire.events.side import Levels, read_levels
from tickwire.events.types import Level

# Few prices, so that levels meet; written with different zeros at the end, so that texts differ where values do not.
prices = st.builds(
    lambda units, zeros: f"{Decimal(units) / 100:.2f}" + "0" * zeros, st.integers(1, 25), st.integers(0, 2)
)
sizes = st.sampled_from(["0", "0.000", "1", "1.50", "0.00000001"])
deltas = st.lists(st.tuples(prices, sizes), max_size=8)
sides = st.booleans()


@pytest.fixture(params=FORMS, scope="module", autouse=True)
def form(request: pytest.FixtureRequest) -> Iterator[None]:
    with use(request.param):
        yield


def spelled(levels: Levels) -> list[Level]:
    return read_levels(levels) if isinstance(levels, Raw) else list(levels)


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
        rebuilt.apply(*Book().apply([], delta))
    assert rebuilt.asks.top() == book.asks.top()


@given(deltas, deltas, sides)
def test_what_a_reader_is_told_does_the_same_and_has_each_price_once_best_first(
    start: list[Level], delta: list[Level], as_text: bool
) -> None:
    plain, reader = Book(start, start), Book(start, start)
    given_: Levels = Raw(msgspec.json.encode(delta)) if as_text else delta
    told = plain.apply(given_, given_)
    for levels, highest_first in zip(told, (True, False), strict=True):
        values = [Decimal(price) for price, _ in spelled(levels)]
        assert values == sorted(set(values), reverse=highest_first)
        assert {size for _, size in spelled(levels) if not Decimal(size)} <= {"0"}
    reader.apply(*told)
    assert (plain.bids.top(), plain.asks.top()) == (reader.bids.top(), reader.asks.top())


@given(deltas, deltas, st.integers(0, 4), sides)
def test_a_reader_is_told_what_was_cut_off(start: list[Level], delta: list[Level], depth: int, as_text: bool) -> None:
    book, reader = Book(start, start), Book(start, start)
    book.truncate(depth)
    reader.truncate(depth)
    given_: Levels = Raw(msgspec.json.encode(delta)) if as_text else delta
    reader.apply(*book.apply(given_, given_, depth))
    assert len(book.bids) <= depth
    assert (book.bids.top(), book.asks.top()) == (reader.bids.top(), reader.asks.top())


@pytest.mark.parametrize(
    "text",
    [
        '[["2","0.00000000"],["1","0.5"]]', '[["2","00"],["1","0.5"]]', "[[2,0.0],[1,0.5]]", "[[2,0e5],[1,0.5]]",
        "[[2,-0],[1,0.5]]", '[["1","0.5"],["2","0.0"]]',
    ],
)  # fmt: skip
def test_a_removal_has_one_spelling_and_other_sizes_stay(text: str) -> None:
    told, _ = Book([("2", "9")]).apply(Raw(text.encode()), [])
    assert spelled(told) == [("2", "0"), ("1", "0.5")]
    assert msgspec.json.encode(told) == b'[["2","0"],["1","0.5"]]'
    from_list, _ = Book().apply([("2", "0.000"), ("1", "0.5")], [])
    assert from_list == [("2", "0"), ("1", "0.5")]


def test_a_delta_in_order_is_handed_on_as_it_is() -> None:
    levels = [("3", "1"), ("2", "0")]
    assert Book().apply(levels, [])[0] is levels


@given(st.lists(st.tuples(prices, sizes), min_size=33, max_size=120), deltas)
def test_long_changes_do_what_short_ones_do(levels: list[Level], start: list[Level]) -> None:
    whole, pieces = Book(start, start), Book(start, start)
    whole.apply(levels, levels)
    for level in levels:
        pieces.apply([level], [level])
    assert (whole.bids.top(), whole.asks.top()) == (pieces.bids.top(), pieces.asks.top())


@pytest.mark.parametrize(
    "text",
    [
        '[["1.50","2"],["1.40","0"]]',
        ' [ [ "1.50" , "2" ] , [ "1.40" , "0" ] ] ',
        '[["1.50","2","extra",{}],["1.40","0"]]',
        "[[1.50,2],[1.40,0]]",
        '[["1.50","2"],["1.\\u0034\\u0030","0"]]',
    ],
)
def test_levels_are_read_from_any_json_that_means_them(text: str) -> None:
    book = Book([("1.4", "9")])
    told, _ = book.apply(Raw(text.encode()), [])
    assert book.bids.top() == [("1.50", "2")]
    assert spelled(told) == [("1.50", "2"), ("1.40", "0")]


@pytest.mark.parametrize(
    "text", ['[{"price":1.50,"qty":2e-7}]', '[{"qty":2e-7,"price":1.50}]', '[{"price":1.50,"qty":0.0000002}]']
)
def test_levels_are_read_from_objects_by_their_names(text: str) -> None:
    book = Book(Raw(text.encode()), [], ("price", "qty"))
    assert book.bids.top() == [("1.50", "0.0000002")]


@pytest.mark.parametrize(
    "text",
    [
        "", "[", "]", "{}", "null", "1", '"x"', '[["1"]]', '[["1","2"],]', '[["1","2"]', '[["1","2"]]x', "[[null,1]]",
        "[1]",
        '[["x","1"]]', '[["1","x"]]', '[["1","-1"]]', '[["","1"]]', '[[true,"1"]]', '[["1e99","1"]]', '[["NaN","1"]]',
        '[["\xff","1"]]', "[" * 100_000, '[["' + "1" * 81 + '","1"]]', '[["100000000000000","1"]]', '[["1 ","1"]]',
        '[["0","1"]]', '[["0.00","1"]]', '[["-1","1"]]', "[[-0.5,1]]", '[["2","1"],["0","1"]]',
    ],
)  # fmt: skip
def test_text_that_is_no_levels_is_an_error_and_changes_nothing(text: str) -> None:
    book = Book([("1", "1")])
    with pytest.raises(ValueError, match="not "):
        book.bids.change(Raw(text.encode("latin-1")))
    assert book.bids.top() == [("1", "1")]


def test_a_level_without_a_price_may_be_removed() -> None:
    book = Book([("1", "1")])
    assert spelled(book.bids.change(Raw(b'[["0","0"]]'))) == [("0", "0")]
    assert book.bids.top() == [("1", "1")]


@given(st.binary(max_size=60))
def test_no_bytes_do_harm(noise: bytes) -> None:
    for names in (None, ("price", "qty")):
        book = Book([("1", "1")], [], names)
        try:
            book.bids.change(Raw(noise))
        except ValueError:
            assert book.bids.top() == [("1", "1")]


@given(st.text('[]{}",:.-0123456789eEpriceqty ', max_size=40))
@example("[-0,1]")
def test_both_forms_read_the_same_or_refuse_both(text: str) -> None:
    answers: list[list[Level] | None] = []
    for form in FORMS:
        with use(form):
            book = Book()
            try:
                book.bids.change(Raw(f"[{text}]".encode()))
            except ValueError:
                answers.append(None)
            else:
                answers.append(book.bids.top())
    assert answers.count(answers[0]) == len(FORMS)


numbers_of_any_length = st.from_regex(r"(0|[1-9][0-9]{0,13})(\.[0-9]{1,24})?", fullmatch=True)


@given(st.lists(st.tuples(numbers_of_any_length, numbers_of_any_length), max_size=8), st.sampled_from(['"', ""]))
@example([("12345678.12345678", "0.00000000"), ("12345678.123456780000000001", "1"), ("12345679", "0")], '"')
@example([("1234567.8", "1"), ("12345678.0", "2"), ("1234567890.1", "3"), ("0.00000000000000001", "4")], "")
def test_numbers_of_any_length_are_what_they_say(levels: list[Level], quote: str) -> None:
    levels = [(price, size) for price, size in levels if Decimal(price)]
    text = ",".join(f"[{quote}{price}{quote},{quote}{size}{quote}]" for price, size in levels)
    book, model = Book(), Model()
    book.bids.change(Raw(f"[{text}]".encode()))
    model.change(levels)
    assert book.bids.top() == model.top(highest_first=True)


@given(st.lists(st.tuples(prices, sizes), max_size=30), st.integers(0, 12))
def test_text_is_that_of_the_best_levels(levels: list[Level], depth: int) -> None:
    book = Book(levels)
    best = book.bids.top(depth)
    assert read_levels(book.bids.text(depth)) == best
    assert msgspec.json.encode(book.bids.text()) == msgspec.json.encode(book.bids.top())


@given(st.lists(st.tuples(prices, sizes), max_size=30), st.lists(st.tuples(prices, sizes), max_size=30), sides)
def test_a_side_that_is_replaced_says_what_has_changed(old: list[Level], new: list[Level], highest_first: bool) -> None:
    side, now, reader = (module.Side(highest_first=highest_first) for _ in range(3))
    for one, levels in ((side, old), (reader, old), (now, new)):
        one.change(levels)
    before, after = side.top(), now.top()
    changes = read_levels(side.replace(now))
    assert side.top() == after
    assert changes == spelled(reader.change(changes))  # best first, one a price
    assert reader.top() == after
    assert not set(changes) & set(before)


@given(st.text('[]{}",:.-0123456789ab ', max_size=40), st.sampled_from(["a", "b"]))
@example('"c":"x","b":1,"a":2', "a")
@example('"b":1,"c":1.5,"a":2,"a":3', "a")
@example('"a":1,"b":2,"c":01', "b")
def test_both_forms_read_the_same_objects_or_refuse_both(text: str, first: str) -> None:
    answers: list[list[Level] | None] = []
    for form in FORMS:
        with use(form):
            side = module.Side(names=(first, "b" if first == "a" else "a"))
            try:
                side.change(Raw(b"[{%s}]" % text.encode()))
            except ValueError:
                answers.append(None)
            else:
                answers.append(side.top())
    assert answers.count(answers[0]) == len(FORMS)


plain = st.from_regex(r"[0-9]{1,15}(\.[0-9]{1,25})?", fullmatch=True)


@given(plain | st.sampled_from(["0", "0.000", "1e2", "12.30", "00012.50"]), plain | st.sampled_from(["0.01", "100"]))
@example("184467440737095516.16", "100")
@example("99999999999999", "10")
@example("500000000000000", "0.01")
@example("0.000000000000000000000001", "0.1")
@example("1e2", "1")
@example("12.30", "1")
@example("0.000", "1")
def test_sizes_in_text_are_multiplied_exactly_or_refused(size: str, factor: str) -> None:
    given_ = [["2", size], ["1", "5"]]
    try:
        expected: Any = [(price, numbers.product(size, factor)) for price, size in given_]
        if factor == "1" and expected[0][1] != "0":  # nothing is multiplied: it stays as it is written
            expected[0] = "2", numbers.decimal_text(size)  # but for an exponent
    except ValueError:
        expected = None
    for text in (msgspec.json.encode(given_), msgspec.json.format(msgspec.json.encode(given_))):
        side = module.Side(highest_first=True, factor=factor)
        try:
            told = spelled(side.change(Raw(text)))
        except ValueError:
            assert (expected, side.top()) == (None, [])
        else:
            assert told == expected
            assert side.top() == [(price, size) for price, size in expected if size != "0"]


def test_sizes_that_no_text_gave_are_not_multiplied() -> None:
    side = module.Side(factor="0.01")
    assert side.change([("1", "5.00")]) == [("1", "5.00")]


def test_numbers_of_any_length_are_kept_as_they_are_written() -> None:
    long = [("12345678901234." + "1" * 24, "9" * 60 + "." + "1" * 19), ("2.50", "1"), ("0." + "0" * 23 + "1", "7" * 80)]
    book = Book(long)
    assert book.bids.top() == long
    book.apply([(long[0][0], "1"), (long[2][0], "0")], [])
    assert book.bids.top() == [(long[0][0], "1"), ("2.50", "1")]
    assert read_levels(book.bids.text()) == book.bids.top()


def test_the_compiled_form_is_there_where_a_compiler_is() -> None:
    header = Path(sysconfig.get_paths()["include"], "Python.h")
    if shutil.which("cc") and header.exists():
        assert len(FORMS) == 2


decimals = st.decimals(allow_nan=False, allow_infinity=False, places=20, min_value=-(10**13), max_value=10**13)


@given(decimals)
def test_a_price_key_is_the_exact_value(value: Decimal) -> None:
    assert (
        module.price_key(f"{value:f}")
        == module.price_key(f"{value:E}")
        == int(value.as_integer_ratio()[0] * 10**24) // (value.as_integer_ratio()[1])
    )


@pytest.mark.parametrize(
    "text",
    ["", ".", "-", "x", "1.2.3", "NaN", "Infinity", "-Infinity", "1e81", "1e-30", "٣", "1" * 81, "0." + "1" * 25,
     "1" * 15, " 1", "1\n"],
)  # fmt: skip
def test_what_is_no_price_is_an_error(text: str) -> None:
    with pytest.raises(ValueError, match=r"decimal"):
        module.price_key(text)


@pytest.mark.parametrize(
    "text",
    ["", ".", "0..", "-1", "-0.1", "x", "NaN", "sNaN", "Infinity", "1_0", "٣", "1.2.3", "1e81", "1e-400"],
)  # fmt: skip
def test_what_is_no_size_is_an_error(text: str) -> None:
    with pytest.raises(ValueError, match="not a size"):
        module.is_zero(text)


@given(st.decimals(allow_nan=False, allow_infinity=False, min_value=0, max_value=10**12, places=8))
def test_zero_is_known_however_it_is_written(value: Decimal) -> None:
    assert module.is_zero(f"{value:f}") is (value == 0)
    assert module.is_zero(f"{value:E}") is (value == 0)


def test_prices_are_remembered_up_to_a_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(numbers, "_CACHE_LIMIT", 10)
    monkeypatch.setattr(numbers, "_keys", {})
    for i in range(100):
        assert numbers.price_key(str(i)) == i * 10**24
        assert len(numbers._keys) <= 10
