"""Whether a leak would be seen, and what is none would not."""

import random

import pytest

from soak.memory import Sample, curve, marks


def life(
    leak_kib_per_minute: float, minutes: float = 10.0, outage_kib: int = 0, warm_after_s: float = 60.0
) -> list[Sample]:
    """A process that starts small, has a noise of half a MiB, and uses more for half a minute out of every two."""
    noise = random.Random(1)
    samples = []
    for tick in range(int(minutes * 30)):
        at = tick * 2.0
        grown = min(at / warm_after_s, 1.0) * 18_000 + leak_kib_per_minute * at / 60
        samples.append(Sample(at, int(60_000 + grown + noise.randrange(512) + (at % 120 < 30) * outage_kib)))
    return samples


@pytest.mark.parametrize("outage_kib", [0, 20_000])
def test_a_warm_up_and_what_waits_in_outages_is_no_growth(outage_kib: int) -> None:
    found = curve(life(0, outage_kib=outage_kib))
    assert found is not None
    assert found.flat
    assert abs(found.slope) < 100


def test_a_warm_up_lasts_minutes_in_a_short_life_too() -> None:
    found = curve(life(0, minutes=7, warm_after_s=180.0))
    assert found is not None
    assert found.flat


@pytest.mark.parametrize("outage_kib", [0, 20_000])
def test_a_leak_of_a_few_bytes_a_record_is_growth(outage_kib: int) -> None:
    found = curve(life(500, outage_kib=outage_kib))
    assert found is not None
    assert not found.flat
    assert found.slope == pytest.approx(500, abs=100)


def test_a_short_life_says_nothing() -> None:
    assert curve(life(500, minutes=4)) is None
    assert curve([]) is None


@pytest.mark.parametrize(("every_s", "flat"), [(20.0, False), (1e9, True)])
def test_a_file_that_is_left_open_now_and_then_is_growth(every_s: float, flat: bool) -> None:
    found = curve([Sample(s.at, s.kib, 30 + int(s.at / every_s) + int(s.at % 7)) for s in life(0)])
    assert found is not None
    assert found.flat
    assert found.files_flat is flat


def test_figures_are_shown_at_every_tenth_of_a_short_life_and_every_ten_minutes_of_a_long_one() -> None:
    assert [sample.at for sample in marks(life(0, minutes=5))] == [*range(0, 298, 30), 298]
    assert [sample.at for sample in marks(life(0, minutes=151))] == [*range(0, 9001, 600), 151 * 60 - 2]
