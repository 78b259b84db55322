"""What the page says of metrics pages and groups, as pure figures."""

import pytest

from tickwire.metrics_page import read_page
from tickwire.ui.figures import Figures, Group, quantile

PAGE = """
# TYPE feed_events_total counter
feed_events_total{{exchange="kraken",type="ticker"}} {events}
# TYPE kafka_records_total counter
kafka_records_total{{topic="t",outcome="acknowledged"}} {acknowledged}
kafka_records_total{{topic="t",outcome="dropped"}} {dropped}
# TYPE kafka_records_in_flight gauge
kafka_records_in_flight{{topic="t"}} 2
# TYPE kafka_messages_published_total counter
kafka_messages_published_total{{topic="t",type="ticker",exchange="kraken"}} {acknowledged}
# TYPE kafka_producer_queue_messages gauge
kafka_producer_queue_messages 2
# TYPE kafka_spill_records gauge
kafka_spill_records {spilled}
# TYPE feed_running gauge
feed_running{{exchange="kraken"}} 1
# TYPE feed_last_frame_age_seconds gauge
feed_last_frame_age_seconds{{exchange="kraken"}} {age}
# TYPE kafka_producer_delivery_seconds histogram
kafka_producer_delivery_seconds_bucket{{le="0.01"}} {fast}
kafka_producer_delivery_seconds_bucket{{le="0.1"}} {slow}
kafka_producer_delivery_seconds_bucket{{le="+Inf"}} {slow}
"""
BEFORE = {"events": 102, "acknowledged": 100, "dropped": 0, "spilled": 0, "age": 0, "fast": 100, "slow": 100}


def page(**values: int) -> str:
    return PAGE.format(**BEFORE | values)


def figures(**values: int) -> Figures:
    made = Figures()
    made.scraped({"a": read_page(page())}, 0.0)
    made.second(1, 0)
    made.scraped({"a": read_page(page(**values))}, 2.0)
    return made


def test_a_point_has_rates_queues_and_latencies_between_two_pages() -> None:
    found = figures(acknowledged=300, events=302, fast=200, slow=300, spilled=7)
    assert found.second(5, 42) == [5, 42, 100, 2, 7, 10.0, 98.2]
    assert next(iter(found.lines)) == [1, 0, None, 2, 0, None, None]


def test_a_page_that_was_away_makes_no_rate_when_it_is_back() -> None:
    found = Figures()
    for there in (True, False, True):
        found.scraped({"a": read_page(page()), "b": read_page(page()) if there else None}, 2.0)
    assert found.second(1, 0)[:3] == [1, 0, None]
    found.scraped({"a": read_page(page()), "b": read_page(page(acknowledged=104, events=106))}, 2.0)
    assert found.second(1, 0)[:3] == [1, 0, 2]


def test_a_share_lies_evenly_inside_its_bucket_and_is_none_without_acknowledgements() -> None:
    old, new = read_page(page()), read_page(page(fast=100, slow=200))
    assert quantile(old, new, 0.5) == 55.0
    assert quantile(new, new, 0.5) is None
    assert quantile({}, {}, 0.5) is None


def test_the_sum_of_the_accounting_is_told_and_said_where_it_is_wrong() -> None:
    found = figures().accounting()
    assert found is not None
    assert (found["left"], found["right"], found["in_flight"]) == (102, 102, 2)
    assert figures().words(0, 0) == []
    assert figures(events=110).words(0, 0) == ["The sum is wrong: 110 events, 102 accounted for"]
    assert Figures().accounting() is None


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"spilled": 12}, "12 records wait on disk for Kafka"),
        ({"age": 75}, "A connection to kraken has been silent for 75 s"),
        ({"dropped": 5, "events": 107}, "5 records were dropped or failed in the last minute"),
    ],
)
def test_what_a_page_tells_is_said_in_words(values: dict[str, int], said: str) -> None:
    found = figures(**values)
    found.second(2, 0)
    assert found.words(0, 0) == [said]


def test_what_is_away_or_behind_is_said_in_words() -> None:
    found = Figures(kafka_away_since_us=1_000_000, groups=[Group("storage", "stable", {"a": 9_000, "b": 1_001})])
    found.scraped({"http://there": None}, 0.0)
    assert found.words(13_000_000, 0) == [
        "Kafka does not answer since 12 s",
        "The metrics page http://there does not answer",
        "The group storage is 10001 records behind",
    ]
    assert Figures(behind=30_000).words(0, 100) == ["This page is 30000 records behind Kafka"]
    assert Figures(behind=30_000).words(0, 10_000) == []
