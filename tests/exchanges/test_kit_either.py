"""Books whose snapshot comes over the socket, or by REST where none does."""

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from exchanges.kept import BTC, FIRST, Reader, actions, levels, messages, venue
from tickwire.events.side import Side
from tickwire.exchanges.contract import Fetch, Output, Resync, Send
from tickwire.exchanges.kit import BookEvent, EitherBook
from tickwire.exchanges.kit.continuity import by_previous, by_range

FETCH = Fetch(BTC, "/depth", 1)
ASKED = replace(FETCH, delay_s=2.0)
AGAIN: list[Output] = [Send(b"again")]


class Way:
    """The bids that changes on the short way are applied to."""

    followed: Side | None = None

    def follow(self, _native: str, _names: object, _symbol: str, _prefix: bytes, bids: Side, *_: object) -> None:
        self.followed = bids

    def leave(self, _native: str) -> None:
        self.followed = None


def either() -> EitherBook:
    """A book whose bodies are the numbers of snapshots."""
    return EitherBook(messages(), [FETCH], lambda body: whole(int(body)), lambda _: AGAIN, by_previous, by_range)


def whole(number: int) -> BookEvent:
    return BookEvent([("50", "1")], [], number)


def change(last: int) -> BookEvent:
    return BookEvent([("49", str(last))], [], last, last, last - 1)


def test_a_snapshot_of_the_socket_is_enough() -> None:
    kept = either()
    assert kept.carried() == []
    assert actions(kept.snapshot(whole(100), 1)) == [("snapshot", "initial")]
    assert actions(kept.change(change(101), 1)) == [("delta", None)]


def test_a_change_without_a_snapshot_asks_for_one_once_and_in_a_while() -> None:
    kept = either()
    assert kept.change(change(101), 1) == [ASKED]
    assert kept.change(change(102), 1) == []
    assert actions(kept.fetched(ASKED, b"101", 1)) == [("snapshot", "initial"), ("delta", None)]


def test_the_socket_is_asked_again_too_where_rest_does_not_give_a_first_snapshot() -> None:
    kept = either()
    kept.change(change(101), 1)
    assert kept.restarting  # so it is pending, and asked for again when that takes too long
    assert kept.ask() == AGAIN
    assert kept.change(change(102), 1) == [ASKED]
    assert actions(kept.snapshot(whole(102), 1)) == [("snapshot", "initial")]
    assert not kept.restarting


def test_a_snapshot_of_the_socket_goes_before_the_one_that_was_asked_for() -> None:
    kept = either()
    kept.change(change(101), 1)
    kept.snapshot(whole(103), 1)
    assert kept.fetched(ASKED, b"101", 1) == []
    assert actions(kept.change(change(104), 1)) == [("delta", None)]
    assert kept.update_id == 104


def test_changes_after_a_snapshot_that_replaces_a_book_are_changes_of_the_new_one_on_the_short_way_too() -> None:
    """As that of the socket, which comes late where REST began the book: keyframes repeat the new one."""
    way: Any = Way()
    rules = by_previous, by_previous
    kept = EitherBook(messages(), [FETCH], lambda body: whole(int(body)), lambda _: AGAIN, *rules, short_way=way)
    for number in (100, 105):
        kept.snapshot(whole(number), 1)
        assert way.followed is None
        kept.change(change(number + 1), 1)
        assert kept.current is not None
        assert way.followed is kept.current.bids


def test_what_came_before_a_snapshot_of_the_socket_is_not_kept() -> None:
    kept = either()
    kept.change(change(101), 1)
    kept.snapshot(whole(103), 1)
    kept.change(change(106), 1)
    kept.ask()
    assert [type(output) for output in kept.fetched(ASKED, b"100", 1)] == [Fetch]
    assert kept.current is None


def test_a_hole_is_mended_over_the_socket_and_by_rest_where_that_brings_none() -> None:
    kept = either()
    kept.snapshot(whole(100), 1)
    assert kept.change(change(103), 1)[-1] == Resync(BTC, "gap")
    assert kept.ask() == AGAIN
    assert kept.restarting
    assert kept.change(change(104), 1) == [ASKED]
    assert actions(kept.fetched(ASKED, b"103", 1)) == [("snapshot", "resync"), ("delta", None)]
    assert not kept.restarting


@given(data=st.data())
@settings(deadline=None)
def test_whatever_is_lost_doubled_or_late_a_valid_book_is_one_that_the_exchange_had(data: st.DataObject) -> None:
    steps = st.tuples(st.integers(1, 3), st.integers(40, 160), st.integers(0, 3))
    exchange = venue(data.draw(st.lists(steps, max_size=14)))
    read = lambda body: exchange.snapshot(int(body))  # noqa: E731 - one line in a test
    kept = EitherBook(messages(), [FETCH], read, lambda _: AGAIN, by_previous, by_range)
    reader, numbers = Reader(), [FIRST]
    waiting: list[Fetch] = []
    for event in exchange.events:
        numbers.append(event.last)
        outputs: list[Output] = []
        for _ in range(data.draw(st.sampled_from([0, 1, 1, 1, 1, 2]))):
            outputs += kept.change(event, 1)
        if any(isinstance(output, Resync) for output in outputs):
            outputs += kept.ask()
        if data.draw(st.integers(0, 3)) == 0:
            outputs += kept.snapshot(exchange.snapshot(event.last), 1)
        waiting += [output for output in outputs if isinstance(output, Fetch)]
        answered = data.draw(st.booleans())
        if waiting and answered:
            outputs += kept.fetched(waiting.pop(), str(data.draw(st.sampled_from(numbers[-4:]))).encode(), 1)
        reader.read(outputs)
        assert levels(reader.book) == levels(kept.current)
        if kept.current is not None:
            assert levels(kept.current) == exchange.states[kept.update_id]
