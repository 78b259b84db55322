"""How events follow on each other, each rule as a table."""

import pytest

from tickwire.exchanges.kit import BookEvent, Follows, Verdict, always, by_previous, by_range, by_step, by_time, spans

HELD = 100


def event(last: int, first: int = -1, previous: int = -1) -> BookEvent:
    return BookEvent([], [], last, first, previous)


@pytest.mark.parametrize(
    ("rule", "received", "verdict"),
    [
        (always, event(-1), "next"),
        (by_range, event(101, 101), "next"),
        (by_range, event(109, 101), "next"),
        (by_range, event(101, 95), "next"),
        (by_range, event(100, 100), "old"),
        (by_range, event(99, 90), "old"),
        (by_range, event(102, 102), "gap"),
        (by_previous, event(107, previous=100), "next"),
        (by_previous, event(3, previous=100), "next"),  # numbers began again, and nothing is missing
        (by_previous, event(100, previous=100), "next"),  # a sign of life
        (by_previous, event(100, previous=98), "old"),
        (by_previous, event(107, previous=103), "gap"),
        (by_previous, event(107, previous=99), "gap"),
        (by_step, event(101), "next"),
        (by_step, event(100), "old"),
        (by_step, event(102), "gap"),
        (by_step, event(99), "gap"),  # numbers began again, and their first is missing
        (by_step, event(1), "restart"),
        (by_time, event(500), "next"),
        (by_time, event(100), "old"),
        (spans, event(109, 95), "next"),
        (spans, event(100, 100), "next"),
        (spans, event(99, 95), "old"),
        (spans, event(109, 101), "gap"),
    ],
)
def test_what_an_event_is_to_a_book_that_holds_number_100(rule: Follows, received: BookEvent, verdict: Verdict) -> None:
    assert rule(HELD, received) == verdict
