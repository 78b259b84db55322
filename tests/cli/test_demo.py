"""The demo passes with every exchange that can be simulated, and fails when something is wrong."""

import json
import subprocess
import sys

import pytest

from tickwire.simulator import names


def demo(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "tickwire", "demo", *arguments], capture_output=True, text=True, timeout=110, check=False
    )


@pytest.mark.parametrize("exchanges", [names()[first::4] for first in range(4)], ids=" ".join)
def test_the_demo_accounts_for_every_message_of_every_exchange(exchanges: list[str]) -> None:
    done = demo("--exchange", ",".join(exchanges), "--seconds", "3", "--symbols", "3", "--rate", "200")
    assert done.returncode == 0, done.stdout + done.stderr
    lines = done.stdout.splitlines()
    assert json.loads(lines[1])["value"]["exchange"] in exchanges  # a record, before the consumer says anything
    assert "every message accounted for" in lines[-1]
    books = 3 * len(exchanges)
    assert f"ok     books rebuilt from Kafka = books of the exchange: {books} = {books}" in lines
    assert "WRONG" not in done.stdout


@pytest.mark.parametrize(
    ("channels", "books"),
    [("ticker,orderbook,trade", "ok     books rebuilt"), ("trade", "")],
    ids=["all", "trades alone"],
)
def test_the_demo_accounts_for_the_channels_that_are_asked_for(channels: str, books: str) -> None:
    done = demo("--channels", channels, "--seconds", "3", "--rate", "1000")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "every message accounted for" in done.stdout
    assert books in done.stdout
    assert ("books rebuilt" in done.stdout) == bool(books)


def test_a_demo_that_can_read_no_exchange_fails_in_one_sentence() -> None:
    done = demo("--live", "--symbols", "NOSUCHPAIR", "--seconds", "1")
    assert done.returncode == 1
    assert "Traceback" not in done.stderr.rpartition("error: ")[0]
