"""The time of arrival."""

import time
from types import SimpleNamespace

import pytest

from tickwire.wire import clock as clock_module
from tickwire.wire.clock import ArrivalClock


def test_it_stands_still_while_the_systems_clock_is_behind(monkeypatch: pytest.MonkeyPatch) -> None:
    readings = iter([5_000_000, 3_000_000, 4_999_999, 5_001_999])
    monkeypatch.setattr(time, "time_ns", lambda: next(readings))
    clock = ArrivalClock()
    assert [clock.now_us() for _ in range(4)] == [5000, 5000, 5000, 5001]


@pytest.mark.parametrize("ahead_s", [600, 86_400])
def test_a_clock_that_was_far_ahead_for_a_moment_does_not_pin_the_times_after_it(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, ahead_s: int
) -> None:
    readings = [0, 1, 2 + ahead_s, 2, 3, 2]
    told = [0, 1, 2 + ahead_s, 2, 3, 3]
    times = iter([1_800_000_000 + seconds for seconds in readings])
    # Not in the library: from 3.13 on logging reads it, too.
    monkeypatch.setattr(clock_module, "time", SimpleNamespace(time_ns=lambda: next(times) * 10**9))
    clock = ArrivalClock()
    assert [clock.now_us() // 10**6 - 1_800_000_000 for _ in readings] == told
    assert len(caplog.records) == 1


def test_it_counts_microseconds_since_the_epoch() -> None:
    assert abs(ArrivalClock().now_us() / 1e6 - time.time()) < 1
