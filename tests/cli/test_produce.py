"""``tickwire produce`` as a process: what it shows while it runs, and how it ends."""

import json
import os
import pty
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from faults.programs import Exchange, Program
from kafka.mock_cluster import MockCluster
from support import eventually, free_port
from tickwire.cli.metrics_page import Family
from tickwire.cli.produce_output import trouble
from tickwire.config.environment import for_child
from tickwire.config.kafka_config import KafkaConfig

SYMBOLS = 3


@pytest.fixture(scope="module")
def exchange(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Exchange]:
    with Exchange("binance", free_port(), tmp_path_factory.mktemp("exchange"), symbols=SYMBOLS, rate=300) as running:
        yield running


@pytest.fixture
def settings(exchange: Exchange, tmp_path: Path) -> Iterator[dict[str, str]]:
    with MockCluster() as mock:
        for topic in KafkaConfig().topics:
            mock.create_topic(topic, 2)
        yield {
            "KAFKA_ENABLED": "true",
            "KAFKA_BROKERS": mock.bootstrap,
            "KAFKA_METRICS_ENABLED": "true",
            "KAFKA_METRICS_PORT": str(free_port()),
            "KAFKA_SPILL_DIR": str(tmp_path / "spill"),
            **exchange.settings(),
        }


def test_the_log_is_what_tickwire_has_to_say_and_every_line_is_json(settings: dict[str, str], tmp_path: Path) -> None:
    env = settings | {"TICKWIRE_LOG_FORMAT": "json"}
    with Program("produce", ["produce", "--channels", "ticker"], env, tmp_path) as program:
        program.until(lambda: program.metric("feed_events_total") > 0, "the first event")
        program.ask_to_end()
        assert program.wait() == 0
    lines = [json.loads(line) for line in program.log.read_text().splitlines()]
    assert lines
    assert all(line["logger"].startswith("tickwire") for line in lines), lines
    shown = program.output.read_text()
    assert "ticks.v1.raw acknowledged" in shown
    assert "orderbook" not in shown


@pytest.mark.parametrize("workers", ["1", "2"])
def test_an_error_at_the_start_is_its_sentence_alone(settings: dict[str, str], tmp_path: Path, workers: str) -> None:
    command = ["produce", "--workers", workers, "--symbols", "BTCUSDT,NOPEUSDT"]
    with Program("produce", command, settings | {"TICKWIRE_LOG_LEVEL": "error"}, tmp_path) as program:
        assert program.wait() == 2
    assert program.output.read_text() == ""
    said = [line for line in program.log.read_text().splitlines() if line.startswith("error: ")]
    assert len(said) == 1
    assert "NOPEUSDT" in said[0]


@pytest.mark.parametrize("workers", ["1", "2"])
def test_a_terminal_shows_a_table_that_follows_the_run(settings: dict[str, str], tmp_path: Path, workers: str) -> None:
    ours, theirs = pty.openpty()
    seen = bytearray()

    def read() -> None:
        try:
            while more := os.read(ours, 65536):
                seen.extend(more)
        except OSError:
            pass  # the other side was closed

    with (tmp_path / "log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "tickwire", "produce", "--workers", workers],
            env=for_child(settings | {"COLUMNS": "80", "LINES": "30", "TERM": "xterm"}, keep_settings=False),
            stdin=subprocess.DEVNULL,
            stdout=theirs,
            stderr=log,
        )
    os.close(theirs)
    reader = threading.Thread(target=read)
    reader.start()
    try:
        eventually(lambda: b"books 3 of 3 valid" in seen, "valid books on the screen", 30)
        process.terminate()
        assert process.wait(30) == 0
    finally:
        process.kill()
        reader.join()
        os.close(ours)
    screen = seen.decode()
    assert "events/s" in screen
    assert all(topic in screen for topic in (KafkaConfig().ticker_topic, KafkaConfig().orderbook_topic))
    assert "Nothing remains to be delivered." in screen


def page(**values: float) -> dict[str, Family]:
    return {name: Family("counter", "", {(name, ()): value}) for name, value in values.items()}


def test_trouble_is_everything_that_went_wrong_with_its_count() -> None:
    assert trouble(page(feed_events_total=5, feed_resyncs_total=0)) == ""
    assert (
        trouble(page(feed_resyncs_total=2, feed_callback_errors_total=1)) == "2 books started again, 1 callback errors"
    )


def test_a_planned_reconnect_is_no_trouble() -> None:
    name = "feed_reconnects_total"
    family = Family("counter", "")
    family.values[name, (("reason", "planned"),)] = 3.0
    family.values[name, (("reason", "closed"),)] = 1.0
    assert trouble({name: family}) == "1 reconnects"
