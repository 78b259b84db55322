"""Books that start on the socket: true or not there, whatever is lost, doubled or late; a snapshot replaces."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from exchanges.kept import BTC, FIRST, Reader, actions, levels, messages, venue
from tickwire.errors import FrameRejected
from tickwire.events.book import Book
from tickwire.events.levels import decode_levels
from tickwire.events.types import Level, OrderBook
from tickwire.exchanges.contract import Output, Resync, Send, Symbol
from tickwire.exchanges.kit import BookEvent, Follows, StreamedBook, WholeBook, by_previous, by_range, by_step


def again(symbol: Symbol) -> list[Output]:
    return [Send(symbol.native.encode())]


def streamed(follows: Follows = by_range, *, cut: bool = False) -> StreamedBook:
    return StreamedBook(BTC, messages(), again, follows=follows, cut=cut)


def checked() -> StreamedBook:
    """A book whose checksum is the number of its bids."""
    return StreamedBook(BTC, messages(), again, checksum=lambda book: len(book.bids.top()))


def started(kept: StreamedBook, last: int = FIRST) -> StreamedBook:
    kept.snapshot(BookEvent([("50", "1"), ("49", "2")], [("150", "1")], last), 1)
    return kept


steps = st.tuples(st.integers(1, 3), st.integers(40, 160), st.integers(0, 3))
single = st.tuples(st.just(1), st.integers(40, 160), st.integers(0, 3))
copies = st.sampled_from([0, 1, 1, 1, 1, 2])  # how often an event arrives


@pytest.mark.parametrize("follows", [by_range, by_previous, by_step])
@given(data=st.data())
@settings(deadline=None)
def test_whatever_is_lost_or_doubled_a_valid_book_is_one_that_the_exchange_had(
    follows: Follows, data: st.DataObject
) -> None:
    exchange = venue(data.draw(st.lists(single if follows is by_step else steps, max_size=12)))
    kept, reader, number = streamed(follows), Reader(), FIRST
    reader.read(kept.snapshot(exchange.snapshot(FIRST), 1))
    for event in exchange.events:
        number = event.last
        for _ in range(data.draw(copies)):
            outputs = kept.change(event, 1)
            reader.read(outputs)
            if any(isinstance(output, Resync) for output in outputs) and data.draw(st.booleans()):
                reader.read(kept.snapshot(exchange.snapshot(number), 1))
            if kept.current is not None:
                assert kept.update_id == number
                assert levels(kept.current) == exchange.states[number]
            assert levels(reader.book) == levels(kept.current)


def test_a_snapshot_replaces_the_book_asked_for_or_not() -> None:
    kept = started(streamed())
    (message,) = kept.snapshot(BookEvent([("60", "5")], [], 7), 2)
    assert isinstance(message, OrderBook)
    assert (message.action, message.reason, message.bids, message.asks) == ("snapshot", "resync", [("60", "5")], [])
    assert levels(kept.current) == ([("60", "5")], [])


def test_a_gap_gives_the_book_up_and_nothing_leaves_before_its_next_snapshot() -> None:
    kept = started(streamed())
    outputs = kept.change(BookEvent([("51", "1")], [], 103, 102), 2)
    assert actions(outputs) == [("invalid", "gap")]
    assert isinstance(outputs[0], OrderBook)
    assert (outputs[0].sequence, outputs[1:]) == (FIRST, [Resync(BTC, "gap")])
    assert kept.current is None
    assert kept.change(BookEvent([], [], 104, 104), 2) == []
    assert (kept.ask(), kept.restarting) == ([Send(b"BTCUSD")], True)
    assert actions(kept.snapshot(BookEvent([], [], 104), 3)) == [("snapshot", "resync")]
    assert not kept.restarting


def test_a_change_with_which_numbers_begin_again_replaces_where_it_is_all_of_the_book() -> None:
    kept = started(streamed(by_step))
    bids, asks = [("7", "1"), ("6", "1")], [("9", "1")]
    assert actions(kept.change(BookEvent(bids, asks, 1), 2)) == [("snapshot", "resync")]
    assert levels(kept.current) == (bids, asks)
    assert actions(kept.change(BookEvent([], [("8", "1")], 2), 2)) == [("delta", None)]


@pytest.mark.parametrize("bids", [[("7", "1")], [("7", "1"), ("6", "0")]])
def test_a_change_with_which_numbers_begin_again_is_a_gap_where_it_is_a_few_levels(bids: list[Level]) -> None:
    kept = started(streamed(by_step))
    assert actions(kept.change(BookEvent(bids, [("9", "1")], 1), 2)) == [("invalid", "gap")]
    assert kept.current is None


def test_the_snapshot_that_began_the_book_does_not_replace_what_came_of_it() -> None:
    """A line that says things twice may do so late; another snapshot with this number, which is of now, replaces."""
    kept = streamed()
    first = BookEvent([("50", "1")], [("150", "1")], FIRST, exchange_us=7)
    assert actions(kept.snapshot(first, 1)) == [("snapshot", "initial")]
    assert actions(kept.snapshot(first, 1)) == [("snapshot", "resync")]
    assert actions(kept.change(BookEvent([("51", "1")], [], 101, 101), 2)) == [("delta", None)]
    assert kept.snapshot(first, 3) == []
    assert actions(kept.change(BookEvent([("52", "1")], [], 102, 102), 4)) == [("delta", None)]
    assert actions(kept.snapshot(BookEvent([("9", "1")], [], FIRST, exchange_us=8), 5)) == [("snapshot", "resync")]
    kept.restart("gap", 6)
    assert actions(kept.snapshot(first, 7)) == [("snapshot", "resync")]


def test_a_change_from_before_the_snapshot_and_the_last_one_once_more_are_ignored() -> None:
    kept = started(streamed())
    assert kept.change(BookEvent([("51", "1")], [], 99, 98), 2) == []
    assert levels(kept.current) == ([("50", "1"), ("49", "2")], [("150", "1")])
    for expected in ([("delta", None)], []):
        assert actions(kept.change(BookEvent([("51", "1")], [], 101, 101), 2)) == expected


def test_where_events_count_by_one_none_has_the_number_of_the_snapshot_and_the_last_one_may_come_twice() -> None:
    kept = started(streamed(by_step))
    assert actions(kept.change(BookEvent([("51", "1")], [], FIRST), 2)) == [("invalid", "gap")]
    kept = started(streamed(by_step))
    for expected in ([("delta", None)], []):
        assert actions(kept.change(BookEvent([("51", "1")], [], 101), 2)) == expected


def test_a_change_with_the_last_ones_number_that_says_something_else_is_a_hole() -> None:
    """The number of the one before it was too great by one."""
    kept = started(streamed())
    kept.change(BookEvent([("51", "1")], [], 102, 101), 2)
    assert kept.change(BookEvent([("51", "1")], [], 102, 101), 3) == []
    assert actions(kept.change(BookEvent([], [("140", "1")], 102, 102), 4)) == [("invalid", "gap")]


def test_a_number_that_was_too_great_does_not_make_the_book_stand_still() -> None:
    kept = started(streamed())
    kept.change(BookEvent([("51", "1")], [], 901, 101), 2)
    assert actions(kept.change(BookEvent([("52", "1")], [], 102, 102), 2)) == [("invalid", "gap")]


def test_a_snapshots_number_that_was_too_great_does_not_for_long() -> None:
    kept = started(streamed(), 900)
    assert kept.change(BookEvent([("51", "1")], [], 101, 101), 5_000_000) == []
    assert actions(kept.change(BookEvent([("51", "1")], [], 102, 102), 15_000_000)) == [("invalid", "gap")]


def test_a_wrong_checksum_gives_the_book_up_in_a_snapshot_too() -> None:
    kept = checked()
    assert actions(kept.snapshot(BookEvent([("5", "1")], [], crc=1), 1)) == [("snapshot", "initial")]
    assert actions(kept.change(BookEvent([("4", "1")], [], crc=2), 1)) == [("delta", None)]
    assert actions(kept.change(BookEvent([("3", "1")], [], crc=2), 1)) == [("invalid", "checksum")]
    assert kept.snapshot(BookEvent([("5", "1")], []), 1) == [Resync(BTC, "checksum")]
    assert kept.current is None


def test_a_change_that_cannot_be_read_puts_the_book_in_doubt_until_what_comes_next() -> None:
    kept = started(streamed())
    with pytest.raises(FrameRejected, match="malformed"):
        kept.change(BookEvent([("51", "1"), ("x", "1")], [], 101, 101), 2)
    assert kept.current is None
    outputs = kept.change(BookEvent([], [], 102, 102), 2)
    assert (actions(outputs), outputs[1:]) == ([("invalid", "gap")], [Resync(BTC, "gap")])


def test_a_snapshot_that_cannot_be_read_is_asked_for_again_at_what_comes_next() -> None:
    kept = streamed()
    with pytest.raises(FrameRejected, match="malformed"):
        kept.snapshot(BookEvent([("x", "1")], [], 101), 2)
    assert kept.change(BookEvent([], [], 102, 102), 2) == [Resync(BTC, "gap")]


def test_a_book_that_is_cut_keeps_the_promised_depth_and_says_what_leaves() -> None:
    kept = streamed(cut=True)
    kept.promise(2)
    kept.snapshot(BookEvent([("3", "1"), ("2", "1"), ("1", "1")], [], FIRST), 1)
    assert levels(kept.current) == ([("3", "1"), ("2", "1")], [])
    (delta,) = kept.change(BookEvent([("4", "1")], [], 101, 101), 1)
    assert isinstance(delta, OrderBook)
    assert (delta.bids, delta.depth) == ([("4", "1"), ("2", "0")], 2)


def test_a_restart_for_a_reason_of_ours_says_invalid_once() -> None:
    kept = started(streamed())
    assert actions(kept.restart("stale", 2)) == [("invalid", "stale")]
    assert kept.restart("stale", 2) == [Resync(BTC, "stale")]


sides = st.dictionaries(st.integers(1, 12), st.sampled_from(["1", "1.0", "2"]), max_size=8)


@given(wholes=st.lists(st.tuples(sides, sides), min_size=1, max_size=6))
@settings(deadline=None)
def test_differences_of_whole_books_make_a_reader_follow_every_one(
    wholes: list[tuple[dict[int, str], dict[int, str]]],
) -> None:
    kept, reader = WholeBook(BTC, messages(), again), Reader()
    for bids, asks in wholes:
        now = [(str(price), size) for price, size in bids.items()], [(str(price), size) for price, size in asks.items()]
        outputs = kept.whole(BookEvent(*now), 1)
        reader.read(outputs)
        assert levels(kept.current) == levels(reader.book) == levels(Book(*now))
    assert {message.action for message in outputs if isinstance(message, OrderBook)} <= {"snapshot", "delta"}


class TestWhole:
    def test_the_first_message_is_the_snapshot_and_each_later_one_its_difference(self) -> None:
        kept = WholeBook(BTC, messages(), again)
        assert actions(kept.whole(BookEvent([("5", "1"), ("4", "1")], []), 1)) == [("snapshot", "initial")]
        (delta,) = kept.whole(BookEvent([("5", "1"), ("3", "2")], []), 1)
        assert isinstance(delta, OrderBook)
        decode_levels(delta)
        assert (delta.action, delta.bids, delta.asks) == ("delta", [("4", "0"), ("3", "2")], [])

    def test_a_message_that_cannot_be_read_changes_nothing(self) -> None:
        kept = WholeBook(BTC, messages(), again)
        kept.whole(BookEvent([("5", "1")], []), 1)
        with pytest.raises(FrameRejected, match="malformed"):
            kept.whole(BookEvent([("4", "1")], [("x", "1")]), 1)
        assert levels(kept.current) == ([("5", "1")], [])

    def test_a_restarted_book_starts_with_the_next_message(self) -> None:
        kept = WholeBook(BTC, messages(), again)
        kept.whole(BookEvent([("5", "1")], []), 1)
        assert actions(kept.restart("overflow", 1)) == [("invalid", "overflow")]
        assert kept.ask() == [Send(b"BTCUSD")]
        assert actions(kept.whole(BookEvent([("5", "1")], []), 1)) == [("snapshot", "resync")]
        assert not kept.restarting


def test_a_snapshot_that_comes_behind_changes_is_asked_for_again_where_nothing_numbers_them() -> None:
    kept, numbered = StreamedBook(BTC, messages(), again), streamed()
    for book in (kept, numbered):
        book.change(BookEvent([("51", "1")], [], 101, 101), 1)
    assert kept.snapshot(BookEvent([("50", "1")], []), 2) == [Resync(BTC, "gap")]
    assert actions(numbered.snapshot(BookEvent([("50", "1")], [], 101), 2)) == [("snapshot", "initial")]
    kept.ask()
    kept.change(BookEvent([("51", "1")], []), 3)  # of the subscription that ended
    assert actions(kept.snapshot(BookEvent([("50", "1")], []), 4)) == [("snapshot", "initial")]


def test_changes_without_a_snapshot_ask_for_it_once_it_counts_as_lost() -> None:
    kept = streamed()
    assert kept.change(BookEvent([], [], 101, 101), 1_000_000) == []
    assert kept.change(BookEvent([], [], 102, 102), 2_999_999) == []
    assert kept.change(BookEvent([], [], 103, 103), 3_000_000) == [Resync(BTC, "gap")]
    kept.ask()
    assert kept.change(BookEvent([], [], 104, 104), 9_000_000) == []
