"""One book over all connections: when it has been crossed for too long."""

from tickwire.events.book import Book
from tickwire.exchanges.contract import Symbol
from tickwire.wire.backoff import Restarts
from tickwire.wire.books import BookState

CROSSED = Book([("3", "1")], [("2", "1")])
RIGHT = Book([("1", "1")], [("2", "1")])


def looks(*books: Book | None) -> list[bool]:
    """What is said when these are seen one after the other, a second apart, and three seconds are too long."""
    state = BookState(Symbol("A-X", "AX"), 25, Restarts(lambda: 0.5))
    said = []
    for now, book in enumerate(books):
        state.book_of = lambda _, book=book: book  # type: ignore[misc]
        said.append(state.stays_crossed(float(now), 3.0))
    return said


def test_sides_that_stay_crossed_are_told_once() -> None:
    assert looks(RIGHT, *[CROSSED] * 8) == [False] * 4 + [True] + [False] * 4


def test_sides_that_cross_for_a_moment_are_not() -> None:
    assert not any(looks(*[CROSSED, CROSSED, RIGHT] * 5))
    assert not any(looks(*[Book([("2", "1")], ()), Book()] * 5))


def test_the_time_begins_with_the_book_and_a_crossed_snapshot_is_how_the_exchange_has_it() -> None:
    assert looks(*[CROSSED] * 4, None, *[CROSSED] * 6) == [False] * 3 + [True] + [False] * 7


def test_after_it_was_right_the_next_time_counts_again() -> None:
    assert sum(looks(*[CROSSED] * 5, None, RIGHT, *[CROSSED] * 5)) == 2
