"""What may be asked within the windows that an exchange counts by."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tickwire.exchanges.contract import Limit
from tickwire.wire.budget import WeightBudget

WINDOW_S = 60.0

requests = st.lists(st.tuples(st.integers(1, 60), st.floats(0, 30)), min_size=1, max_size=60)


def run(budget: WeightBudget, wanted: list[tuple[int, float]], start: float = 1000.0) -> list[tuple[float, int]]:
    """Let each request leave as early as the budget says, but not before its pause; give times and weights."""
    now, left = start, []
    for weight, pause in wanted:
        now += pause
        for _ in range(100):
            wait = budget.wait_s(weight, now)
            if not wait:
                break
            now += wait
        assert budget.wait_s(weight, now) == 0, "waiting as told must lead to a turn"
        budget.spend(weight, now)
        left.append((now, weight))
    return left


@given(requests)
def test_no_minute_holds_more_than_the_limit(wanted: list[tuple[int, float]]) -> None:
    left = run(WeightBudget([Limit(100, WINDOW_S)]), wanted)
    for end, _ in left:
        assert sum(weight for at, weight in left if end - WINDOW_S + 1e-6 < at <= end) <= 100


@given(requests)
def test_nothing_waits_while_there_is_room(wanted: list[tuple[int, float]]) -> None:
    total = sum(weight for weight, _ in wanted)
    left = run(WeightBudget([Limit(total, WINDOW_S)]), wanted)
    assert left[-1][0] == pytest.approx(1000.0 + sum(pause for _, pause in wanted))


def test_a_request_waits_just_until_enough_has_been_forgotten() -> None:
    budget = WeightBudget([Limit(100, WINDOW_S)])
    budget.spend(40, 0.0)
    budget.spend(40, 10.0)
    budget.spend(20, 20.0)
    assert budget.wait_s(30, 20.0) == 40.0
    assert budget.wait_s(50, 20.0) == 50.0
    assert budget.wait_s(30, 60.0) == 0.0


def test_what_can_wait_leaves_a_part_of_the_limit_to_others() -> None:
    budget = WeightBudget([Limit(100, WINDOW_S)])
    budget.spend(20, 0.0)
    budget.spend(20, 10.0)
    assert budget.wait_s(20, 10.0, share=0.5) == 50.0
    assert budget.wait_s(20, 10.0, share=0.75) == budget.wait_s(60, 10.0) == 0.0
    assert budget.wait_s(20, 60.0, share=0.5) == 0.0


def test_a_request_heavier_than_the_limit_waits_for_an_unused_minute() -> None:
    budget = WeightBudget([Limit(10, WINDOW_S)])
    assert budget.wait_s(50, 0.0) == 0.0
    budget.spend(50, 0.0)
    assert budget.wait_s(1, 0.0) == WINDOW_S
    assert budget.wait_s(50, WINDOW_S) == 0.0


@pytest.mark.parametrize("limits", [(), (Limit(100, WINDOW_S), Limit(1, 1.0, "books"))])
@pytest.mark.parametrize("group", ["", "books"])
def test_a_block_holds_back_everything_and_never_gets_shorter(limits: tuple[Limit, ...], group: str) -> None:
    budget = WeightBudget(limits)
    budget.block(100.0)
    budget.block(50.0)
    assert budget.wait_s(1, 30.0, group) == 70.0
    assert budget.wait_s(1, 100.0, group) == 0.0


def test_without_a_limit_nothing_waits() -> None:
    budget = WeightBudget([Limit(1, WINDOW_S, "books")])
    for n in range(1000):
        assert budget.wait_s(10**9, float(n)) == 0
        budget.spend(10**9, float(n))
    assert budget.wait_s(1, 1000.0, "books") == 0


def test_every_limit_of_a_group_holds_and_no_other_groups() -> None:
    budget = WeightBudget([Limit(2, 1.0, "books"), Limit(3, 10.0, "books"), Limit(1, 60.0, "addresses")])
    spent = []
    for now in range(12):
        while not budget.wait_s(1, now, "books"):
            budget.spend(1, now, "books")
            spent.append(now)
    assert spent == [0, 0, 1, 10, 10, 11]
    assert budget.wait_s(1, 11.0, "addresses") == 0
