"""How long a feed waits before it tries again."""

from random import Random

from hypothesis import given
from hypothesis import strategies as st

from tickwire.wire.backoff import BASE_S, CAP_S, HEALTHY_S, Backoff


@given(seed=st.integers(), tries=st.integers(1, 2000))
def test_every_wait_is_between_nothing_and_the_cap(seed: int, tries: int) -> None:
    backoff = Backoff(Random(seed).random)
    assert all(0 <= backoff.delay_s() <= CAP_S for _ in range(tries))


def test_the_ceiling_doubles_up_to_the_cap() -> None:
    backoff = Backoff(lambda: 1.0)
    assert [backoff.delay_s() for _ in range(8)] == [0.5, 1, 2, 4, 8, 16, 30, 30]


def test_the_jitter_is_full() -> None:
    assert Backoff(lambda: 0.0).delay_s() == 0
    assert Backoff(lambda: 0.25).delay_s() == BASE_S / 4


def test_a_healthy_connection_starts_the_count_again_and_a_short_one_does_not() -> None:
    backoff = Backoff(lambda: 1.0)
    for _ in range(5):
        backoff.delay_s(HEALTHY_S - 0.1)
    assert backoff.delay_s(HEALTHY_S - 0.1) == 16
    assert backoff.delay_s(HEALTHY_S) == BASE_S
    assert backoff.delay_s() == 2 * BASE_S
