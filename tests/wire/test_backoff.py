"""How long a feed waits before it tries again."""

from random import Random

from hypothesis import given
from hypothesis import strategies as st

from tickwire.wire.backoff import BASE_S, CAP_S, HEALTHY_S, Backoff, Restarts


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


def test_another_first_and_last_ceiling_may_be_given() -> None:
    backoff = Backoff(lambda: 1.0, 1.0, 60.0)
    assert [backoff.delay_s() for _ in range(8)] == [1, 2, 4, 8, 16, 32, 60, 60]


def test_a_book_that_starts_again_often_waits_ever_longer() -> None:
    restarts = Restarts(lambda: 1.0)
    assert [restarts.delay_s(0.0) for _ in range(11)] == [0, 0, 0, 0.5, 1, 2, 4, 8, 16, 30, 30]


def test_a_calm_minute_ends_the_count_of_restarts() -> None:
    restarts = Restarts(lambda: 1.0)
    for _ in range(4):
        restarts.delay_s(0.0)
    assert restarts.delay_s(59.9) == 1.0
    assert restarts.delay_s(200.0) == 0.0


def test_however_often_a_book_breaks_it_is_asked_for_a_bounded_number_of_times() -> None:
    restarts, now, asked = Restarts(Random(1).random), 0.0, 0
    while now < 3600:
        now += restarts.delay_s(now)
        asked += 1
    assert asked < 3 + 3600 / 5
