"""Resident memory is bounded where what comes in is more than what goes out."""

import pytest

from faults.checker import check_reading
from faults.test_faults_consuming import PARTITIONS, fill, places
from faults.test_faults_publishing import ON_ITS_WAY
from faults.workbench import Bench
from kafka.mock_cluster import MockCluster
from support import eventually

MIB = 1024  # KiB


def test_memory_of_the_publisher_is_bounded_in_an_outage_with_a_full_queue(
    mock: MockCluster, mock_bench: Bench
) -> None:
    """100,000 events against a queue of 2,000: half of them in memory are already twice what is allowed here."""
    policies = {"queue_max_messages": 2_000, "when_full_ticker": "conflate", "when_full_orderbook": "spill"}
    child = mock_bench.start_producer(policies, rate=200)
    before = child.rss_kib
    with mock.down():
        child.order("burst 100000")
        mock_bench.until(lambda: any(mock_bench.sending.of("ordered")), child, "the burst", 90)
        assert child.rss_kib - before < 12 * MIB
    mock_bench.await_acknowledged(50_000, child, 90)
    assert child.stop() == 0
    assert mock_bench.verdict(child, duplicates=ON_ITS_WAY) == []
    books = child.report["accounting"][mock_bench.books]
    assert books["acknowledged"] == books["events"] > 50_000
    assert child.report["peak_rss_kib"] - before < 32 * MIB


@pytest.mark.kafka
def test_memory_of_the_consumer_is_bounded_when_its_handler_is_slow(bench: Bench) -> None:
    """200 MB in the topic; what is fetched ahead and what waits for the handler is bounded, whatever comes in."""
    bench.create_topics(bench.ticks, partitions=PARTITIONS)
    ends = fill(bench, 50_000, size=4_000)
    child = bench.start_consumer("slow", slow_ms=20)
    before = child.rss_kib
    eventually(lambda: sum(1 for _ in bench.reading.of("handled")) > 300, "some records", 60)
    assert child.rss_kib - before < 48 * MIB
    assert child.stop() == 0
    done = [place for place in places(bench, ends) if place.offset < 1]
    assert check_reading(done, bench.reading.update()) == []
