"""When what a full disk broke counts as mended."""

from soak.machine import Still


def test_a_number_is_still_when_it_has_been_the_same_for_long_enough() -> None:
    still = Still(3.0)
    seen = [(5, 10.0), (5, 12.9), (6, 13.0), (6, 15.9), (6, 16.0), (7, 16.1)]
    assert [still.see(*look) for look in seen] == [False, False, False, False, True, False]
