"""The time of arrival."""

import time

import pytest

from tickwire.wire.clock import ArrivalClock


def test_it_stands_still_while_the_systems_clock_is_behind(monkeypatch: pytest.MonkeyPatch) -> None:
    readings = iter([5_000_000, 3_000_000, 4_999_999, 5_001_999])
    monkeypatch.setattr(time, "time_ns", lambda: next(readings))
    clock = ArrivalClock()
    assert [clock.now_us() for _ in range(4)] == [5000, 5000, 5000, 5001]


def test_it_counts_microseconds_since_the_epoch() -> None:
    assert abs(ArrivalClock().now_us() / 1e6 - time.time()) < 1
