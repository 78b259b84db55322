"""``tickwire produce`` reads its settings again at SIGHUP, and changes its symbols while all else goes on."""

import json
import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from faults.programs import Exchange, Program, kafka_settings
from kafka.mock_cluster import MockCluster
from support import free_port
from tickwire.signals import Hangups


@pytest.fixture(scope="module")
def exchange(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Exchange]:
    with Exchange("kraken", free_port(), tmp_path_factory.mktemp("exchange"), symbols=6, rate=300) as running:
        yield running


@pytest.fixture
def settings(exchange: Exchange, mock: MockCluster, tmp_path: Path) -> dict[str, str]:
    feed = exchange.settings()
    del feed["FEED_SYMBOLS"]
    return kafka_settings(mock.bootstrap, tmp_path) | feed | {"TICKWIRE_CONFIG": str(tmp_path / "tickwire.toml")}


def want(folder: Path, *names: str) -> None:
    """Write the settings file, at once."""
    new = folder / "new.toml"
    new.write_text(f"[feed]\nsymbols = {json.dumps(names)}\n")
    new.replace(folder / "tickwire.toml")


def changed(program: Program, change: str) -> float:
    return program.metric("feed_symbol_changes_total", change=change)


@pytest.mark.parametrize("workers", ["1", "2"])
def test_a_changed_list_is_read_and_the_rest_goes_on(
    settings: dict[str, str], exchange: Exchange, tmp_path: Path, workers: str
) -> None:
    names = [name for name in exchange.symbols if name.startswith(("BTC", "ETH", "SOL", "XRP"))]
    want(tmp_path, *names)
    report = tmp_path / "report.json"
    with Program("produce", ["produce", "--workers", workers, "--report", str(report)], settings, tmp_path) as program:
        program.until(lambda: program.metric("feed_books", state="valid") == 4, "all books")
        want(tmp_path, "*", f"!{names[0]}", f"!{names[1]}")
        os.kill(program.pid, signal.SIGHUP)
        program.until(lambda: (changed(program, "added"), changed(program, "removed")) == (2, 2), "the change")
        program.until(lambda: program.metric("feed_books", state="valid") == 4, "the books of now")
        want(tmp_path, "NOPE-USD")
        os.kill(program.pid, signal.SIGHUP)
        program.until(lambda: "NOPE-USD" in program.log.read_text(), "the refusal")
        assert program.metric("feed_books", state="valid") == 4
        assert program.metric("feed_reconnects_total") == 0
        assert program.metric("feed_worker_restarts_total") == 0
        program.ask_to_end()
        assert program.wait() == 0
    books = json.loads(report.read_text())["books"]
    assert set(books) == set(exchange.symbols) - set(names[:2])
    assert not any(book["troubles"] for book in books.values())


def test_a_settings_file_that_is_wrong_changes_nothing(settings: dict[str, str], tmp_path: Path) -> None:
    want(tmp_path, "*")
    with Program("produce", ["produce", "--channels", "ticker"], settings, tmp_path) as program:
        program.until(lambda: program.metric("feed_events_total") > 0, "the first event")
        (tmp_path / "tickwire.toml").write_text("[feed\n")
        os.kill(program.pid, signal.SIGHUP)
        program.until(lambda: "cannot be read" in program.log.read_text(), "the sentence")
        before = program.metric("feed_events_total")
        program.until(lambda: program.metric("feed_events_total") > before, "more events")
        program.ask_to_end()
        assert program.wait() == 0


def test_a_hangup_is_taken_once_and_then_is_what_it_was_before(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.isatty", lambda _: False)
    before = signal.getsignal(signal.SIGHUP)
    with Hangups() as hangups:
        assert not hangups.take()
        signal.raise_signal(signal.SIGHUP)
        assert [hangups.take(), hangups.take()] == [True, False]
    assert signal.getsignal(signal.SIGHUP) == before


@pytest.mark.parametrize("terminal", [0, 1])
def test_a_terminal_that_goes_away_ends_the_program_as_before(terminal: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.isatty", lambda fd: fd == terminal)
    before = signal.getsignal(signal.SIGHUP)
    with Hangups():
        assert signal.getsignal(signal.SIGHUP) == before
