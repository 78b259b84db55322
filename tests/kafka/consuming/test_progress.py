"""The commit tracker against a plain model of which records are finished."""

import hypothesis.strategies as st
import pytest
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from tickwire.kafka.consuming.progress import CommitTracker, Progress

PARTITION = ("ticks", 0)


class TrackerMachine(RuleBasedStateMachine):
    """Records of one partition are finished in order, one or many at a time, and it is lost and won at any time."""

    def __init__(self) -> None:
        super().__init__()
        self.tracker = CommitTracker()
        self.progress: Progress | None = None
        self.finished: set[int] = set()
        self.stale: list[Progress] = []
        self.highest_due = 0
        self.committed: int | None = None

    @precondition(lambda self: self.progress is None)
    @rule(position=st.integers(0, 30))
    def win(self, position: int) -> None:
        self.progress = self.tracker.assign(PARTITION, position, self.committed)
        self.highest_due = position
        self.finished.clear()

    @precondition(lambda self: self.progress is not None)
    @rule()
    def lose(self) -> None:
        assert self.progress is not None
        self.stale.append(self.progress)
        self.tracker.lose([PARTITION])
        self.progress = None

    @precondition(lambda self: self.progress is not None)
    @rule(steps=st.lists(st.integers(1, 3), min_size=1, max_size=4))
    def finish(self, steps: list[int]) -> None:
        """Offsets that have no record are left out."""
        assert self.progress is not None
        last = self.progress.position - 1
        offsets = [last + sum(steps[: at + 1]) for at in range(len(steps))]
        assert self.progress.finish(offsets[-1], len(offsets))
        self.finished.update(offsets)

    @precondition(lambda self: self.progress is not None)
    @rule(skipped=st.integers(0, 5))
    def skip(self, skipped: int) -> None:
        assert self.progress is not None
        self.progress.skip(self.progress.position + skipped)

    @precondition(lambda self: self.stale)
    @rule()
    def finish_work_of_a_lost_partition(self) -> None:
        progress = self.stale.pop()
        before = self.tracker.due()
        assert not progress.finish(progress.position)
        assert self.tracker.due() == before

    @rule()
    def commit(self) -> None:
        for partition, offset in self.tracker.due().items():
            assert self.tracker.confirm(partition, offset)
            self.committed = offset
        assert self.tracker.due() == {}

    @invariant()
    def holds_all_that_is_finished_and_never_falls(self) -> None:
        if self.progress is None:
            assert self.tracker.due() == {}
            return
        position = self.progress.position
        assert position > max(self.finished, default=-1)
        assert position >= self.highest_due
        self.highest_due = position

    @invariant()
    def counts_at_least_what_would_come_again(self) -> None:
        if self.progress is not None:
            known = -1 if self.committed is None else self.committed
            assert self.progress.uncommitted >= sum(offset >= known for offset in self.finished)


TestTracker = TrackerMachine.TestCase


def test_records_are_finished_in_order_only() -> None:
    progress = CommitTracker().assign(PARTITION, 5, None)
    with pytest.raises(ValueError, match="offset 4 is finished after 4"):
        progress.finish(4)
    assert progress.finish(5)
    with pytest.raises(ValueError, match="offset 5 is finished after 5"):
        progress.finish(5)


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
