"""How long a subscription may be silent, by how it was before."""

from collections.abc import Callable, Iterable
from itertools import pairwise
from math import ceil
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tickwire.wire.rhythm import Rhythm

HOUR, DAY = 3600, 86_400
BUSY = [1.0] * 60  # a look a second, and something new at each


def after(pauses: Iterable[float]) -> Rhythm:
    rhythm = Rhythm()
    for seconds in pauses:
        rhythm.pause(seconds)
    return rhythm


@pytest.mark.parametrize(
    ("pauses", "most_s"),
    [
        ([], 600),  # nothing is known
        (BUSY * 2, 15),
        ([60.0] * 60, 480),
        ([1.0] * 9 + [60.0] * 60, 480),  # a beginning says little
        ([30.0, 10.0] * 180, 200),  # three quarters of the time lie in a pause of 30 s
        ([1.0] * 7200 + [30.0, 1.0], 45),  # once is not usual, but possible
        ([30.0] * 120 + [1.0] * 36_000, 15),  # what was does not matter for ever
    ],
)
def test_it_may_be_silent_for_as_long_as_is_usual_many_times(pauses: list[float], most_s: float) -> None:
    assert after(pauses).most_s == pytest.approx(most_s, rel=0.02)


def test_a_busy_subscription_is_known_within_a_minute() -> None:
    assert after(BUSY).most_s < 19


def test_a_burst_does_not_make_a_quiet_one_busy() -> None:
    assert after([*[40.0] * 90, *[1.0] * 300]).most_s > 250


def test_each_alarm_doubles_the_patience_so_that_real_quiet_costs_a_few_only() -> None:
    rhythm, alarms = after(BUSY * 60), []
    while (most_s := rhythm.most_s) < 600:
        alarms.append(most_s)
        rhythm.alarm(most_s)
    assert len(alarms) <= 4
    assert all(later >= 2 * earlier for earlier, later in pairwise(alarms))


def test_ten_calm_minutes_after_an_alarm_the_patience_is_what_the_pauses_say() -> None:
    rhythm = after(BUSY * 60)
    rhythm.alarm(15.0)
    assert rhythm.most_s == pytest.approx(2 * 1.5 * 15)
    for _ in range(600):
        rhythm.pause(1.0)
    assert 15 <= rhythm.most_s < 1.5 * 15


def at_random(seed: int, per_second: float) -> Callable[[], float]:
    random = Random(seed)
    return lambda: random.expovariate(per_second)


def day(gap_s: Callable[[], float], *, book: bool = True) -> list[float]:
    """The silences that were odd in a day of looks a second apart; what is no *book* has to be known first."""
    rhythm, odd, said_at, seen_at = Rhythm(), list[float](), gap_s(), 0.0
    while seen_at < DAY:
        look_at = max(ceil(said_at), seen_at + 1)
        while (book or rhythm.known) and look_at - seen_at >= (most_s := ceil(rhythm.most_s)):
            odd.append(most_s)
            rhythm.alarm(most_s)
            seen_at += most_s
        if look_at > seen_at:
            rhythm.pause(look_at - seen_at)
        seen_at = look_at
        while said_at <= look_at:
            said_at += gap_s()
    return odd


@pytest.mark.parametrize(("gap_s", "most"), [(0.2, 0), (1.0, 1), (5.0, 1), (60.0, 1), (200.0, 3)])
def test_messages_at_random_are_silent_for_oddly_long_not_once_in_days(gap_s: float, most: int) -> None:
    assert sum(len(day(at_random(seed, 1 / gap_s))) for seed in range(4)) <= most


@pytest.mark.parametrize(
    ("gap_s", "most"),
    [
        (lambda random: random.expovariate(5.0 if random.random() < 0.95 else 0.1), 2),  # bursts, and rests of 10 s
        (lambda random: random.expovariate(1.0 if random.random() < 0.9 else 1 / 60), 2),  # of a minute
        (lambda random: random.lognormvariate(0.0, 1.5), 15),  # one gap in a thousand is a hundred times the median
        (lambda random: random.paretovariate(2.0), 20),
    ],
)
def test_bursts_and_long_tails_cost_a_restart_an_hour_at_the_very_most(
    gap_s: Callable[[Random], float], most: int
) -> None:
    for seed in range(3):
        random = Random(seed)
        assert len(day(lambda random=random: gap_s(random))) <= most  # type: ignore[misc]


@pytest.mark.parametrize("gap_s", [10.0, 40.0, 150.0, 600.0, 3600.0])
def test_quiet_tickers_and_trades_are_never_oddly_silent(gap_s: float) -> None:
    assert day(lambda: gap_s, book=False) == []
    assert sum(len(day(at_random(seed, 1 / gap_s), book=False)) for seed in range(10)) <= 1


def test_what_has_a_message_each_40_s_is_missed_after_minutes() -> None:
    rhythm = after([40.0] * 30)
    assert rhythm.known
    assert 300 < rhythm.most_s < 400


@given(st.integers(0, 2**32), st.integers(2, 50), st.floats(60.0, 1800.0))
def test_rare_bursts_of_trades_are_never_oddly_silent(seed: int, most: int, rest_s: float) -> None:
    random, left = Random(seed), [0]

    def gap_s() -> float:
        left[0] = left[0] - 1 if left[0] else random.randint(1, most)
        return random.expovariate(5.0) if left[0] else rest_s * random.uniform(0.5, 1.5)

    assert len(day(gap_s, book=False)) <= 1


@given(st.integers(0, 2**32), st.floats(1.2, 50.0))
def test_what_speaks_more_than_once_a_second_is_missed_within_twenty_seconds(seed: int, per_second: float) -> None:
    gap_s, rhythm, at, seen_at = at_random(seed, per_second), Rhythm(), 0.0, 0
    while at < HOUR / 4:
        at += gap_s()
        if ceil(at) > seen_at:
            rhythm.pause(ceil(at) - seen_at)
            seen_at = ceil(at)
    assert rhythm.most_s <= 20 - 1  # a look is up to a second late


@given(st.lists(st.tuples(st.floats(0.01, 1e6), st.booleans()), max_size=50))
def test_what_is_usual_lies_between_the_shortest_and_the_longest_pause_and_no_alarm_makes_it_less_patient(
    pauses: list[tuple[float, bool]],
) -> None:
    rhythm = Rhythm()
    seen = [rhythm.usual_s]
    for seconds, odd in pauses:
        before = rhythm.most_s
        (rhythm.alarm if odd and seconds >= before else rhythm.pause)(seconds)
        seen.append(seconds)
        assert min(seen) * 0.999 <= rhythm.usual_s <= max(seen) * 1.001
        assert rhythm.most_s >= 15
        if odd and seconds >= before:
            assert rhythm.most_s > before
