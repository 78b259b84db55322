"""Numbers that belong together are read together."""

import threading

from prometheus_client import generate_latest

from openmetrics import read_strictly
from support import eventually
from tickwire import metrics


def test_nothing_is_read_in_the_middle_of_an_export() -> None:
    registry = metrics.consistent_registry()
    pages: list[str] = []
    reading = threading.Thread(target=lambda: pages.append(generate_latest(registry).decode()))
    with metrics.EXPORT:
        before = metrics.GAPS.labels("toy")._value.get()
        metrics.GAPS.labels("toy").inc()
        reading.start()
        reading.join(0.05)
        assert not pages
        metrics.GAPS.labels("toy").inc()
    eventually(lambda: pages, "the page")
    reading.join(10)
    assert f'feed_gaps_total{{exchange="toy"}} {before + 2}' in pages[0]


def test_the_page_has_every_metric_and_can_be_asked_for_some() -> None:
    registry = metrics.consistent_registry()
    assert b"kafka_records_total" in generate_latest(registry)
    some = generate_latest(registry.restricted_registry(["feed_gaps_total"]))
    assert b"feed_gaps_total" in some


def test_strict_readers_take_the_page_and_no_count_says_when_it_began() -> None:
    metrics.GAPS.labels("toy").inc()
    metrics.DELIVERY_SECONDS.observe(0.5)
    registry = metrics.consistent_registry()
    families = read_strictly(registry)
    assert {"feed_gaps", "kafka_producer_delivery_seconds"} <= {family.name for family in families}
    assert "_created" not in generate_latest(registry).decode()
