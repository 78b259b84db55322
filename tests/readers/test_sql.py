"""The SQL of docs/readers.md, as it stands there, gives the books that the product's own reader has."""

from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import polars as pl
import pytest

from readers.pages import TOPIC, block, history, write_values
from tickwire.kafka.consuming.market_state import MarketState
from tickwire.kafka.received import ReceivedRecord
from tickwire.records.codec import Record

Level = tuple[str, str, str, Decimal, Decimal]  # exchange, symbol, side, price, size


@pytest.fixture(scope="module")
def records() -> list[Record]:
    return history()


@pytest.fixture(scope="module")
def expected(records: list[Record]) -> dict[str, Any]:
    """What the product's own reader makes of the records."""
    state = MarketState()
    for offset, record in enumerate(records):
        state(ReceivedRecord(TOPIC, 0, offset, record.key, record.value, record.headers))
    books: dict[str, Any] = state.report()["books"]
    assert {key: book["valid"] for key, book in books.items()} == {"binance|BTC-USDT": True, "kraken|BTC-USD": False}
    assert state.jumps == 0
    return books


@pytest.fixture(autouse=True)
def file_of_values(records: list[Record], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_values(records, tmp_path / "orderbook.jsonl")
    monkeypatch.chdir(tmp_path)


def levels(books: dict[str, Any]) -> set[Level]:
    return {
        (*key.split("|"), side[:-1], Decimal(price), Decimal(size))  # type: ignore[misc]
        for key, book in books.items()
        for side in ("bids", "asks")
        for price, size in book[side]
    }


@pytest.fixture
def duck() -> duckdb.DuckDBPyConnection:
    connection = duckdb.connect()
    connection.execute(block("DuckDB", "sql"))
    return connection


def test_duckdb_rebuilds_every_level(duck: duckdb.DuckDBPyConnection, expected: dict[str, Any]) -> None:
    rows = duck.execute("SELECT exchange, symbol, side, price, size FROM book").fetchall()
    assert len(rows) == len(set(rows))
    assert set(rows) == levels(expected)


def test_duckdb_gives_the_best_bid_and_ask(duck: duckdb.DuckDBPyConnection, expected: dict[str, Any]) -> None:
    rows = duck.execute("SELECT exchange || '|' || symbol, bid, bid_size, ask, ask_size FROM top").fetchall()
    assert {key: best for key, *best in rows} == {
        key: [Decimal(number) for level in (book["bids"][0], book["asks"][0]) for number in level]
        for key, book in expected.items()
    }


def test_duckdb_tells_what_may_be_used(duck: duckdb.DuckDBPyConnection, expected: dict[str, Any]) -> None:
    rows = duck.execute("SELECT exchange || '|' || symbol, valid, whole FROM state").fetchall()
    assert sorted(rows) == sorted((key, book["valid"], True) for key, book in expected.items())


def test_duckdb_tells_that_a_record_is_missing(records: list[Record], tmp_path: Path) -> None:
    write_values([record for i, record in enumerate(records) if i != len(records) - 5], tmp_path / "orderbook.jsonl")
    connection = duckdb.connect()
    connection.execute(block("DuckDB", "sql"))
    rows = connection.execute("SELECT exchange, whole FROM state").fetchall()
    assert sorted(rows) == [("binance", True), ("kraken", False)]


def test_products_have_room_in_the_type_that_the_page_names(duck: duckdb.DuckDBPyConnection) -> None:
    (exact,) = duck.execute("SELECT sum(bid * bid_size) FROM top").fetchall()[0]
    rows = duck.execute("SELECT bid, bid_size FROM top").fetchall()
    assert exact == sum(bid * size for bid, size in rows)


def test_polars_rebuilds_every_level(expected: dict[str, Any]) -> None:
    names: dict[str, Any] = {}
    exec(compile(block("Polars", "python"), "docs/readers.md", "exec"), names)
    book = names["book"]
    assert book.schema["price"] == pl.Decimal(28, 12)
    assert len(book.rows()) == len(set(book.rows()))
    assert set(book.rows()) == levels(expected)
