"""``tickwire produce`` as a process: what it shows while it runs, and how it ends."""

import io
import json
import logging
import os
import pty
import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from types import SimpleNamespace

import pytest
from rich.console import Console

from faults.programs import Exchange, Program, kafka_settings
from kafka.mock_cluster import MockCluster
from support import eventually, free_port
from tickwire.cli import produce_output
from tickwire.cli.produce_output import Lines, ProducerTable, trouble
from tickwire.config.environment import for_child
from tickwire.config.kafka_config import KafkaConfig
from tickwire.errors import UnknownSymbol
from tickwire.metrics_page import Family

SYMBOLS = 3


@pytest.fixture(scope="module")
def exchange(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Exchange]:
    with Exchange("binance", free_port(), tmp_path_factory.mktemp("exchange"), symbols=SYMBOLS, rate=300) as running:
        yield running


@pytest.fixture
def settings(exchange: Exchange, mock: MockCluster, tmp_path: Path) -> dict[str, str]:
    return kafka_settings(mock.bootstrap, tmp_path) | exchange.settings()


def test_the_log_is_what_tickwire_has_to_say_and_every_line_is_json(settings: dict[str, str], tmp_path: Path) -> None:
    env = settings | {"TICKWIRE_LOG_FORMAT": "json"}
    with Program("produce", ["produce", "--channels", "ticker"], env, tmp_path) as program:
        program.until(lambda: program.metric("feed_events_total") > 0, "the first event")
        program.ask_to_end()
        assert program.wait() == 0, program.last_words()
    lines = [json.loads(line) for line in program.log.read_text().splitlines()]
    assert lines
    assert all(line["logger"].startswith("tickwire") for line in lines), lines
    shown = program.output.read_text()
    assert "ticks.v1.raw acknowledged" in shown
    assert "orderbook" not in shown


@pytest.mark.parametrize("workers", ["1", "2"])
def test_nothing_stands_before_the_sentence_on_an_unknown_symbol(
    settings: dict[str, str], tmp_path: Path, workers: str
) -> None:
    command = ["produce", "--workers", workers, "--symbols", "BTCUSDT,NOPEUSDT"]
    with Program("produce", command, settings, tmp_path) as program:
        assert program.wait() == 2
    assert program.output.read_text() == ""
    (said,) = program.log.read_text().splitlines()
    assert said.startswith("error: binance does not list the symbol 'NOPEUSDT'")


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


def on_screen(written: str) -> list[str]:
    """What is left of *written* on a terminal, line by line."""
    lines, row = [""], 0
    for part in re.findall(r"\x1b\[[?0-9;]*[A-Za-z]|[\r\n]|[^\x1b\r\n]+", written):
        if part == "\n":
            row += 1
            lines += [""] * (row == len(lines))
        elif part.endswith("A") and part.startswith("\x1b"):
            row -= int(part[2:-1])
        elif part == "\x1b[2K":
            lines[row] = ""
        elif part[0] not in "\x1b\r":
            lines[row] += part
    return [line for line in lines if line]


@pytest.mark.parametrize(("frames", "left"), [(0, 0), (1, 3)])
def test_a_table_goes_where_an_error_ends_what_had_not_begun(
    monkeypatch: pytest.MonkeyPatch, frames: int, left: int
) -> None:
    terminal = io.StringIO()
    monkeypatch.setattr(produce_output, "follow_stderr", lambda: None)  # the handlers here are of the tests
    monkeypatch.setattr(produce_output, "Console", partial(Console, file=terminal, force_terminal=True, width=80))
    table = ProducerTable(lambda: page(feed_frames_received_total=frames), {"ticker": "ticks.v1.raw"}, "off", every_s=0)

    def fail() -> None:
        with table:
            table.tick()
            assert "ticks.v1.raw" in terminal.getvalue()
            raise UnknownSymbol("NOPE", "binance", ())

    with pytest.raises(UnknownSymbol):
        fail()
    assert len(on_screen(terminal.getvalue())) == left


def page(**values: float) -> dict[str, Family]:
    return {name: Family("counter", "", {(name, ()): value}) for name, value in values.items()}


def page_of_two(**events: int) -> dict[str, Family]:
    """Two exchanges, of which kraken has ended."""
    families = {name: Family("gauge", "") for name in ("feed_events_total", "feed_books", "feed_running")}
    for exchange, count in events.items():
        families["feed_events_total"].values["feed_events_total", (("exchange", exchange),)] = count
    families["feed_books"].values["feed_books", (("exchange", "binance"), ("state", "valid"))] = 3
    families["feed_books"].values["feed_books", (("exchange", "binance"), ("state", "resyncing"))] = 1
    families["feed_running"].values["feed_running", (("exchange", "binance"),)] = 1
    return families


def test_each_of_several_exchanges_has_a_row_and_one_alone_has_none(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal, pages = io.StringIO(), [page_of_two(binance=1000, kraken=10), page_of_two(binance=4000, kraken=10)]
    monkeypatch.setattr(produce_output, "Console", partial(Console, file=terminal, force_terminal=True, width=80))
    monkeypatch.setattr(produce_output, "time", SimpleNamespace(monotonic=iter(range(0, 100, 3)).__next__))
    table = ProducerTable(lambda: pages.pop(0), {"ticker": "ticks.v1.raw"}, "off")
    table.tick()
    table.tick()
    Console(file=terminal, width=80).print(table._live.renderable)
    rows = [line.split() for line in terminal.getvalue().splitlines()]
    assert ["binance", "1000", "3/4"] in rows
    assert ["kraken", "0", "0/0", "ended"] in rows
    pages.append(page(feed_events_total=7))
    table.tick()
    shown = io.StringIO()
    Console(file=shown, width=80).print(table._live.renderable)
    assert "exchange" not in shown.getvalue()


def test_a_line_is_written_for_each_of_several_exchanges(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(produce_output, "time", SimpleNamespace(monotonic=iter(range(0, 100, 40)).__next__))
    lines = Lines(lambda: page_of_two(binance=400, kraken=0))
    with caplog.at_level(logging.INFO):
        lines.tick()
    assert [record.args for record in caplog.records][1:] == [("binance", 10, "3/4", ""), ("kraken", 0, "0/0", "ended")]


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


def test_a_thread_that_never_comes_back_does_not_hold_the_process() -> None:
    script = """
import asyncio, signal, threading
from tickwire.cli.feeds import Feeds
from tickwire.cli.main import main

async def until_signal(feeds, stop):
    asyncio.get_running_loop().run_in_executor(None, threading.Event().wait)
    signal.raise_signal(signal.SIGTERM)
    await stop.arrives()

Feeds.run = until_signal
main(["produce", "--set", "KAFKA_METRICS_ENABLED=false"])
"""
    assert subprocess.run([sys.executable, "-c", script], capture_output=True, timeout=30, check=False).returncode == 0
