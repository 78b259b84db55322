"""A feed's counts, its own and the process's."""

import pytest

from kafka.publishing import metric
from tickwire.wire.tally import Tally


@pytest.fixture
def tally(request: pytest.FixtureRequest) -> Tally:
    """The counts of an exchange that no other test has."""
    return Tally(request.node.name)


def test_making_it_shows_every_zero(tally: Tally) -> None:
    assert metric("feed_frames_received_total", exchange=tally.exchange) == 0
    assert metric("feed_frames_rejected_total", exchange=tally.exchange, reason="oversize") == 0


def test_what_is_counted_for_every_message_is_in_the_metric_after_the_next_export_and_once(tally: Tally) -> None:
    tally.frames.value += 3
    assert metric("feed_frames_received_total", exchange=tally.exchange) == 0
    tally.export()
    tally.export()
    assert metric("feed_frames_received_total", exchange=tally.exchange) == 3
    tally.frames.add()
    assert (tally.frames.value, metric("feed_frames_received_total", exchange=tally.exchange)) == (4, 4)


def test_frames_of_the_short_way_are_received_frames_too(tally: Tally) -> None:
    tally.frames.value += 1
    tally.short_way.value += 2
    tally.export()
    assert tally.received == 3
    assert metric("feed_frames_received_total", exchange=tally.exchange) == 3
    assert metric("feed_short_way_frames_total", exchange=tally.exchange) == 2


def test_a_reason_without_a_label_counts_as_malformed(tally: Tally) -> None:
    for reason in ("binary", "nobody knows this one", "malformed"):
        tally.reject(reason)
    counted = {reason: count.value for reason, count in tally.rejected.items() if count.value}
    assert counted == {"binary": 1, "malformed": 2}
    assert metric("feed_frames_rejected_total", exchange=tally.exchange, reason="malformed") == 2


def test_the_age_is_that_of_the_feed_that_has_waited_longest_while_there_is_one(tally: Tally) -> None:
    def shown() -> float | None:
        return metric("feed_last_frame_age_seconds", exchange=tally.exchange)

    end_first, end_second = tally.show_age(lambda: 2.0), Tally(tally.exchange).show_age(lambda: 5.0)
    assert shown() == 5.0
    end_second()
    assert shown() == 2.0
    end_first()
    assert shown() is None
