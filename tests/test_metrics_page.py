"""Metrics of several processes on one page."""

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.registry import Collector

from openmetrics import read_strictly
from tickwire import metrics
from tickwire.cli.accounting import add_reports, report_of
from tickwire.metrics_page import Family, add_up, by_label, exported, only_counts, read_page, total


def page(frames: int, waiting: int, seconds: float, age: float) -> dict[str, Family]:
    """What a process exports."""
    registry = CollectorRegistry()
    counter = Counter("kafka_records", "Records.", ["topic", "outcome"], registry=registry)
    counter.labels("t", "acknowledged").inc(frames)
    Gauge("kafka_records_in_flight", "Waiting.", ["topic"], registry=registry).labels("t").set(waiting)
    Histogram("took_seconds", "Time.", buckets=(1, 5), registry=registry).observe(seconds)
    Gauge("feed_last_frame_age_seconds", "Age.", registry=registry).set(age)
    Gauge("process_start_time_seconds", "Start.", registry=registry).set(frames)
    return read_page(generate_latest(registry).decode())


def values(of: dict[str, Family], name: str) -> dict[str, float]:
    return {
        sample + "".join(v for _, v in labels): value
        for family in of.values()
        for (sample, labels), value in family.values.items()
        if sample.startswith(name)
    }


def test_counters_gauges_and_buckets_are_added_and_ages_are_not() -> None:
    added = add_up(page(3, 2, 0.5, 7.0), [page(4, 1, 3.0, 9.0), page(5, 0, 9.0, 1.0)])
    assert total(added, "kafka_records_total", topic="t") == 12
    assert by_label(added, "kafka_records_in_flight", "topic") == {"t": 3}
    assert values(added, "took_seconds_bucket") == {
        "took_seconds_bucket1.0": 1,
        "took_seconds_bucket5.0": 2,
        "took_seconds_bucket+Inf": 3,
    }
    assert values(added, "feed_last_frame_age_seconds") == {"feed_last_frame_age_seconds": 9.0}
    assert values(added, "process_start_time_seconds") == {"process_start_time_seconds": 3}


def test_of_a_process_that_has_gone_the_counts_stay_and_nothing_else() -> None:
    added = add_up({}, [only_counts(page(3, 2, 0.5, 7.0))])
    assert set(added) == {"kafka_records", "took_seconds"}


def test_what_is_exported_is_read_as_the_same() -> None:
    added = add_up(page(3, 2, 0.5, 7.0), [page(4, 1, 3.0, 9.0)])

    class Whole(Collector):
        def collect(self) -> list[object]:  # type: ignore[override]
            return list(exported(added))

    registry = CollectorRegistry()
    registry.register(Whole())
    assert read_page(generate_latest(registry).decode()) == added


def test_a_killed_process_is_accounted_for_by_its_metrics() -> None:
    report = report_of(page(3, 2, 0.5, 7.0))
    assert report["topics"] == {"t": {"events": 5, "acknowledged": 3, "in_flight": 0, "unsettled": 2}}
    assert (report["acknowledged"], report["unsettled"]) == (3, 2)
    ended = {
        "acknowledged": 4,
        "topics": {"t": {"events": 4, "acknowledged": 4}},
        "spill_folder": "/a",
        "recovered": {},
    }
    added = add_reports([report, ended, ended | {"spill_folder": "/b"}])
    assert added["acknowledged"] == 11
    assert added["topics"]["t"] == {"events": 13, "acknowledged": 11, "in_flight": 0, "unsettled": 2}
    assert added["spill_folder"] == "/a, /b"


def test_strict_readers_take_the_page_of_several_processes() -> None:
    metrics.GAPS.labels("toy").inc()
    metrics.DELIVERY_SECONDS.observe(0.5)
    one = read_page(generate_latest(metrics.consistent_registry()).decode())

    class Whole(Collector):
        def collect(self) -> list[object]:  # type: ignore[override]
            return list(exported(add_up(one, [one, only_counts(one)])))

    registry = CollectorRegistry()
    registry.register(Whole())
    families = read_strictly(registry)
    assert {family.name for family in families} == set(one)
