"""The checker sees each kind of damage, and calls it by its name."""

from typing import Any

import pytest

from faults.checker import Message, Place, Sending, check_accounting, check_log, check_reading, names, read_log
from faults.journal import Entry

SENT: list[Entry] = [["sent", "t", "k", n] for n in range(5)]
ACKED: list[Entry] = [["acked", "t", "k", n, 0, n] for n in range(5)]
SEEN: list[Entry] = [["seen", "t", 0, n, "k", n, None, None, None] for n in range(5)]


def log_names(sent: list[Entry], seen: list[Entry], duplicates: int = 0) -> set[str]:
    log, violations = read_log(seen)
    return names([*violations, *check_log(Sending.from_entries(sent), log, duplicates=duplicates)])


def seen(*numbers: int) -> list[Entry]:
    return [["seen", "t", 0, offset, "k", number, None, None, None] for offset, number in enumerate(numbers)]


def unplaced(*numbers: int) -> list[Entry]:
    return [["acked", "t", "k", n, 0, None] for n in numbers]


def test_what_is_whole_is_green() -> None:
    assert log_names(SENT + ACKED, SEEN + SEEN) == set()


def test_copies_that_the_client_library_sent_again_are_no_duplicates() -> None:
    log, _ = read_log(seen(0, 1, 2, 1, 2))
    sending = Sending.from_entries([*SENT, ["acked", "t", "k", 2, 0, 4]])
    assert names(check_log(sending, log)) == {"duplicate"}
    resent = {Place("t", 0, 3), Place("t", 0, 4)}
    assert check_log(sending, log, resent=resent) == []
    assert names(check_log(sending, log, resent={Place("t", 0, 3)})) == {"duplicate"}


@pytest.mark.parametrize(
    ("sent", "stored", "expected"),
    [
        (SENT + unplaced(0, 1, 2), seen(0, 2), {"lost-write"}),
        (SENT, seen(0, 2), set()),  # 1 was never acknowledged
        (SENT + unplaced(1), seen(0, 1, 2, 1), {"duplicate"}),
        (SENT, seen(0, 2, 1), {"nonmonotonic-send"}),
        (SENT, seen(0, 9), {"phantom"}),
        (SENT + ACKED[:1], seen(1, 0), {"inconsistent-offsets", "nonmonotonic-send"}),
        (SENT, SEEN + seen(1), {"inconsistent-offsets"}),
        (SENT, [*seen(0), ["seen", "t", 1, 0, "k", 1, None, None, None]], {"split-key"}),
    ],
)
def test_damage_in_the_log_has_a_name(sent: list[Entry], stored: list[Entry], expected: set[str]) -> None:
    assert log_names(sent, stored) == expected


def test_duplicates_are_allowed_by_number() -> None:
    assert log_names(SENT, seen(0, 1, 0, 1), duplicates=2) == set()
    assert log_names(SENT, seen(0, 1, 0, 1), duplicates=1) == {"duplicate"}


@pytest.mark.parametrize(
    ("doubted", "stored", "expected"),
    [
        ([1], [0, 1, 2, 1], set()),
        ([1, 1], [0, 1, 1, 2, 1], set()),
        ([1], [0, 1, 1, 2, 1], {"duplicate"}),  # one producer had it, and it came twice more
        ([1], [0, 1, 2, 0], {"duplicate"}),  # which none had at its end
        ([1], [0, 2, 1], {"nonmonotonic-send"}),
        ([], [0, 1, 0], {"duplicate"}),
    ],
)
def test_where_producers_are_replaced_copies_are_of_what_they_had(
    doubted: list[int], stored: list[int], expected: set[str]
) -> None:
    sending = Sending.from_entries([*SENT, *(["in_doubt", "t", "k", n] for n in doubted)])
    log, _ = read_log(seen(*stored))
    assert names(check_log(sending, log, replaced=True)) == expected
    assert "duplicate" in names(check_log(sending, log)) or len(set(stored)) == len(stored)


S, D, X = "snapshot", "delta", "invalid"


@pytest.mark.parametrize(
    ("book", "refused", "expected"),
    [
        ([(S, 0, 0), (D, 0, 1), (X, 0, 2), (S, 1, 0), (D, 1, 1)], [], set()),
        ([(S, 0, 0), (D, 0, 2)], [], {"hole-in-book"}),
        ([(S, 0, 0), (X, 0, 5), (S, 1, 0)], [], set()),  # nothing of it may be used
        ([(S, 0, 0), (D, 1, 1)], [], {"hole-in-book"}),
        ([(S, 1, 0), (S, 0, 0)], [], {"nonmonotonic-send"}),
        ([(S, 0, 0), (D, 0, 2)], [100], {"hole-in-book"}),
        ([(S, 0, 0), (D, 0, 2)], [0], {"hole-in-book"}),  # refused by Kafka, and never closed
        ([(S, 0, 0), (D, 0, 2), (X, 0, 3)], [0], set()),
    ],
)
def test_a_hole_in_a_book_is_closed_or_red(book: list[Any], refused: list[int], expected: set[str]) -> None:
    numbers = range(len(book))
    log, _ = read_log([["seen", "t", 0, n, "k", n + 1, *book[n]] for n in numbers])
    accepted = [Message("t", "k", n + 1) for n in numbers]
    gone = frozenset(Message("t", "k", n) for n in refused)
    assert names(check_log(Sending(accepted, {}, gone), log)) == expected


def test_the_accounting_is_compared_with_the_journal() -> None:
    sending = Sending.from_entries(SENT + ACKED[:3] + [["refused", "t", "k", 3, "X"], ["refused", "t", "k", 1, "X"]])
    right = {"events": 5, "acknowledged": 3, "failed": 1, "dropped": 1, "in_flight": 0}
    assert check_accounting(sending, {"t": right}) == []
    for name, count in right.items():
        assert names(check_accounting(sending, {"t": right | {name: count + 1}})) == {"accounting"}


PLACES = [Place("t", 0, n) for n in range(4)]


def handled(*offsets: int, who: str = "a") -> list[Entry]:
    return [["handled", who, "t", 0, offset] for offset in offsets]


@pytest.mark.parametrize(
    ("entries", "expected"),
    [
        ([*handled(0, 1), ["commit", "a", "t", 0, 2], *handled(2), ["dead_letter", "a", "t", 0, 3]], set()),
        (handled(0, 1, 3), {"unseen", "poll-skip"}),
        (handled(0, 1, 2), {"unseen"}),
        ([*handled(0, 1), ["revoked", "a", "t", 0], *handled(3), *handled(2, who="b")], set()),
        ([*handled(0), ["commit", "a", "t", 0, 2], *handled(1, 2, 3)], {"commit-ahead"}),
        ([*handled(0), ["committed", "t", 0, 2], *handled(1, 2, 3)], {"commit-ahead"}),
        ([*handled(0, 1, 2, 3), ["commit", "a", "t", 0, 3], ["commit", "a", "t", 0, 2]], {"commit-fell"}),
        (handled(0, 1, 2, 3, 1), {"nonmonotonic-poll", "duplicate"}),
        ([*handled(0, 1, 2, 3), *handled(3, who="b")], {"duplicate"}),
    ],
)
def test_damage_in_the_reading_has_a_name(entries: list[Entry], expected: set[str]) -> None:
    assert names(check_reading(PLACES, entries)) == expected
