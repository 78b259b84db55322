"""What the tutorial says to type works, as it stands there but for the ports."""

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path

import pytest

from support import eventually
from tickwire.broker.ports import free_ports

PAGE = Path(__file__).parents[1] / "docs/tutorial.md"


@pytest.fixture
def ports() -> dict[str, str]:
    broker, market = free_ports("127.0.0.1", 2)
    return {"9092": str(broker), "9001": str(market)}


def typed(text: str, ports: dict[str, str]) -> list[str]:
    """The command that types a block into a shell of its own."""
    for port, free in ports.items():
        text = text.replace(port, free)
    *before, last = text.splitlines()
    return ["bash", "-ec", "\n".join([*before, last if "=" in last.split()[0] else f"exec {last}"])]


def environment(folder: Path) -> dict[str, str]:
    return {"PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}", "HOME": str(folder), "PYTHONPATH": "."}


@contextmanager
def terminal(command: list[str], ready: str, folder: Path, name: str) -> Iterator[None]:
    log = folder / f"{name}.log"
    with log.open("wb") as file:
        process = subprocess.Popen(command, cwd=folder, env=environment(folder), stdout=file, stderr=file)
        try:
            eventually(lambda: ready in log.read_text() or process.poll() is not None, name, 60)
            assert process.poll() is None, log.read_text()
            yield
        finally:
            process.terminate()
            process.wait(30)


def run(command: list[str], folder: Path) -> str:
    done = subprocess.run(
        command, cwd=folder, env=environment(folder), capture_output=True, text=True, timeout=90, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_tutorial_goes_from_a_feed_to_a_data_frame(tmp_path: Path, ports: dict[str, str]) -> None:
    blocks = re.findall(r"^```\w*\n(.*?)^```$", PAGE.read_text(), re.DOTALL | re.MULTILINE)
    _, broker, market, feed, book, consume, export, spread = blocks
    (tmp_path / "book.py").write_text(book)
    (tmp_path / "spread.py").write_text(spread)
    with (
        terminal(typed(broker, ports), "ready", tmp_path, "broker"),
        terminal(typed(market, ports), "listens", tmp_path, "market"),
        terminal(typed(feed, ports), "", tmp_path, "feed"),
    ):
        shown = run(typed(consume, ports), tmp_path).splitlines()
        run(typed(export, ports), tmp_path)
    books = [re.fullmatch(r"([0-9.]+) \([0-9.]+\) to ([0-9.]+)", line) for line in shown if " to " in line]
    assert len(books) > 50
    assert all(found is not None and Decimal(found[1]) < Decimal(found[2]) for found in books)
    table = run([sys.executable, "spread.py"], tmp_path)
    assert "BTC-USD" in table
    assert "ETH-USD" in table
