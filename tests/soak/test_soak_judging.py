"""Each thing that can be wrong has a sentence, and what is whole has none."""

from typing import Any

import pytest

from faults.checker import Content, Place
from soak.judging import (
    REPLACED_US,
    holes,
    judge_books,
    judge_collectors,
    judge_group,
    judge_letters,
    judge_order,
    judge_producer,
    stored,
    unannounced,
)

BOOKS = "books"


def log_of(*contents: Content) -> dict[Place, Content]:
    return {Place(BOOKS, 0, offset): content for offset, content in enumerate(contents)}


def book(epoch: int, book_seq: int, action: str = "delta", timestamp_ms: int = 1) -> Content:
    return Content("x|A-B", 1, action, epoch, book_seq, epoch * 100 + book_seq, timestamp_ms)


START, NEXT, LAST = book(1, 0, "snapshot"), book(1, 1), book(1, 2, "invalid")
AGAIN = book(2, 0, "snapshot")


def report(**numbers: int) -> dict[str, Any]:
    names = ("events", "acknowledged", "conflated", "dropped", "failed", "spilled", "in_flight")
    account = dict.fromkeys(names, 0) | {"events": 3, "acknowledged": 3} | numbers
    return {"events": {"orderbook": account["events"]}, "topics": {BOOKS: account}, "callback_errors": 0}


def test_what_is_whole_has_no_sentence() -> None:
    log = log_of(START, NEXT, LAST, AGAIN)
    assert judge_order(log) == []
    assert judge_producer("x", report(events=4, acknowledged=4), stored(log), 0, 10) == []
    assert judge_group(log, [*log], {(BOOKS, 0): 4}, 0)[1] == []


@pytest.mark.parametrize(
    "contents",
    [
        (START, LAST),  # a hole
        (START, book(2, 1)),  # an epoch without its beginning
        (AGAIN, START),  # an epoch that is over
        (NEXT, LAST),  # begins in the middle
        (START, book(1, 1, timestamp_ms=0)),  # Kafka's time falls
    ],
)
def test_a_book_with_damage_has_a_sentence(contents: tuple[Content, ...]) -> None:
    assert judge_order(log_of(*contents)) != []


@pytest.mark.parametrize(
    ("numbers", "copies"),
    [
        ({"events": 4}, 0),  # an event without outcome
        ({"events": 4, "acknowledged": 4}, 0),  # lost
        ({"events": 2, "acknowledged": 2}, 0),  # nobody knows of its acknowledgement
        ({"events": 4, "dropped": 1}, 0),
        ({"events": 4, "spilled": 1}, 0),
        ({}, 1),  # twice, and no producer was replaced
    ],
)
def test_a_sum_that_does_not_agree_has_a_sentence(numbers: dict[str, int], copies: int) -> None:
    log = log_of(START, NEXT, LAST, *[LAST] * copies)
    assert judge_producer("x", report(**numbers), stored(log), 0, 10) != []


def test_copies_are_allowed_where_a_producer_was_replaced() -> None:
    assert judge_producer("x", report(), stored(log_of(START, NEXT, LAST, LAST)), 1, 10) == []


def test_a_group_must_see_everything_and_commit_it_and_repeat_no_more_than_documented() -> None:
    log = log_of(START, NEXT)
    first, second = log
    assert "never handled" in judge_group(log, [first], {(BOOKS, 0): 2}, 0)[1][0]
    assert "committed is 1" in judge_group(log, [first, second], {(BOOKS, 0): 1}, 0)[1][0]
    twice = [first, second, second]
    assert "handled again" in judge_group(log, twice, {(BOOKS, 0): 2}, 0)[1][0]
    assert judge_group(log, twice, {(BOOKS, 0): 2}, 1)[1] == []


def test_dead_letters_are_those_of_the_bad_records() -> None:
    bad, good = Place("t", 0, 1), Place("t", 0, 2)
    assert judge_letters([bad], [bad], 0) == []
    assert judge_letters([bad], [bad, bad], 1) == []
    for letters in ([], [bad, good], [bad, bad]):
        assert judge_letters([bad], letters, 0) != []


def test_books_are_compared_level_by_level() -> None:
    own = {"A-B": {"bids": [["1", "2"]], "asks": [["3", "4"]]}}
    same = {"x|A-B": own["A-B"] | {"depth": None}}
    other = {"x|A-B": {"bids": [["1", "9"]], "asks": [["3", "4"]], "depth": None}}
    assert judge_books("the group", "x", own, same) == []
    assert judge_books("the group", "x", own, other) != []
    assert judge_books("the group", "x", own, {}) != []


def test_records_that_a_full_disk_refused_are_dropped_and_those_of_others_are_not() -> None:
    log = stored(log_of(START, NEXT, LAST))
    assert judge_producer("x", report(events=4, dropped=1), log, 0, 10, full=True) == []
    assert judge_producer("x", report(events=4, failed=1), log, 0, 10, full=True) != []
    assert judge_producer("x", report(events=5, dropped=1), log, 0, 10, full=True) != []


def test_times_go_back_with_the_clock_alone() -> None:
    at_minutes = [
        book(1, number, "delta" if number else "snapshot", 60_000 * at) for number, at in enumerate((1, 4, 2))
    ]
    assert judge_order(log_of(*at_minutes), {"x": 120}) == []
    assert judge_order(log_of(*at_minutes), {"x": 600}) != []  # a fall that no such step makes
    assert judge_order(log_of(*at_minutes), {"y": 120}) != []
    assert judge_order(log_of(*at_minutes)) != []


def test_changes_that_a_frozen_collector_writes_late_are_no_damage_where_members_take_over() -> None:
    late = log_of(START, AGAIN, NEXT)
    assert judge_order(late, shared=["x"]) == []
    assert judge_order(late) != []


@pytest.mark.parametrize(
    "contents",
    [
        (START, LAST),  # a hole
        (START, AGAIN, book(1, 2)),  # a hole, late
        (AGAIN, START),  # an epoch that begins behind a newer one
        (START, NEXT, book(1, 1, timestamp_ms=5)),  # two members in one epoch
    ],
)
def test_what_two_collectors_may_not_do_has_a_sentence(contents: tuple[Content, ...]) -> None:
    assert judge_order(log_of(*contents), shared=["x"]) != []


def test_a_member_s_sum_must_agree_and_kafka_has_at_least_what_it_knows_of() -> None:
    log = stored(log_of(START, NEXT, LAST))
    assert judge_collectors("x", [report(events=2, acknowledged=2)], log) == []  # the rest is that of a killed one
    assert judge_collectors("x", [report(events=4, spilled=1)], log) == []
    for wrong in (report(events=4), report(events=4, failed=1), report(events=4, acknowledged=4)):
        assert judge_collectors("x", [wrong], log) != []
    assert judge_collectors("x", [report(), report()], log) != []


def test_a_book_that_breaks_says_so_and_one_that_is_replaced_does_not() -> None:
    assert unannounced(log_of(START, NEXT, LAST, AGAIN)) == (1, [])
    late = AGAIN._replace(received_us=(NEXT.received_us or 0) + REPLACED_US)
    assert unannounced(log_of(START, NEXT, late)) == (0, ["x|A-B: epoch 1 ends without invalid"])
    assert unannounced(log_of(START, NEXT, late), shared=["x"]) == (0, [])
    assert unannounced(log_of(START, NEXT, AGAIN)) == (0, [])


def test_what_a_full_disk_refused_is_a_hole_that_is_said() -> None:
    said = log_of(START, book(1, 7, "invalid"), AGAIN, book(2, 9, "snapshot"), book(2, 10))
    assert judge_order(said, full=["x"]) == []
    assert holes(said, ["x"]) == 2
    assert holes(said, ["y"]) == 0
    assert judge_order(said) != []
    assert judge_order(log_of(START, book(1, 7)), full=["x"]) != []  # a delta behind a hole


def test_a_book_that_goes_back_is_damage_on_a_full_disk_too() -> None:
    assert judge_order(log_of(START, NEXT, book(1, 0, "snapshot", 2)), full=["x"]) != []
    assert judge_order(log_of(AGAIN, START), full=["x"]) != []
