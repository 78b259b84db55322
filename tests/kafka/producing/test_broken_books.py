"""When a book that lost a record is asked for again, and what may follow until then; by the clock alone."""

import msgspec
import pytest
from confluent_kafka import KafkaError

from tickwire.events.types import Action
from tickwire.kafka.producing.broken_books import BrokenBooks
from tickwire.kafka.producing.in_flight import IN_MEMORY, InFlight
from tickwire.kafka.producing.ledger import Lane, Stream
from tickwire.records.codec import Record

TOO_LARGE = KafkaError(KafkaError.MSG_SIZE_TOO_LARGE)


def lane(*, is_book: bool = True) -> Lane:
    return Lane(Stream("books", "orderbook", "toy"), "AX", is_book=is_book)


def record(action: Action | None, size: int = 9) -> Record:
    return Record("books", b"toy|A-X", b"-" * size, [], 1, "orderbook", "toy", action)


def asked(books: BrokenBooks, now: float, *, room: bool = True) -> int:
    return len(books.due(now, lambda _: room))


def test_a_book_is_asked_for_once_a_loss_and_only_where_there_is_room() -> None:
    books, one = BrokenBooks(), lane()
    assert not books
    books.add(one)
    assert (bool(books), asked(books, 5.0, room=False), asked(books, 5.0), asked(books, 5.0)) == (True, 0, 1, 0)


def test_two_starts_are_ten_seconds_apart_whatever_is_lost() -> None:
    books, one = BrokenBooks(), lane()
    at = []
    for now in range(40):
        books.lose(one, record("delta"))
        at += [now] * asked(books, now)
    assert at == [0, 10, 20, 30]


def test_refused_records_put_the_next_start_off_longer_each_time_and_calm_forgets_them() -> None:
    books, one = BrokenBooks(), lane()
    waits, now = [], 0.0
    for _ in range(9):
        books.refused(InFlight(one.stream, one, record("delta")), TOO_LARGE, now)
        assert asked(books, now) == 1
        waits.append(one.restart_at - now)
        now = one.restart_at
    assert waits == [10, 20, 40, 80, 160, 320, 600, 600, 600]
    books.refused(InFlight(one.stream, one, record("delta")), TOO_LARGE, now + 1200)
    assert (asked(books, now + 1200), one.restart_at) == (1, now + 1210)
    assert one.stream.failed == 10


def test_records_that_are_refused_together_put_the_next_start_off_as_one_does() -> None:
    """A topic that was deleted refuses all that was in flight; made again, it is to have its books soon."""
    books, one = BrokenBooks(), lane()
    for now in (0.0, 5.0):
        for _ in range(500):
            books.refused(InFlight(one.stream, one, record("delta")), TOO_LARGE, now)
        asked(books, now)
    assert one.restart_at == 10.0
    assert (asked(books, 10.0), one.restart_at) == (1, 30.0)
    assert one.stream.failed == 1000


def test_what_waits_of_a_book_that_another_producer_has_counts_as_replaced() -> None:
    books, one = BrokenBooks(), lane()
    one.gone = True
    books.dropped(InFlight(one.stream, one, record("delta")))
    assert (one.stream.conflated, one.stream.dropped, bool(books)) == (1, 0, False)


@pytest.mark.parametrize(("action", "held"), [("delta", True), ("invalid", False), ("snapshot", False)])
def test_what_may_follow_a_loss_is_the_word_of_it_and_a_new_start(action: Action, held: bool) -> None:
    books, one = BrokenBooks(), lane()
    books.add(one)
    found = record(action)
    assert books.passes(one, found) is (None if held else found)
    assert (one.stream.dropped, one.broken) == (held, action != "snapshot")


def test_a_snapshot_as_large_as_the_one_that_was_refused_is_not_tried_until_the_book_was_asked_for() -> None:
    books, one = BrokenBooks(), lane()
    books.refused(InFlight(one.stream, one, record("snapshot", 100)), TOO_LARGE, 0.0)
    assert [books.passes(one, record("snapshot", size)) is None for size in (100, 99)] == [True, False]
    books.refused(InFlight(one.stream, one, record("snapshot", 100)), TOO_LARGE, 0.0)
    assert asked(books, 30.0) == 1
    assert books.passes(one, record("snapshot", 100)) is not None


@pytest.mark.parametrize("told", [True, False])
def test_of_an_epoch_whose_start_was_lost_nobody_hears_and_the_one_before_ends_with_its_own_word(told: bool) -> None:
    books, one, start, word = BrokenBooks(), lane(), record("snapshot", 5), record("invalid")
    books.began(one, start.value, first=True)
    assert not one.unstarted
    if told:
        books.refused(InFlight(one.stream, one, record("delta")), TOO_LARGE, 0.0)
        assert books.passes(one, word) is word
    else:
        books.lose(one, word)
    assert books.passes(one, start) is start
    books.lose(one, start)
    books.began(one, start.value, first=True)
    later = msgspec.structs.replace(word, timestamp_ms=7)
    assert books.passes(one, later) == (None if told else later)
    assert books.passes(one, later) is None
    assert books.passes(one, start) is start
    books.began(one, start.value, first=True)
    assert (one.broken, one.unstarted, one.owed) == (False, False, None)


def test_a_lost_word_is_said_ahead_of_the_next_snapshot_until_it_has_room() -> None:
    books, one, start, word = BrokenBooks(), lane(), record("snapshot", 5), record("invalid")
    books.lose(one, word)
    at = msgspec.structs.replace(start, timestamp_ms=9)
    owed = books.owed(one, at, first=True)
    assert owed == msgspec.structs.replace(word, timestamp_ms=9)
    books.lose(one, owed)
    books.lose(one, at)
    books.began(one, at.value, first=True)
    assert one.unstarted
    assert [books.owed(one, found, first=False) for found in (record("delta"), word, start, start)] == [
        None,
        None,
        word,
        None,
    ]
    assert one.stream.dropped == 1


def test_a_lost_word_ends_once_as_what_it_becomes() -> None:
    books, one, word = BrokenBooks(), lane(), record("invalid")
    books.lose(one, word)
    assert one.stream.dropped == 0, "it may still be published"
    books.lose(one, record("invalid"))
    assert one.stream.dropped == 1
    assert books.passes(one, record("invalid")) == word
    assert one.stream.dropped == 2, "the new one, in whose place the lost one is published"
    books.lose(one, word)
    books.end([one, lane()])
    assert (one.stream.dropped, one.owed) == (3, None)


def test_an_epoch_whose_start_was_lost_and_that_readers_know_by_a_keyframe_ends_with_its_word() -> None:
    books, one, start, keyframe = BrokenBooks(), lane(), record("snapshot", 5), record("snapshot", 6)
    books.lose(one, start)
    books.began(one, start.value, first=True)
    assert books.passes(one, keyframe) is keyframe
    books.began(one, keyframe.value, first=False)
    books.lose(one, record("delta"))
    word = record("invalid")
    assert books.passes(one, word) is word


def replacing(*words: Record) -> BrokenBooks:
    """Books of which these ended epochs were replaced, one after the other."""
    left = list(words)
    return BrokenBooks(lambda _: left.pop(0) if left else None)


@pytest.mark.parametrize("refused", [True, False])
@pytest.mark.parametrize("keyframe", [True, False])
def test_an_epoch_ends_with_its_word_if_the_snapshot_that_replaced_it_was_lost(keyframe: bool, refused: bool) -> None:
    word, start, later = record("invalid", 3), record("snapshot", 5), record("invalid", 4)
    books, one = replacing(word), lane()
    if not refused:
        books.lose(one, start)
    books.began(one, start.value, first=True)
    if refused:
        books.refused(InFlight(one.stream, one, start), TOO_LARGE, 0.0)
    assert (one.unstarted, one.owed, one.stream.events) == (True, word, 1)
    said = books.owed(one, record("snapshot", 6), first=False) if keyframe else books.passes(one, later)
    assert said == word
    assert one.owed is None


def test_an_epoch_with_a_hole_ends_with_its_word_before_the_snapshot_that_replaces_it() -> None:
    word, start = record("invalid", 3), record("snapshot", 5)
    books, one = replacing(word, record("invalid", 4)), lane()
    books.lose(one, record("delta"))
    assert books.owed(one, record("snapshot"), first=False) is None, "the epoch goes on"
    assert books.owed(one, start, first=True) == word
    assert books.passes(one, start) is start
    books.began(one, start.value, first=True)
    assert (one.owed, one.unstarted, one.stream.events) == (None, False, 1)


def test_of_two_epochs_that_were_lost_only_the_one_that_readers_know_ends_with_a_word() -> None:
    word, unknown, start = record("invalid", 3), record("invalid", 4), record("snapshot", 5)
    books, one = replacing(word, unknown), lane()
    for _ in range(2):
        books.lose(one, start)
        books.began(one, start.value, first=True)
    assert (one.owed, one.stream.events) == (word, 1)
    books.owed(one, start, first=True)
    books.lose(one, start)
    books.began(one, start.value, first=True)
    assert (one.owed, one.stream.events) == (None, 1)


@pytest.mark.parametrize("keyframe", [True, False])
def test_a_start_that_kafka_refuses_is_as_good_as_none_and_a_keyframe_is_no_start(keyframe: bool) -> None:
    books, one, start = BrokenBooks(), lane(), record("snapshot", 5)
    books.began(one, start.value, first=True)
    refused = record("snapshot", 6) if keyframe else start
    books.refused(InFlight(one.stream, one, refused), TOO_LARGE, 0.0)
    assert (books.passes(one, record("invalid")) is not None) is keyframe


def test_what_is_no_book_is_counted_and_nothing_else() -> None:
    books, one = BrokenBooks(), lane(is_book=False)
    books.lose(one, record(None))
    entry = InFlight(one.stream, one, record(None))
    assert entry.place == IN_MEMORY
    books.refused(entry, TOO_LARGE, 0.0)
    assert (one.stream.dropped, one.stream.failed, bool(books)) == (1, 1, False)
