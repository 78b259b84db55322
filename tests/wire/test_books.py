"""Books over all connections: what leaves them, and when one has been crossed for too long."""

from random import Random
from typing import Any

import msgspec
import pytest

from feed.toy_exchange import symbol
from tickwire.config.feed_config import FeedConfig
from tickwire.events.book import Book
from tickwire.events.types import OrderBook
from tickwire.wire.backoff import Restarts
from tickwire.wire.books import Books, BookState
from tickwire.wire.tally import Tally

A = symbol("A-X")
CROSSED = Book([("3", "1")], [("2", "1")])
RIGHT = Book([("1", "1")], [("2", "1")])


def looks(*books: Book | None) -> list[bool]:
    """What is said when these are seen one after the other, a second apart, and three seconds are too long."""
    state = BookState(A, 25, Restarts(lambda: 0.5))
    said = []
    for now, book in enumerate(books):
        state.book_of = lambda _, book=book: book  # type: ignore[misc]
        said.append(state.stays_crossed(float(now), 3.0))
    return said


def test_sides_that_stay_crossed_are_told_once() -> None:
    assert looks(RIGHT, *[CROSSED] * 8) == [False] * 4 + [True] + [False] * 4


def test_sides_that_cross_for_a_moment_are_not() -> None:
    assert not any(looks(*[CROSSED, CROSSED, RIGHT] * 5))
    assert not any(looks(*[Book([("2", "1")], ()), Book()] * 5))


def test_the_time_begins_with_the_book_and_a_crossed_snapshot_is_how_the_exchange_has_it() -> None:
    assert looks(*[CROSSED] * 4, None, *[CROSSED] * 6) == [False] * 3 + [True] + [False] * 7


def test_after_it_was_right_the_next_time_counts_again() -> None:
    assert sum(looks(*[CROSSED] * 5, None, RIGHT, *[CROSSED] * 5)) == 2


class Chain:
    """The books of a feed on one symbol, and what leaves them."""

    def __init__(self, **settings: Any) -> None:
        self.out: list[OrderBook] = []
        config = FeedConfig(**settings)
        self.books = Books(config, 2, self.out.append, Tally("toy"), Random(1))
        self.books.add([A])
        self.books.opened([A], lambda _: None)

    def take(self, action: Any, *bids: tuple[str, str], reason: Any = None) -> None:
        message = OrderBook(
            action=action, exchange="toy", symbol="A-X", exchange_symbol="AX", depth=None, bids=list(bids), asks=[],
            received_us=1,
        )  # fmt: skip
        if reason is not None:
            message.reason = reason
        self.books.handle(message)

    def said(self) -> list[tuple[Any, ...]]:
        """What left since the last time: action, reason, number in its epoch, bids."""
        said = [(m.action, m.reason or None, m.book_seq, m.bids) for m in self.out]
        self.out.clear()
        return said


def test_nothing_of_a_book_leaves_before_its_snapshot_and_then_every_change() -> None:
    chain = Chain()
    chain.take("delta", ("1", "1"))
    assert chain.said() == []
    chain.take("snapshot", ("1", "1"), ("0.5", "1"), ("0.4", "1"), reason="initial")
    chain.take("delta", ("1", "0"))
    assert chain.said() == [
        ("snapshot", "initial", 0, [("1", "1"), ("0.5", "1"), ("0.4", "1")]),
        ("delta", None, 1, [("1", "0")]),
    ]


def test_in_snapshot_mode_the_best_levels_leave_when_they_change() -> None:
    chain = Chain(orderbook_mode="snapshot", orderbook_depth=2)
    chain.take("snapshot", ("3", "1"), ("2", "1"), ("1", "1"), reason="initial")
    chain.take("delta", ("1", "5"))  # below the best two
    chain.take("delta", ("3", "0"))
    said = chain.said()
    assert [(action, number) for action, _, number, _ in said] == [("snapshot", 0), ("snapshot", 1)]
    assert said[0][3] == [("3", "1"), ("2", "1")]
    assert msgspec.json.decode(said[1][3]) == [["2", "1"], ["1", "5"]]


class Lease:
    """Epochs of a book that may be somebody else's."""

    last = 7
    most = 1 << 60
    may = False

    def may_begin(self, _epoch: int) -> bool:
        return self.may

    def given(self, epoch: int) -> None:
        self.last = epoch


def leased(**settings: Any) -> tuple[Chain, Lease]:
    """A book in step that may not begin yet, and what decides."""
    chain, lease = Chain(**settings), Lease()
    chain.books = Books(FeedConfig(**settings), 2, chain.out.append, Tally("toy"), Random(1), lambda _: lease)
    chain.books.add([A])
    book = Book([("9", "1"), ("8", "1")], [])
    chain.books.opened([A], lambda _: book)
    chain.take("snapshot", ("9", "1"), reason="initial")
    chain.take("delta", ("8", "1"))
    return chain, lease


@pytest.mark.parametrize("mode", ["delta", "snapshot"])
def test_a_book_that_may_not_begin_is_kept_in_step_and_begins_as_it_is_when_it_may(mode: str) -> None:
    chain, lease = leased(orderbook_mode=mode)
    chain.books.begin_held()
    assert chain.said() == []
    lease.may = True
    chain.books.begin_held()
    chain.books.begin_held()
    assert chain.said() == [("snapshot", "initial", 0, [("9", "1"), ("8", "1")])]
    assert lease.last > 7
    chain.take("delta", ("8", "2"))
    assert len(chain.said()) == 1


@pytest.mark.parametrize("end", ["connection", "gap"])
def test_what_is_held_goes_with_its_connection_and_with_its_own_end(end: str) -> None:
    chain, lease = leased()
    if end == "gap":
        chain.take("invalid", reason="gap")
    else:
        chain.books.lost([A])
    lease.may = True
    chain.books.begin_held()
    assert chain.said() == []


def test_a_book_that_may_not_go_on_in_a_new_epoch_is_invalid_and_repeats_nothing() -> None:
    chain, lease = leased(orderbook_keyframe_seconds=1)
    lease.may = True
    chain.books.begin_held()
    lease.may = False
    chain.books.repeat_within(0.0, 0.0)
    chain.books.write_keyframes(1e12)
    chain.take("snapshot", ("5", "1"), reason="resync")
    chain.take("delta", ("4", "1"))
    assert [said[:3] for said in chain.said()] == [("snapshot", "initial", 0), ("invalid", "stale", 1)]
    lease.may = True
    chain.books.begin_held()
    chain.books.repeat_within(0.0, 0.0)
    chain.books.write_keyframes(1e12)
    assert [said[:3] for said in chain.said()] == [("snapshot", "resync", 0), ("snapshot", "keyframe", 1)]


@pytest.mark.parametrize("mode", ["delta", "snapshot"])
def test_a_warm_book_is_in_step_says_nothing_and_begins_above_whoever_had_it(mode: str) -> None:
    chain, lease = leased(orderbook_mode=mode)
    lease.may = True
    chain.books.keep_warm([A])
    chain.take("delta", ("8", "3"))
    chain.books.begin_held()
    assert (chain.said(), chain.books.troubles.account()) == ([], {})
    lease.last = 1 << 50  # what another member promised
    chain.books.keep_warm([])
    chain.books.begin_held()
    assert chain.said() == [("snapshot", "initial", 0, [("9", "1"), ("8", "1")])]
    assert lease.last > 1 << 50
    assert list(chain.books.troubles.account()) == ["A-X"]


def test_a_book_that_is_handed_over_is_invalid_and_stays_warm() -> None:
    chain, lease = leased()
    lease.may = True
    chain.books.begin_held()
    chain.books.keep_warm([A])
    chain.take("delta", ("8", "3"))
    assert [said[:3] for said in chain.said()] == [("snapshot", "initial", 0), ("invalid", "disconnect", 1)]
    chain.books.keep_warm([A])
    chain.books.keep_warm([])
    chain.books.begin_held()
    assert [said[:3] for said in chain.said()] == [("snapshot", "resync", 0)]


def test_a_lost_connection_makes_its_books_invalid_once() -> None:
    chain = Chain()
    chain.books.lost([A])
    assert chain.said() == []
    chain.take("snapshot", ("1", "1"), reason="initial")
    chain.books.lost([A])
    chain.books.lost([A])
    assert [said[:3] for said in chain.said()] == [("snapshot", "initial", 0), ("invalid", "disconnect", 1)]
    assert chain.books.valid([A]) == []


def test_the_last_trouble_is_the_accounts_and_leaving_is_none() -> None:
    chain = Chain()
    chain.take("snapshot", ("1", "1"), reason="initial")
    chain.books.left([A])
    assert chain.books.troubles.account()["A-X"]["troubles"] == 0
    chain.take("snapshot", ("1", "1"), reason="initial")
    chain.take("invalid", reason="gap")
    account = chain.books.troubles.account()["A-X"]
    assert (account["state"], account["troubles"], account["last_reason"]) == ("resyncing", 1, "gap")
