"""Books whose snapshot comes by REST: events are kept, the snapshot has to fit to them, and is asked for again."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from exchanges.kept import BTC, FIRST, Reader, actions, levels, messages, venue
from tickwire.errors import FrameRejected
from tickwire.exchanges.contract import Fetch, Output, Resync
from tickwire.exchanges.kit import BookEvent, BridgedBook, Follows, by_previous, by_range, by_time, spans

FETCH = Fetch(BTC, "/depth", 5, group="books")
RULES = {"ranges": (by_range, None), "previous": (by_previous, spans)}


def bridged(
    follows: Follows = by_range, bridges: Follows | None = None, snapshot: BookEvent | None = None
) -> BridgedBook:
    """A book whose snapshots' bodies are their numbers, unless all are *snapshot*."""
    return BridgedBook(
        messages(), [FETCH], lambda body: snapshot or BookEvent([("50", "1")], [], int(body)), follows, bridges
    )


def change(last: int, first: int, previous: int = -1) -> BookEvent:
    return BookEvent([("49", str(last))], [], last, first, previous)


def fetches(outputs: list[Output]) -> list[Fetch]:
    return [output for output in outputs if isinstance(output, Fetch)]


def test_of_two_events_kept_with_one_number_that_differ_the_first_is_of_no_use() -> None:
    kept = bridged()
    kept.change(change(102, 101), 1)
    kept.change(change(102, 102), 1)  # the number of the one before it was too great by one
    assert fetches(kept.fetched(FETCH, b"100", 2)) != []
    assert actions(kept.fetched(FETCH, b"101", 2)) == [("snapshot", "initial"), ("delta", None)]


@pytest.mark.parametrize("rule", RULES)
@given(data=st.data())
@settings(deadline=None)
def test_whatever_is_lost_doubled_or_late_a_valid_book_is_one_that_the_exchange_had(
    rule: str, data: st.DataObject
) -> None:
    steps = st.tuples(st.integers(1, 3), st.integers(40, 160), st.integers(0, 3))
    exchange = venue(data.draw(st.lists(steps, max_size=14)))
    follows, bridges = RULES[rule]
    kept = BridgedBook(messages(), [FETCH], lambda body: exchange.snapshot(int(body)), follows, bridges)
    reader, waiting = Reader(), list[Fetch]()
    numbers = [FIRST]
    for event in exchange.events:
        numbers.append(event.last)
        for _ in range(data.draw(st.sampled_from([0, 1, 1, 1, 1, 2]))):
            outputs = kept.change(event, 1)
            reader.read(outputs)
            waiting += fetches(outputs)
            if any(isinstance(output, Resync) for output in outputs):
                waiting += fetches(kept.ask())
        answered = data.draw(st.booleans())
        if waiting and answered:
            snapshot = data.draw(st.sampled_from(numbers[-4:]))  # the server that answers may lag behind
            outputs = kept.fetched(waiting.pop(), str(snapshot).encode(), 1)
            reader.read(outputs)
            waiting += fetches(outputs)
        assert levels(reader.book) == levels(kept.current)
        if kept.current is not None:
            assert levels(kept.current) == exchange.states[kept.update_id]


def test_the_first_event_asks_for_the_snapshot_with_all_that_its_request_says() -> None:
    kept = bridged()
    assert kept.change(change(101, 101), 1) == [FETCH]
    assert kept.change(change(102, 102), 1) == []


def test_an_acknowledgement_asks_in_a_while_unless_the_snapshot_is_asked_for_already() -> None:
    kept = bridged()
    assert kept.carried() == [replace(FETCH, delay_s=2.0)]
    kept.change(change(101, 101), 1)
    assert kept.carried() == []


def test_a_snapshot_too_old_for_the_events_is_asked_for_again_ever_later() -> None:
    kept = bridged()
    (fetch,) = fetches(kept.change(change(105, 105), 1))
    delays = []
    for _ in range(7):
        (fetch,) = fetches(kept.fetched(fetch, b"103", 1))
        delays.append(fetch.delay_s)
    assert delays == [0.25, 0.5, 1.0, 2.0, 4.0, 8.0, 8.0]
    assert fetch.why
    assert actions(kept.fetched(fetch, b"104", 1)) == [("snapshot", "initial"), ("delta", None)]


def test_the_first_event_on_a_snapshot_may_have_another_rule_than_those_after_it() -> None:
    """Its range has the snapshot's number in it; only later ones name the event before them."""
    kept = bridged(by_previous, spans)
    (fetch,) = fetches(kept.change(change(103, 101, previous=98), 1))
    kept.change(change(107, 104, previous=103), 1)
    assert actions(kept.fetched(fetch, b"102", 1)) == [("snapshot", "initial"), ("delta", None), ("delta", None)]
    assert actions(kept.change(change(110, 108, previous=107), 1)) == [("delta", None)]
    assert actions(kept.change(change(120, 111, previous=115), 1)) == [("invalid", "gap")]


def test_a_snapshot_that_came_before_any_event_is_bridged_by_the_first_one() -> None:
    kept = bridged(by_previous, spans)
    (fetch,) = fetches(kept.carried())
    kept.fetched(fetch, b"102", 1)
    assert kept.change(change(101, 99, previous=98), 1) == []
    assert actions(kept.change(change(105, 101, previous=100), 1)) == [("delta", None)]


def test_without_numbers_that_follow_only_what_the_snapshot_holds_is_left_out() -> None:
    kept = bridged(by_time)
    (fetch,) = fetches(kept.change(change(101, -1), 1))
    kept.change(change(250, -1), 1)
    assert actions(kept.fetched(fetch, b"200", 1)) == [("snapshot", "initial"), ("delta", None)]
    assert actions(kept.change(change(900, -1), 1)) == [("delta", None)]


def test_a_gap_keeps_its_event_and_asks_for_nothing_before_it_is_time() -> None:
    kept = bridged()
    kept.fetched(FETCH, b"100", 1)
    outputs = kept.change(change(103, 102), 1)
    assert (actions(outputs), outputs[1:]) == ([("invalid", "gap")], [Resync(BTC, "gap")])
    assert kept.change(change(104, 104), 1) == []
    (fetch,) = fetches(kept.ask())
    assert actions(kept.fetched(fetch, b"102", 1)) == [("snapshot", "resync"), ("delta", None), ("delta", None)]


@pytest.mark.parametrize("follows", [by_range, by_previous, by_time])
def test_a_number_that_was_too_great_does_not_make_the_book_stand_still(follows: Follows) -> None:
    kept = bridged(follows)
    kept.change(change(101, 101, 100), 1)
    kept.fetched(FETCH, b"100", 1)
    kept.change(change(909, 102, 101), 2)
    assert kept.change(change(909, 102, 101), 2) == []
    assert actions(kept.change(change(103, 103, 102), 3)) == [("invalid", "gap")]
    assert actions(kept.fetched(FETCH, b"103", 4)) == [("snapshot", "resync")]


@pytest.mark.parametrize("follows", [by_range, by_previous])
def test_a_number_that_was_too_great_does_not_keep_the_book_from_starting(follows: Follows) -> None:
    kept = bridged(follows)
    for event in (change(909, 101, 100), change(102, 102, 101), change(102, 102, 101), change(103, 103, 102)):
        kept.change(event, 1)
    outputs = kept.fetched(FETCH, b"101", 2)
    assert actions(outputs) == [("snapshot", "initial"), ("delta", None), ("delta", None)]


def test_a_wrong_level_in_a_change_is_a_gap_for_the_next_whatever_the_rule() -> None:
    kept = bridged(by_time)
    kept.fetched(FETCH, b"100", 1)
    with pytest.raises(FrameRejected, match="malformed"):
        kept.change(BookEvent([("x", "1")], [], 101), 1)
    assert kept.current is None
    assert actions(kept.change(change(102, -1), 1)) == [("invalid", "gap")]


def test_a_wrong_level_in_a_snapshot_leaves_what_was_kept() -> None:
    kept = bridged(snapshot=BookEvent([("x", "1")], [], 100))
    (fetch,) = fetches(kept.change(change(101, 101), 1))
    with pytest.raises(FrameRejected, match="malformed"):
        kept.fetched(fetch, b"", 1)
    assert kept.current is None


def test_a_hole_in_what_is_kept_throws_away_what_lies_before_it() -> None:
    kept = bridged()
    (fetch,) = fetches(kept.change(change(101, 101), 1))
    kept.change(change(109, 108), 1)
    (fetch,) = fetches(kept.fetched(fetch, b"100", 1))
    assert actions(kept.fetched(fetch, b"107", 1)) == [("snapshot", "initial"), ("delta", None)]


def test_a_clock_set_back_while_the_snapshot_was_on_its_way_is_no_gap() -> None:
    kept = bridged()
    (fetch,) = fetches(kept.change(change(101, 101), 900_000_000))
    kept.change(change(102, 102), 900_000_001)
    kept.change(change(103, 103), 900_000_002)
    assert actions(kept.fetched(fetch, b"102", 5)) == [("snapshot", "initial"), ("delta", None)]
    assert actions(kept.change(change(104, 104), 6)) == [("delta", None)]


def test_a_gap_behind_a_snapshot_leaves_the_events_kept_to_the_next_start() -> None:
    kept = BridgedBook(messages(), [FETCH], lambda body: change(int(body), -1), by_range, reaches=lambda *_: "next")
    (fetch,) = fetches(kept.change(change(103, 103), 1))
    kept.change(change(104, 104), 1)
    assert actions(kept.fetched(fetch, b"101", 1)) == [("snapshot", "initial"), ("invalid", "gap")]
    assert actions(kept.fetched(fetch, b"102", 1)) == [("snapshot", "resync"), ("delta", None), ("delta", None)]
