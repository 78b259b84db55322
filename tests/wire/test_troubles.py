"""What is told of books that are not whole, and what the account of them says."""

from collections.abc import Callable
from typing import Any

import pytest

from tickwire.exchanges.contract import Symbol
from tickwire.wire import troubles
from tickwire.wire.troubles import Troubles

A, B = Symbol("A-X", "AX"), Symbol("B-X", "BX")


class Clock:
    """The time, as the test sets it."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    made = Clock()
    monkeypatch.setattr(troubles, "monotonic", made)
    monkeypatch.setattr(troubles, "time", made)
    return made


@pytest.fixture
def lines(caplog: pytest.LogCaptureFixture) -> Callable[[], list[Any]]:
    """The arguments of every line since the last time."""

    def take() -> list[Any]:
        found = [record.args for record in caplog.records]
        caplog.clear()
        return found

    return take


def toy_troubles(*symbols: Symbol) -> Troubles:
    made = Troubles("toy")
    for symbol in symbols:
        made.add(symbol)
    return made


def test_a_break_and_its_end_are_a_line_each(clock: Clock, lines: Callable[[], list[Any]]) -> None:
    books = toy_troubles(A, B)
    books.whole(A)
    assert lines() == []
    books.broke(A, "gap")
    assert lines() == [("toy", "AX", "gap", 0)]
    clock.now += 2.5
    books.whole(A)
    assert lines() == [("toy", "AX", "gap", 2.5)]
    assert books.account()["A-X"] == {
        "state": "valid", "since": "1970-01-01T00:16:42.500+00:00", "troubles": 1, "last_reason": "gap",
        "last_seconds": 2.5, "detail": "",
    }  # fmt: skip


def test_breaks_of_one_book_within_a_minute_are_counted_and_told_with_the_next(
    clock: Clock, lines: Callable[[], list[Any]]
) -> None:
    books = toy_troubles(A, B)
    for _ in range(30):
        books.broke(A, "checksum")
        books.whole(A)
        clock.now += 1
    assert len(lines()) == 2
    books.broke(B, "gap")
    assert lines() == [("toy", "BX", "gap", 0)]
    clock.now += 60
    books.broke(A, "gap")
    assert lines() == [("toy", "AX", "gap", 29)]
    assert books.account()["A-X"]["troubles"] == 31


def test_a_book_that_stays_broken_is_told_again_at_growing_intervals(
    clock: Clock, lines: Callable[[], list[Any]]
) -> None:
    books = toy_troubles(A)  # whose first snapshot never comes
    start, told = clock.now, []
    books.note(A, "status 400: no")
    while clock.now < start + 3600:
        clock.now += 1
        books.look(clock.now)
        if lines():
            told.append(clock.now - start)
    assert told == [10, 20, 40, 80, 160, 320, 640, 1240, 1840, 2440, 3040]
    account = books.account()["A-X"]
    assert (account["state"], account["last_reason"], account["detail"]) == ("resyncing", "initial", "status 400: no")
    books.whole(A)
    assert lines() == [("toy", "AX", "initial", 3600.0)]
    books.look(clock.now + 3600)
    assert lines() == []


def test_many_books_that_are_broken_are_one_line(clock: Clock, lines: Callable[[], list[Any]]) -> None:
    books = toy_troubles(*(Symbol(f"S{i}-X", f"S{i}X") for i in range(400)))
    clock.now += 11
    books.look(clock.now)
    ((exchange, count, which),) = lines()
    assert (exchange, count) == ("toy", 400)
    assert len(which) < 400


@pytest.mark.parametrize("reason", ["disconnect", "refused"])
def test_what_has_a_line_of_its_own_already_is_not_told_twice(
    clock: Clock, lines: Callable[[], list[Any]], reason: str
) -> None:
    books = toy_troubles(A)
    books.whole(A)
    books.broke(A, reason)
    clock.now += 11
    assert lines() == []
    books.look(clock.now)
    assert len(lines()) == (0 if reason == "refused" else 1)  # but a disconnection that lasts is


def test_the_reason_is_that_of_the_last_try(clock: Clock) -> None:
    books = toy_troubles(A)
    books.note(A, "", "checksum")
    assert books.account()["A-X"]["last_reason"] == "checksum"
    books.whole(A)
    books.note(A, "too late", "gap")
    account = books.account()["A-X"]
    assert (account["last_reason"], account["troubles"], account["detail"]) == (None, 0, "")
