"""When the quiet of one symbol is odd."""

from tickwire.wire.rhythm import Rhythm


def watched(*pauses: float, began: float = 0.0) -> Rhythm:
    rhythm = Rhythm()
    rhythm.begin(began)
    for seconds in pauses:
        rhythm.pause(seconds)
    return rhythm


def test_a_busy_symbol_is_odd_after_half_a_minute() -> None:
    rhythm = watched(0.5, 2.0, 1.0)
    assert not rhythm.is_odd(29.0, 1000.0)
    assert rhythm.is_odd(30.0, 1000.0)


def test_a_quiet_one_has_ten_times_its_longest_pause() -> None:
    rhythm = watched(1.0, 40.0, 3.0)
    assert not rhythm.is_odd(399.0, 1000.0)
    assert rhythm.is_odd(400.0, 1000.0)


def test_nothing_is_said_in_the_first_minutes() -> None:
    assert not watched(1.0, began=900.0).is_odd(60.0, 1000.0)
    assert watched(1.0, began=600.0).is_odd(60.0, 1000.0)


def test_a_pause_that_is_over_counts_and_a_new_beginning_forgets_it() -> None:
    rhythm = watched(60.0)
    assert (rhythm.last_s, rhythm.longest_s) == (60.0, 60.0)
    rhythm.begin(5.0)
    assert rhythm.longest_s == 0.0
