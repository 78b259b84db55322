"""The commit tracker against a plain model of which records are finished."""

import hypothesis.strategies as st
import pytest
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from tickwire.kafka.consuming.progress import CommitTracker, Progress

PARTITION = ("ticks", 0)


class TrackerMachine(RuleBasedStateMachine):
    """Records of one partition begin in order, finish in any, and the partition is lost and won at any time."""

    def __init__(self) -> None:
        super().__init__()
        self.tracker = CommitTracker()
        self.progress: Progress | None = None
        self.next = 0
        self.unfinished: set[int] = set()
        self.finished: set[int] = set()
        self.stale: list[tuple[Progress, int]] = []
        self.highest_due = 0
        self.committed: int | None = None

    @precondition(lambda self: self.progress is None)
    @rule(position=st.integers(0, 30))
    def win(self, position: int) -> None:
        self.progress = self.tracker.assign(PARTITION, position, self.committed)
        self.next = self.highest_due = position
        self.unfinished.clear()
        self.finished.clear()

    @precondition(lambda self: self.progress is not None)
    @rule()
    def lose(self) -> None:
        assert self.progress is not None
        self.stale += [(self.progress, offset) for offset in self.unfinished]
        self.tracker.lose([PARTITION])
        self.progress = None

    @precondition(lambda self: self.progress is not None)
    @rule(skipped=st.integers(0, 2))
    def begin(self, skipped: int) -> None:
        assert self.progress is not None
        offset = self.next + skipped
        self.progress.begin(offset)
        self.unfinished.add(offset)
        self.next = offset + 1

    @precondition(lambda self: self.progress is not None and self.unfinished)
    @rule(data=st.data())
    def finish(self, data: st.DataObject) -> None:
        assert self.progress is not None
        offset = data.draw(st.sampled_from(sorted(self.unfinished)))
        assert self.progress.finish(offset)
        self.unfinished.remove(offset)
        self.finished.add(offset)

    @precondition(lambda self: self.progress is not None and not self.unfinished)
    @rule(skipped=st.integers(0, 5))
    def skip(self, skipped: int) -> None:
        assert self.progress is not None
        self.next = self.progress.position + skipped
        self.progress.skip(self.next)

    @precondition(lambda self: self.stale)
    @rule()
    def finish_work_of_a_lost_partition(self) -> None:
        progress, offset = self.stale.pop()
        before = self.tracker.due()
        assert not progress.finish(offset)
        assert self.tracker.due() == before

    @rule()
    def commit(self) -> None:
        for partition, offset in self.tracker.due().items():
            assert self.tracker.confirm(partition, offset)
            self.committed = offset
        assert self.tracker.due() == {}

    @invariant()
    def never_passes_an_unfinished_record_and_never_falls(self) -> None:
        if self.progress is None:
            assert self.tracker.due() == {}
            return
        position = self.progress.position
        assert all(offset >= position for offset in self.unfinished)
        assert position >= self.highest_due
        self.highest_due = position

    @invariant()
    def counts_at_least_what_would_come_again(self) -> None:
        if self.progress is not None:
            known = -1 if self.committed is None else self.committed
            assert self.progress.uncommitted >= sum(offset >= known for offset in self.finished)

    @invariant()
    def reaches_everything_that_may_be_committed(self) -> None:
        if self.progress is not None:
            behind = [offset for offset in self.finished if all(offset < other for other in self.unfinished)]
            assert self.progress.position >= max((offset + 1 for offset in behind), default=0)


TestTracker = TrackerMachine.TestCase


def test_records_begin_in_order_only() -> None:
    progress = CommitTracker().assign(PARTITION, 5, None)
    with pytest.raises(ValueError, match="4 begins after 4"):
        progress.begin(4)
    progress.begin(5)
    with pytest.raises(ValueError, match="5 begins after 5"):
        progress.begin(5)


def test_a_start_that_the_group_does_not_know_is_due_at_once() -> None:
    """Otherwise a group that begins at the end and reads nothing would begin at the beginning the next time."""
    tracker = CommitTracker()
    tracker.assign(PARTITION, 100, None)
    tracker.assign(("ticks", 1), 100, 100)
    assert tracker.due() == {PARTITION: 100}


def test_an_answer_for_a_partition_that_is_gone_says_nothing() -> None:
    tracker = CommitTracker()
    tracker.assign(PARTITION, 100, None)
    tracker.lose([PARTITION])
    assert not tracker.confirm(PARTITION, 100)


def test_an_assignment_ends_the_one_before() -> None:
    tracker = CommitTracker()
    first = tracker.assign(PARTITION, 0, None)
    second = tracker.assign(PARTITION, 0, None)
    assert second.ours
    assert not first.ours
