"""How events follow on each other, each rule as a table."""

import pytest
from msgspec import Raw

from tickwire.exchanges.kit import (
    BookEvent,
    Follows,
    Verdict,
    by_first,
    by_previous,
    by_range,
    by_step,
    by_time,
    chained,
    chained_on_snapshot,
    spans,
)

HELD = 100


def event(last: int, first: int = -1, previous: int = -1) -> BookEvent:
    return BookEvent([], [], last, first, previous)


@pytest.mark.parametrize(
    ("rule", "received", "verdict"),
    [
        (by_range, event(101, 101), "next"),
        (by_range, event(109, 101), "next"),
        (by_range, event(101, 95), "next"),
        (by_range, event(100, 100), "old"),
        (by_range, event(99, 90), "old"),
        (by_range, event(102, 102), "gap"),
        (by_first, event(101, 101), "next"),
        (by_first, event(109, 101), "next"),
        (by_first, event(100, 100), "old"),
        (by_first, event(101, 95), "gap"),  # something between them is missing, whatever it joins
        (by_first, event(102, 102), "gap"),
        (by_previous, event(107, previous=100), "next"),
        (by_previous, event(3, previous=100), "next"),  # numbers began again, and nothing is missing
        (by_previous, event(100, previous=100), "next"),  # a sign of life
        (by_previous, event(100, previous=98), "old"),
        (by_previous, event(107, previous=103), "gap"),
        (by_previous, event(107, previous=99), "gap"),
        (by_step, event(101), "next"),
        (by_step, event(100), "gap"),  # the number of a snapshot is that of no change
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


LEVEL = Raw(b'[["65000","1","0","1"]]')
NONE = Raw(b"[]")


def levelled(previous: int, last: int, bids: Raw = LEVEL) -> BookEvent:
    return BookEvent(bids, NONE, last, previous=previous)


@pytest.mark.parametrize(
    ("change", "verdict"),
    [
        (levelled(100, 107), "next"),
        (levelled(100, 3), "next"),  # numbers begin again after maintenance
        (levelled(100, 100, NONE), "old"),  # nothing has changed
        (levelled(100, 100), "next"),
        (levelled(101, 107), "gap"),
        (levelled(99, 100), "old"),  # the last one once more
        (levelled(107, 100), "gap"),  # numbers began again after an event that was lost
        (levelled(3, 5), "gap"),  # the event with which numbers began again was lost
        (levelled(101, 101, NONE), "gap"),  # nothing has changed since an event that was lost
    ],
)
def test_a_chained_event_follows_where_it_names_the_number_before(change: BookEvent, verdict: Verdict) -> None:
    assert chained(100, change) == verdict


@pytest.mark.parametrize(
    ("change", "verdict"),
    [
        (levelled(90, 99), "old"),
        (levelled(90, 100), "old"),
        (levelled(90, 101), "next"),
        (levelled(100, 101), "next"),
        (levelled(101, 105), "gap"),
    ],
)
def test_the_first_chained_event_on_a_snapshot_leads_beyond_its_number(change: BookEvent, verdict: Verdict) -> None:
    assert chained_on_snapshot(100, change) == verdict
