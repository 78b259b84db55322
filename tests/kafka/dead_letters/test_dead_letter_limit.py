"""How many dead letters are too many, without Kafka."""

from collections import deque

import hypothesis.strategies as st
from hypothesis import given

from tickwire.kafka.dead_letters.limit import WINDOW, DeadLetterLimit


@given(st.lists(st.booleans(), max_size=3_000), st.sampled_from([0.001, 0.01, 0.05]), st.integers(1, 30))
def test_it_says_stop_where_a_plain_count_does(outcomes: list[bool], ratio: float, consecutive: int) -> None:
    limit = DeadLetterLimit(ratio, consecutive)
    window: deque[bool] = deque(maxlen=WINDOW)
    row = 0
    for bad in outcomes:
        window.append(bad)
        row = row + 1 if bad else 0
        if bad:
            assert (limit.dead() is not None) == (row > consecutive or sum(window) > ratio * WINDOW)
        else:
            limit.good(1)


def test_a_few_bad_records_at_the_beginning_are_no_large_share() -> None:
    limit = DeadLetterLimit(0.2, 1_000)
    assert [limit.dead() for _ in range(200)] == [None] * 200
    reason = limit.dead()
    assert reason is not None
    assert "201 of the last 201" in reason
