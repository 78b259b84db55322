"""`tickwire watch` shows the same as the page: a picture on a terminal, plain lines elsewhere."""

import io
import re
import subprocess
import sys
import time
from types import SimpleNamespace
from typing import Any

import pytest
from rich.console import Console

from consumer_support import config_for, create, send_events, ticker
from screen_support import BEGIN, Feed, S, book
from support import eventually
from tickwire.broker import EmbeddedBroker
from tickwire.cli.watch import chosen, lines, picture
from tickwire.ui.figures import Figures, Group


@pytest.fixture
def view() -> Any:
    feed = Feed()
    feed.take(
        ticker("BTC-USDT", "65000.10", BEGIN),
        ticker("ETH-USDT", "3200.5", BEGIN),
        book("snapshot", 0, symbol="BTC-USD"),
        ticker("\x1b[2J-USDT", "1", BEGIN),
    )
    feed.screen.second()
    figures = Figures(groups=[Group("storage", "stable", {"ticks": 3})])
    return SimpleNamespace(screen=feed.screen, figures=figures, rate=4, words=lambda: feed.screen.words(BEGIN + 9 * S))


def shown(view: Any, width: int, *wanted: str) -> str:
    console = Console(width=width, height=30, record=True, file=io.StringIO())
    console.print(picture(view, wanted or ("*",), console, BEGIN + S))
    return console.export_text()


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        (["BTC-*"], ["kraken|BTC-USD", "binance|BTC-USDT"]),
        (["ETH-USDT", "KRAKEN:*"], ["binance|ETH-USDT", "kraken|BTC-USD"]),
        (["KRAKEN:ETH-USDT"], []),
    ],
)
def test_symbols_are_chosen_by_name_exchange_and_pattern(view: Any, wanted: list[str], found: list[str]) -> None:
    assert [key for key, _ in chosen(view, wanted)] == found


def test_a_line_has_rate_books_groups_and_prices_and_wrong_things_have_their_own(view: Any) -> None:
    assert lines(view, ["BTC-USDT", "KRAKEN:*"]) == [
        "4 messages/s, books 1 of 1 valid, storage 3 behind, binance:BTC-USDT 65000.1/2.2, kraken:BTC-USD 100.1/100.3"
    ]
    view.words = lambda: ["Kafka \x1b[2J is away"]
    assert lines(view, ["NONE"])[1:] == ["wrong: Kafka \\x1b[2J is away"]


@pytest.mark.parametrize("width", [80, 200])
def test_a_terminal_shows_tickers_a_book_groups_and_no_escape_of_others(view: Any, width: int) -> None:
    view.words = lambda: ["BTC-USD on kraken is invalid"]
    text = shown(view, width)
    assert "\x1b" not in text
    assert "\\x1b[2J-USDT" in text
    assert "! BTC-USD on kraken is invalid" in text
    assert "65000.1" in text
    assert "kraken:BTC-USD" in text
    assert re.search(r"\b1 +100\.1 +100\.3 +3\b", text)
    assert "…" not in text
    assert "storage 3 behind" in text
    assert "No symbol is one of --symbols" in shown(view, width, "XRP")


def test_lines_come_from_kafka_until_the_command_is_told_to_end(
    embedded: EmbeddedBroker, unique: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = config_for(embedded.bootstrap, unique)
    create(config, config.ticker_topic)
    send_events(config, [ticker("BTC-USDT", "65000.10", time.time_ns() // 1000)])
    monkeypatch.setenv("KAFKA_TICKER_TOPIC", config.ticker_topic)
    command = [sys.executable, "-m", "tickwire", "watch", "--brokers", config.brokers]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        out = process.stdout
        eventually(lambda: "binance:BTC-USDT 65000.1/2.2" in out.readline(), "the price", 60)
        process.terminate()
        assert process.wait(20) == 0
