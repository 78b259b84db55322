"""What may be asked within a minute."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tickwire.wire.budget import WINDOW_S, WeightBudget

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
    left = run(WeightBudget(100), wanted)
    for end, _ in left:
        assert sum(weight for at, weight in left if end - WINDOW_S + 1e-6 < at <= end) <= 100


@given(requests)
def test_nothing_waits_while_there_is_room(wanted: list[tuple[int, float]]) -> None:
    total = sum(weight for weight, _ in wanted)
    left = run(WeightBudget(total), wanted)
    assert left[-1][0] == pytest.approx(1000.0 + sum(pause for _, pause in wanted))


def test_a_request_waits_just_until_enough_has_been_forgotten() -> None:
    budget = WeightBudget(100)
    budget.spend(40, 0.0)
    budget.spend(40, 10.0)
    budget.spend(20, 20.0)
    assert budget.wait_s(30, 20.0) == 40.0
    assert budget.wait_s(50, 20.0) == 50.0
    assert budget.wait_s(30, 60.0) == 0.0


def test_a_request_heavier_than_the_limit_waits_for_an_unused_minute() -> None:
    budget = WeightBudget(10)
    assert budget.wait_s(50, 0.0) == 0.0
    budget.spend(50, 0.0)
    assert budget.wait_s(1, 0.0) == WINDOW_S
    assert budget.wait_s(50, WINDOW_S) == 0.0


@pytest.mark.parametrize("per_minute", [None, 100])
def test_a_block_holds_back_everything_and_never_gets_shorter(per_minute: int | None) -> None:
    budget = WeightBudget(per_minute)
    budget.block(100.0)
    budget.block(50.0)
    assert budget.wait_s(1, 30.0) == 70.0
    assert budget.wait_s(1, 100.0) == 0.0


def test_without_a_limit_nothing_waits_and_nothing_is_kept() -> None:
    budget = WeightBudget(None)
    for n in range(1000):
        assert budget.wait_s(10**9, float(n)) == 0
        budget.spend(10**9, float(n))
    assert not budget._spent
