"""Books whose snapshot is asked for over the socket: against states of an exchange, however late the answer comes."""

import pytest

from exchanges.kept import BTC, FIRST, Reader, actions, levels, messages, venue
from tickwire.exchanges.contract import Output, Resync, Send, Subscribed
from tickwire.exchanges.kit import BookEvent, RequestedBook, by_previous

QUESTION = b"?"
STEPS = [(2, 50, 2), (1, 51, 3), (4, 150, 0), (1, 149, 5), (2, 51, 0)]


def made() -> RequestedBook:
    return RequestedBook(BTC, messages(), QUESTION, by_previous)


def asked(outputs: list[Output]) -> list[float]:
    """After how many seconds something is asked, each time."""
    return [output.delay_s for output in outputs if isinstance(output, Send) and output.payload == QUESTION]


@pytest.mark.parametrize("early", range(len(STEPS) + 1))
@pytest.mark.parametrize("behind", range(len(STEPS) + 1))
def test_a_reader_has_the_exchanges_book_whenever_the_answer_comes_and_whatever_it_holds(
    early: int, behind: int
) -> None:
    exchange, kept, reader = venue(STEPS), made(), Reader()
    numbers = [FIRST, *(event.last for event in exchange.events)]
    for event in exchange.events[:early]:
        reader.read(kept.change(event, 1))
    reader.read(kept.snapshot(exchange.snapshot(numbers[min(behind, early)]), 1))
    for event in exchange.events[early:]:
        reader.read(kept.change(event, 1))
    assert levels(reader.book) == exchange.states[numbers[-1]] == levels(kept.book)
    assert reader.sequence == numbers[-1]


def test_it_is_asked_once_when_the_subscription_is_carried_or_at_the_first_change() -> None:
    first, second = venue(STEPS).events[:2]
    kept = made()
    assert [asked(kept.carried()), asked(kept.change(first, 1)), asked(kept.carried())] == [[0.0], [], []]
    kept = made()
    assert [asked(kept.change(first, 1)), asked(kept.change(second, 1)), asked(kept.carried())] == [[0.0], [], []]


def test_an_answer_that_is_too_old_is_asked_for_again_ever_later() -> None:
    exchange, kept = venue(STEPS), made()
    kept.change(exchange.events[1], 1)
    delays = [asked(kept.snapshot(exchange.snapshot(FIRST), 1)) for _ in range(3)]
    assert delays == [[0.25], [0.5], [1.0]]
    assert kept.book is None


def test_an_answer_between_two_changes_fits_none_of_them() -> None:
    exchange, kept = venue([(4, 50, 2)]), made()
    kept.change(exchange.events[0], 1)
    between = BookEvent([("50", "1")], [], FIRST + 2)
    assert asked(kept.snapshot(between, 1)) == [0.25]


def test_a_book_that_waits_for_its_answer_says_so_and_one_that_has_started_ignores_another() -> None:
    exchange, kept = venue(STEPS), made()
    kept.change(exchange.events[0], 1)
    assert kept.restarting
    kept.snapshot(exchange.snapshot(FIRST), 1)
    assert not kept.restarting
    assert kept.snapshot(exchange.snapshot(FIRST), 1) == []
    assert levels(kept.book) == exchange.states[FIRST + 2]


def test_a_hole_gives_the_book_up_and_keeps_what_comes_after() -> None:
    exchange, kept = venue(STEPS), made()
    kept.snapshot(exchange.snapshot(FIRST), 1)
    outputs = kept.change(exchange.events[1], 1)
    assert actions(outputs) == [("invalid", "gap")]
    assert Resync(BTC, "gap") in outputs
    assert asked(kept.change(exchange.events[2], 1)) == []  # not before it is time
    assert asked(kept.ask()) == [0.0]
    assert actions(kept.snapshot(exchange.snapshot(FIRST + 2), 1)) == [
        ("snapshot", "resync"),
        ("delta", None),
        ("delta", None),
    ]
    assert levels(kept.book) == exchange.states[FIRST + 7]


def test_nothing_is_fetched() -> None:
    kept = made()
    outputs = [*kept.carried(), *kept.change(venue(STEPS).events[0], 1)]
    assert {type(output) for output in outputs} <= {Send, Subscribed}
