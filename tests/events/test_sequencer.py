"""A reader's proof that no book message is missing: epochs grow, book_seq has no hole, invalid ends the book."""

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from tickwire.events.book import Book
from tickwire.events.sequencer import Sequencer
from tickwire.events.types import Action, OrderBook

BOOK = Book([("100.0", "1"), ("99.0", "2")], [("101.0", "3"), ("102.0", "4")])


def message(action: Action, received_us: int = 1, reason: str = "resync") -> OrderBook:
    return OrderBook(
        action=action,
        exchange="x",
        symbol="BTC-USD",
        exchange_symbol="BTC/USD",
        depth=10,
        bids=BOOK.bids.top(),
        asks=[],
        reason=reason,
        sequence=7,
        received_us=received_us,
    )


class Stream(RuleBasedStateMachine):
    """Whatever may be asked of a sequencer, in any order, over clocks that jump; a reader checks all it gives."""

    def __init__(self) -> None:
        super().__init__()
        self.sequencer = Sequencer()
        self.out: list[OrderBook] = []
        self.connections = 0
        self.fresh = True

    def read(self, said: OrderBook | None) -> None:
        """Check one message as a consumer would."""
        if said is None:
            return
        last = self.out[-1] if self.out else None
        if said.book_seq == 0:
            assert said.action == "snapshot"
            assert said.reason in {"initial", "reconnect", "resync"}
            assert last is None or said.epoch > last.epoch
        else:
            assert last is not None
            assert last.action != "invalid"
            assert (said.epoch, said.book_seq) == (last.epoch, last.book_seq + 1)
        self.out.append(OrderBook(**{name: getattr(said, name) for name in said.__struct_fields__}))

    @initialize()
    def first(self) -> None:
        self.sequencer.connection_opened()

    @rule(now=st.integers(0, 10**15))
    def snapshot(self, now: int) -> None:
        replaces = self.out[-1] if self.sequencer.valid else None
        said = self.sequencer.stamp(message("snapshot", now))
        assert said is not None
        words = [self.sequencer.replaced(), self.sequencer.replaced()]
        told = [(w.action, w.reason, w.epoch, w.book_seq, w.received_us) for w in words if w]
        assert told == ([("invalid", "overflow", replaces.epoch, replaces.book_seq + 1, now)] if replaces else [])
        assert said.reason == ("resync" if not self.fresh else "reconnect" if self.connections else "initial")
        if self.fresh:
            self.connections, self.fresh = self.connections + 1, False
        assert said.epoch >= now // 1000
        self.read(said)

    @rule(now=st.integers(0, 10**15))
    def delta(self, now: int) -> None:
        self.read(self.sequencer.stamp(message("delta", now)))

    @rule(now=st.integers(0, 10**15))
    def invalid_of_the_adapter(self, now: int) -> None:
        self.read(self.sequencer.stamp(message("invalid", now, "gap")))

    @rule(now=st.integers(0, 10**15))
    def invalid_of_the_feed(self, now: int) -> None:
        self.read(self.sequencer.invalidate("disconnect", now))

    @rule(now=st.integers(0, 10**15))
    def keyframe(self, now: int) -> None:
        said = self.sequencer.keyframe(BOOK, now)
        assert said is None or (said.action, said.reason) == ("snapshot", "keyframe")
        self.read(said)

    @rule(depth=st.integers(1, 3))
    def update(self, depth: int) -> None:
        said = self.sequencer.update(message("delta"), BOOK.bids.top(depth), BOOK.asks.top(depth), depth)
        assert said is None or (said.reason, said.depth, said.bids) == ("update", depth, BOOK.bids.top(depth))
        self.read(said)

    @rule()
    def reconnect(self) -> None:
        self.read(self.sequencer.invalidate("disconnect", 1))
        self.sequencer.connection_opened()
        self.fresh = True

    @invariant()
    def validity_is_what_the_reader_saw(self) -> None:
        assert self.sequencer.valid is bool(self.out and self.out[-1].action != "invalid")


TestStream = Stream.TestCase
TestStream.settings = settings(max_examples=80, stateful_step_count=30, deadline=None)


@pytest.mark.parametrize("action", ["delta", "invalid"])
def test_nothing_goes_out_before_the_first_snapshot(action: Action) -> None:
    sequencer = Sequencer()
    assert sequencer.stamp(message(action)) is None
    assert sequencer.invalidate("disconnect", 1) is None
    assert sequencer.keyframe(BOOK, 1) is None
    assert sequencer.update(message("delta"), [], [], 1) is None


def test_an_epoch_is_the_milliseconds_of_its_start() -> None:
    said = Sequencer().stamp(message("snapshot", 1_700_000_000_123_456))
    assert said is not None
    assert said.epoch == 1_700_000_000_123


def test_an_epoch_grows_though_the_clock_stands() -> None:
    sequencer = Sequencer()
    epochs = [m.epoch for m in (sequencer.stamp(message("snapshot", 5_000)) for _ in range(3)) if m]
    assert epochs == [5, 6, 7]


def test_an_epoch_is_above_those_of_earlier_runs_though_the_clock_was_set_back() -> None:
    sequencer = Sequencer(last_epoch=9)
    assert sequencer.epoch == 0  # nothing has begun
    epochs = [m.epoch for m in (sequencer.stamp(message("snapshot", at)) for at in (5_000, 6_000, 20_000)) if m]
    assert epochs == [10, 11, 20]


def test_a_keyframe_has_the_whole_book_and_the_last_numbers_of_the_exchange() -> None:
    sequencer = Sequencer()
    sequencer.stamp(message("snapshot", 1_000))
    said = sequencer.keyframe(BOOK, 9_000)
    assert said is not None
    assert (said.bids, said.asks) == (BOOK.bids.top(), BOOK.asks.top())
    assert (said.sequence, said.received_us, said.epoch, said.book_seq) == (7, 9_000, 1, 1)


def test_of_a_snapshot_that_may_not_begin_an_epoch_nothing_was_replaced() -> None:
    permitted = [True, False]
    sequencer = Sequencer(may=lambda _: permitted.pop(0))
    assert sequencer.stamp(message("snapshot"))
    assert sequencer.stamp(message("snapshot")) is None
    assert sequencer.replaced() is None
