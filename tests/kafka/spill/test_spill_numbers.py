from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from tickwire.kafka.spill.numbers import NumberSet

RUNS = st.lists(st.tuples(st.integers(0, 40), st.integers(0, 40)), max_size=12)
NUMBER = st.integers(0, 40)


@given(RUNS, NUMBER, NUMBER, NUMBER)
def test_runs_behave_like_a_set_of_numbers(runs: list[tuple[int, int]], low: int, high: int, below: int) -> None:
    numbers, model = NumberSet(), set[int]()
    for start, end in runs:
        new = set(range(start, end)) - model
        assert numbers.add(start, end) == len(new)
        model |= new
    between = set(range(low, high))
    assert numbers.covers(low, high) == (between <= model)
    assert numbers.count(low, high) == len(between & model)
    assert {n for n in range(42) if n in numbers} == model
    numbers.discard_below(below)
    model = {n for n in model if n >= below}
    assert {n for start, end in numbers.runs() for n in range(start, end)} == model
    assert numbers.end == (max(model) + 1 if model else None)


@given(RUNS)
def test_runs_neither_touch_nor_overlap(runs: list[tuple[int, int]]) -> None:
    found = NumberSet(runs).runs()
    assert all(start < end for start, end in found)
    assert all(a[1] < b[0] for a, b in pairwise(found))
