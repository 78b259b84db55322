"""A dialect is a file in a folder: nothing else names it."""

from pathlib import Path

import aiohttp
import pytest
from typer.testing import CliRunner

from support import aeventually
from tickwire import exchanges, simulator
from tickwire.cli.main import app
from tickwire.errors import UsageError
from tickwire.simulator import dialects
from tickwire.simulator.server import SimulatedExchange


@pytest.fixture
def _toy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dialects, "__path__", [*dialects.__path__, str(Path(__file__).parent / "more_dialects")])


def test_what_can_be_simulated_is_an_exchange() -> None:
    assert simulator.names()
    assert set(simulator.names()) <= set(exchanges.names())


@pytest.mark.usefixtures("_toy")
async def test_a_new_file_is_served_with_its_books_settings_and_faults() -> None:
    assert "toy" in simulator.names()
    async with (
        SimulatedExchange("toy", 2, 500, faults=["refuse=ETH-TOY"]) as exchange,
        aiohttp.ClientSession() as session,
        session.ws_connect(exchange.ws_url) as socket,
    ):
        assert exchange.settings()["FEED_SYMBOLS"] == "BTC-TOY"
        assert exchange.settings()["FEED_TOY_WS_URL"] == exchange.ws_url
        exchange.inject("skip")
        await aeventually(lambda: exchange.stats["faults"] == {"skip": 1}, "the fault")
        await exchange.freeze()
        last = [await socket.receive_json() for _ in range(exchange.stats["frames"]["book"])][-1]
        best = exchange.books(1)["BTC-TOY"]
        assert last == f"BTC-TOY {best['bids'][0][0]}"  # type: ignore[index]


@pytest.mark.usefixtures("_toy")
async def test_a_snapshot_may_be_stale_and_nothing_else() -> None:
    async with SimulatedExchange("toy", 1, 0) as exchange, aiohttp.ClientSession() as session:
        exchange.inject("stale")
        answers = []
        for path in ("/other", "/book", "/book"):
            async with session.get(exchange.rest_url + path) as answer:
                answers.append((answer.status, await answer.json()))
    assert answers == [(404, "new"), (200, "old"), (200, "new")]


@pytest.mark.usefixtures("_toy")
def test_a_fault_that_an_exchange_does_not_name_cannot_be_switched_on() -> None:
    with pytest.raises(UsageError, match="unknown"):
        SimulatedExchange("toy", faults=["checksum=0.1"])


@pytest.mark.parametrize("command", ["simulate", "demo"])
def test_the_help_names_what_can_be_simulated(command: str) -> None:
    text = CliRunner().invoke(app, [command, "--help"]).stdout
    assert ", ".join(simulator.names()) in " ".join(text.split())


def test_a_demo_of_an_exchange_that_cannot_be_simulated_starts_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dialects, "__path__", [])
    done = CliRunner().invoke(app, ["demo", "--exchange", exchanges.names()[0]])
    assert isinstance(done.exception, UsageError)
    assert "cannot be simulated" in str(done.exception)
    assert done.stdout == ""
