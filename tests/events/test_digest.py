"""What checksums of books are made of, in both forms and against numbers that are worked out otherwise."""

from collections.abc import Iterator
from itertools import zip_longest

import pytest
from hypothesis import given
from hypothesis import strategies as st

from forms import FORMS, use
from tickwire.events import book as books
from tickwire.events import digest as module
from tickwire.events.digest import ASKS_FIRST, BIDS_FIRST, DIGITS, IN_TURN, JAVASCRIPT, WRITTEN
from tickwire.events.types import Level

numbers = st.one_of(
    st.decimals("0.000000000000000001", 10**6, places=18).map(lambda d: format(d, "f")),
    st.sampled_from(["0.0000010", "0.0000005", "0.00000056", "0.00000100", "12", "0.10", "007.5"]),
)
levels = st.lists(st.tuples(numbers, numbers), max_size=30)
orders, spellings = st.sampled_from([ASKS_FIRST, BIDS_FIRST, IN_TURN]), st.sampled_from([DIGITS, WRITTEN, JAVASCRIPT])


@pytest.fixture(params=FORMS, scope="module", autouse=True)
def form(request: pytest.FixtureRequest) -> Iterator[None]:
    with use(request.param):
        yield


def text_of(bids: list[Level], asks: list[Level], *digest: int) -> bytes:
    book = books.Book(bids, asks)
    return module.digest_text(book.bids, book.asks, *digest)


@given(levels, levels, st.integers(0, 25))
def test_digits_have_neither_points_nor_leading_zeros(bids: list[Level], asks: list[Level], depth: int) -> None:
    book = books.Book(bids, asks)
    best = [n for level in book.bids.top(depth) + book.asks.top(depth) for n in level]
    assert text_of(bids, asks, depth, BIDS_FIRST, DIGITS).decode() == "".join(
        n.replace(".", "").lstrip("0") for n in best
    )


@given(levels, levels, st.integers(0, 25))
def test_levels_may_stand_in_turn_as_they_came(bids: list[Level], asks: list[Level], depth: int) -> None:
    book = books.Book(bids, asks)
    pairs = zip_longest(book.bids.top(depth), book.asks.top(depth))
    assert text_of(bids, asks, depth, IN_TURN, WRITTEN).decode() == ":".join(
        n for pair in pairs for level in pair if level is not None for n in level
    )


@pytest.mark.parametrize(
    ("number", "spelled"),
    [
        ("0.0000005", "5e-7"), ("0.00000056", "5.6e-7"), ("0.000000560", "5.60e-7"), ("0.000001", "0.000001"),
        ("0.00000000001", "1e-11"), ("0.0000009", "9e-7"), ("12.5", "12.5"), ("7", "7"), ("1000000000", "1000000000"),
    ],
)  # fmt: skip
def test_javascript_has_exponents_below_a_millionth(number: str, spelled: str) -> None:
    answer = text_of([(number, "2")], [("9", number)], 1, IN_TURN, JAVASCRIPT)
    assert answer.decode() == f"{spelled}:2:9:-{spelled}"


@pytest.mark.parametrize("digest", [(-1, 0, 0), (26, 0, 0), (1, 3, 0), (1, -1, 0), (1, 0, 3), (1, 0, -1)])
def test_other_digests_are_refused(digest: tuple[int, int, int]) -> None:
    with pytest.raises(ValueError, match="no such digest"):
        text_of([], [], *digest)


@given(levels, levels, st.integers(0, 25), orders, spellings)
def test_both_forms_say_the_same(bids: list[Level], asks: list[Level], depth: int, order: int, spelling: int) -> None:
    answers = set()
    for one in FORMS:
        with use(one):
            answers.add(text_of(bids, asks, depth, order, spelling))
    assert len(answers) == 1
