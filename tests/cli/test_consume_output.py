"""What ``tickwire consume`` shows on a terminal: nothing cut that matters, and why a book may not be used."""

import io

import pytest
from rich.console import Console

from kafka.publishing import trade
from tickwire.cli.consume_output import LiveTable, short_number, summary
from tickwire.events.book import Book
from tickwire.kafka.consuming.market_state import BookState, MarketState
from tickwire.kafka.consuming.report import ConsumerReport

TOPIC = "orderbook.v1.raw"


def market(**reasons: str | None) -> MarketState:
    """Books by symbol; with the reason ``valid`` they are."""
    state = MarketState()
    for number, (symbol, reason) in enumerate(reasons.items()):
        book = BookState((TOPIC, number), epoch=1, last_seq=123_456)
        book.book = Book([("64999.94000000", "1")], [("65000.06000000", "1")])
        book.whole, book.reason = reason == "valid", None if reason == "valid" else reason
        state.books[f"binance|{symbol}-USDT"] = book
    return state


def report(consumed: int = 5) -> ConsumerReport:
    found = ConsumerReport([TOPIC])
    found.count(TOPIC, "processed", consumed)
    found.assigned = 1
    return found


def screen(state: MarketState, width: int, counts: ConsumerReport) -> str:
    console = Console(file=io.StringIO(), width=width, height=40)
    with console.capture() as captured:
        console.print(LiveTable(state, console).view(counts, 1.0))
    return captured.get()


@pytest.mark.parametrize("width", [50, 80, 160])
def test_no_key_and_no_price_is_cut(width: int) -> None:
    shown = screen(market(BTC="valid", DOGE="gap"), width, report())
    for cell in ("binance|BTC-USDT", "binance|DOGE-USDT", "64999.94", "65000.06", "valid", "waits"):
        assert cell in shown
    assert "…" not in shown
    assert ("123456" in shown) == (width > 50)


def test_the_last_trade_of_each_key_has_a_column_where_there_are_trades() -> None:
    state = market(BTC="valid")
    assert "trade" not in screen(state, 160, report())
    state.trades["binance|ETH-USDT"] = trade(symbol="ETH-USDT")
    shown = screen(state, 160, report())
    assert all(cell in shown for cell in ("trade", "binance|ETH-USDT", "65000.2", "binance|BTC-USDT"))


def test_before_the_first_record_it_says_what_is_waited_for() -> None:
    assert "1 partitions, waits for records" in screen(MarketState(), 80, report(0))


def test_the_summary_says_why_books_may_not_be_used() -> None:
    text = summary(report(), market(A="valid", B="gap", C="gap", D=None, E="disconnect"))
    assert "books 1 of 4 valid, 3 wait for a snapshot (gap 2, none came yet 1), 1 books closed by their feed" in text


def test_books_of_a_feed_that_has_ended_are_closed_and_not_missing() -> None:
    text = summary(report(), market(A="disconnect", B="disconnect"))
    assert "2 books closed by their feed" in text
    assert "valid" not in text


@pytest.mark.parametrize(
    ("text", "short"), [("65000.06000000", "65000.06"), ("100.000", "100"), ("1200", "1200"), ("0.0", "0"), ("", "")]
)
def test_only_zeros_at_the_end_of_a_fraction_are_left_out(text: str, short: str) -> None:
    assert short_number(text) == short
