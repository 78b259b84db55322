"""The wall clock jumps under load; the clock that only goes forward does not, as on a real machine. Rows: ROWS.md."""

import json
import os
import shutil
import time
from collections import defaultdict
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from faults.programs import Exchange, Program
from faults.wall_clock import WallClock
from faults.witness_process import read_messages
from faults.workbench import Bench
from support import free_port

pytestmark = pytest.mark.kafka


@pytest.fixture
def clock(tmp_path: Path) -> WallClock:
    if shutil.which("gcc") is None:
        reason = "a wall clock that can be set needs gcc: install it, on Debian with `apt-get install gcc libc6-dev`"
        if os.environ.get("TICKWIRE_REQUIRE_KAFKA") == "1":  # where nothing may be left out
            pytest.fail(reason, pytrace=False)
        pytest.skip(reason)
    return WallClock(tmp_path)


@pytest.fixture
def exchange(tmp_path: Path) -> Iterator[Exchange]:
    port = free_port()
    exchange = Exchange("binance", port, tmp_path, symbols=3, rate=200)
    with exchange:
        yield exchange


def settings(bench: Bench) -> dict[str, str]:
    port = free_port()
    ours = {f"KAFKA_{name.upper()}": str(value) for name, value in bench.kafka.items()}
    more = {"KAFKA_ENABLED": "true", "KAFKA_METRICS_ENABLED": "true", "KAFKA_METRICS_PORT": str(port)}
    return ours | more | {"FEED_ORDERBOOK_KEYFRAME_SECONDS": "1"}


def times(bench: Bench) -> dict[tuple[str, int], list[int]]:
    """The timestamps of the records by partition, in the order of the log."""
    found: dict[tuple[str, int], list[int]] = defaultdict(list)
    for message in read_messages(bench.bootstrap, bench.topics):
        found[message.topic(), message.partition()].append(message.timestamp()[1])
    return found


def report(path: Path) -> Any:
    return json.loads(path.read_text())


def test_row_25_the_clock_jumps_forward_and_back_and_nobody_minds(
    clock: WallClock, exchange: Exchange, bench: Bench, tmp_path: Path
) -> None:
    """Nothing times out, times in the topics fall with the clock alone, and every message is accounted for."""
    produced, consumed = tmp_path / "produced.json", tmp_path / "consumed.json"
    env = settings(bench) | clock.env | exchange.settings()
    with Program("produce", ["produce", "--report", str(produced)], env, tmp_path) as producer:
        producer.until(lambda: producer.metric("kafka_messages_published_total") > 300, "the first records")
        env = settings(bench) | clock.env
        with Program("consume", ["consume", "--report", str(consumed)], env, tmp_path) as consumer:
            samples = []
            for seconds in (3600, 0, -3600, 0):
                clock.set(seconds)
                wanted = 500 + max(
                    producer.metric("kafka_messages_published_total"), consumer.metric("kafka_consumer_records_total")
                )
                for program, name in (
                    (producer, "kafka_messages_published_total"),
                    (consumer, "kafka_consumer_records_total"),
                ):
                    program.until(lambda: program.metric(name) > wanted, f"it goes on at {seconds:+} s")  # noqa: B023
                    samples += program.metrics()
            trouble = {
                name: producer.metric(name)
                for name in (
                    "feed_reconnects_total",
                    "feed_resyncs_total",
                    "feed_gaps_total",
                    "kafka_producer_recreated_total",
                    "kafka_delivery_errors_total",
                    "kafka_producer_queue_full_total",
                )
            }
            producer.ask_to_end()
            assert producer.wait() == 0
            everything = report(produced)["acknowledged"]
            consumer.until(lambda: consumer.metric("kafka_consumer_records_total") >= everything, "all records")
            consumer.ask_to_end()
            assert consumer.wait() == 0

    assert [sample for sample in samples if sample[2] < 0] == []
    assert set(trouble.values()) == {0.0}, trouble
    sent, got = report(produced), report(consumed)
    assert sum(sent["events"].values()) == sent["acknowledged"] == sum(got["consumed"].values())
    assert (got["jumps"], got["duplicates"], got["older_epochs"]) == (0, 0, 0)
    assert sum(got["dead_lettered"].values()) == 0
    found = times(bench)
    assert sum(map(len, found.values())) == everything
    falls = [early - late for stamps in found.values() for early, late in pairwise(stamps) if late < early]
    assert all(fall > 3_500_000 for fall in falls), falls
    # The jumps did reach the producer.
    assert max(map(max, found.values())) > (time.time() + 3000) * 1000


def test_row_25_a_clock_hours_ahead_holds_publishing_up_and_once_it_is_right_it_goes_on_and_nothing_is_lost(
    clock: WallClock, exchange: Exchange, bench: Bench, tmp_path: Path
) -> None:
    """Kafka takes nothing more than an hour ahead: ``message.timestamp.after.max.ms``."""
    produced = tmp_path / "produced.json"
    policies = {"KAFKA_WHEN_FULL_TICKER": "conflate", "KAFKA_WHEN_FULL_ORDERBOOK": "spill"}
    env = settings(bench) | clock.env | exchange.settings() | policies
    with Program("produce", ["produce", "--report", str(produced)], env, tmp_path) as producer:
        producer.until(lambda: producer.metric("kafka_messages_published_total") > 300, "the first records")
        clock.set(3 * 3600)
        producer.until(lambda: producer.metric("kafka_spill_records") > 100, "records wait")
        clock.set(0)
        wanted = 300 + producer.metric("kafka_messages_published_total")
        producer.until(lambda: producer.metric("kafka_messages_published_total") > wanted, "it goes on")
        producer.until(lambda: producer.metric("kafka_spill_records") == 0, "nothing waits any more")
        producer.ask_to_end()
        assert producer.wait() == 0
    sent = report(produced)
    assert (sent["failed"], sent["dropped"], sent["spilled"]) == (0, 0, 0)
    assert sum(sent["events"].values()) == sent["acknowledged"] + sent["conflated"]
    found = times(bench)
    assert sum(map(len, found.values())) >= sent["acknowledged"]
    assert max(map(max, found.values())) < (time.time() + 3600) * 1000
