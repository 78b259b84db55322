"""``docs/exchanges.md`` and ``tickwire exchanges`` say what the modules say."""

import json
import re
from pathlib import Path

import pytest
from msgspec.structs import replace
from typer.testing import CliRunner

from tickwire import exchanges
from tickwire.cli.exchange_pages import long, page, short
from tickwire.cli.main import app
from tickwire.errors import UnknownExchange, UsageError

PAGE = Path(__file__).parents[2] / "docs" / "exchanges.md"


def test_the_page_of_exchanges_is_written_from_the_modules() -> None:
    assert PAGE.read_text(encoding="utf-8") == page(), "write it anew: tickwire exchanges --page > docs/exchanges.md"


def test_the_list_has_a_line_for_each_exchange() -> None:
    heading, *lines = CliRunner().invoke(app, ["exchanges"]).stdout.splitlines()
    assert re.split("  +", heading) == [
        "exchange",
        "channels",
        "depths",
        "book checks",
        "trade checks",
        "sizes",
        "compiled",
    ]
    assert [line.split()[0] for line in lines] == exchanges.names()


def test_what_cannot_be_checked_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    module = exchanges.load("kraken")
    known = replace(module.EXCHANGE, channels=("orderbook", "trade"), checks=(), trades_numbered=False)
    monkeypatch.setattr(module, "EXCHANGE", known)
    assert (short("kraken")["book checks"], short("kraken")["trade checks"]) == ("none", "none")
    monkeypatch.setattr(module, "EXCHANGE", replace(known, checks=("sequence", "checksum"), trades_numbered=True))
    assert (short("kraken")["book checks"], short("kraken")["trade checks"]) == ("sequence, checksum", "ids")


@pytest.mark.parametrize("name", exchanges.names())
def test_each_exchange_is_shown_with_its_addresses_and_the_sources_of_its_limits(name: str) -> None:
    shown, exchange = CliRunner().invoke(app, ["exchanges", name]).stdout, exchanges.load(name).EXCHANGE
    assert shown == long(name) + "\n"
    assert "- " in shown
    assert all(f"`{url}`" in shown for url in {exchange.ws_url, exchange.rest_url, *exchange.ws_urls.values()})
    rows = dict(line[2:].split(" | ", 1) for line in shown.splitlines() if line.startswith("| "))
    value, source = rows["symbols on one connection"].removesuffix(" |").split(" | ")
    assert int(value) == exchange.symbols_per_connection
    assert source, "the limit names no source beside its value"


def test_a_limit_that_was_taken_over_keeps_its_source() -> None:
    source = "21,000 characters of topics a connection"
    assert source in long("bybit")
    assert source in long("bybit_linear")


def test_with_json_each_line_is_an_exchange() -> None:
    lines = [json.loads(line) for line in CliRunner().invoke(app, ["exchanges", "--json"]).stdout.splitlines()]
    assert [line["exchange"] for line in lines] == exchanges.names()
    assert [line["checks"] for line in lines] == [list(exchanges.load(n).EXCHANGE.checks) for n in exchanges.names()]


@pytest.mark.parametrize(("arguments", "error"), [(["karken"], UnknownExchange), (["kraken", "--json"], UsageError)])
def test_what_is_asked_for_wrongly_is_refused(arguments: list[str], error: type[UsageError]) -> None:
    done = CliRunner().invoke(app, ["exchanges", *arguments])
    assert isinstance(done.exception, error)
    assert done.stdout == ""
