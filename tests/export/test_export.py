"""Files of an export have what is in Kafka, digit for digit."""

import subprocess
import sys
from collections.abc import Sequence
from contextlib import ExitStack
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from consumer_support import config_for, create, send, send_events, ticker
from export_support import Message
from record_support import BOOK, TICKER, TRADE, events
from tickwire.broker import EmbeddedBroker
from tickwire.config.kafka_config import KafkaConfig
from tickwire.errors import RecordRejected
from tickwire.events.types import MarketEvent, OrderBook
from tickwire.export.run import Export
from tickwire.records.codec import read_event, record_key
from tickwire.records.kinds import KIND_OF, topics_by_kind

CONFIG = KafkaConfig()
TOPICS = topics_by_kind(CONFIG)


def message(event: MarketEvent, offset: int = 0, value: bytes | None = None) -> Message:
    kind = KIND_OF[type(event)].name
    key = record_key(event.exchange, event.symbol)
    return Message(TOPICS[kind], key, msgspec.json.encode(event) if value is None else value, offset)


def exported(
    folder: Path, messages: Sequence[Message], form: str = "arrow", **options: Any
) -> tuple[dict[str, list[dict[str, Any]]], Export]:
    """What the files have, by kind."""
    with ExitStack() as files:
        run = Export(CONFIG, files, folder, form, **options)
        run.write([messages])
    return {kind: pa.ipc.open_file(writer.path).read_all().to_pylist() for kind, writer in run.writers.items()}, run


def changed(event: Any, **fields: Any) -> Any:
    return msgspec.structs.replace(event, **fields)


def test_a_message_is_a_row_with_every_field_as_it_was(tmp_path: Path) -> None:
    found, run = exported(tmp_path, [message(TICKER, 7), message(TRADE, 8)])
    times = {
        "exchange_time": None,
        "received_time": datetime.fromtimestamp(1_700_000_000, UTC).replace(microsecond=999),
    }
    fields = {name: getattr(TICKER, name) for name in ("exchange", "symbol", "exchange_symbol", "bid", "bid_size")}
    fields |= {"ask": "65000.20", "ask_size": "0.5", "last": None, "sequence": 400900217}
    assert found["ticker"] == [fields | times | {"partition": 0, "offset": 7}]
    assert found["trade"][0]["price"] == "65000.20"
    assert found["trade"][0]["trade_id"] == "3482119"
    assert (run.records, run.unreadable) == (2, 0)


def test_a_book_is_a_row_a_level_change_bids_first_in_the_order_of_the_message(tmp_path: Path) -> None:
    invalid = changed(BOOK, action="invalid", reason="gap", bids=[], asks=[], book_seq=1)
    found, _ = exported(tmp_path, [message(BOOK, 1), message(invalid, 2)])
    shown = [tuple(row[name] for name in ("offset", "action", "side", "price", "size")) for row in found["orderbook"]]
    assert shown == [
        (1, "snapshot", "bid", "65000.1", "1.20000000"),
        (1, "snapshot", "bid", "65000.0", "3"),
        (1, "snapshot", "ask", "65000.2", "0.50000000"),
        (2, "invalid", None, None, None),
    ]


def test_decimals_are_exact(tmp_path: Path) -> None:
    number = "99999999999999.000000000000000000000001"
    found, run = exported(tmp_path, [message(changed(TRADE, price=number))], exact=True)
    assert found["trade"][0]["price"] == Decimal(number)
    assert run.unreadable == 0


def test_the_best_levels_follow_each_message_and_are_null_while_the_book_is_invalid(tmp_path: Path) -> None:
    delta = changed(BOOK, action="delta", bids=[("65000.1", "0")], asks=[("65000.15", "9")], book_seq=1, reason=None)
    invalid = changed(BOOK, action="invalid", reason="gap", bids=[], asks=[], book_seq=2)
    early = changed(delta, symbol="ETH-USD")
    sent = [message(event, at) for at, event in enumerate((early, BOOK, delta, invalid))]
    found, _ = exported(tmp_path, sent, levels=2, exact=True)
    names = ("offset", "valid", "bid_1", "bid_size_1", "ask_1", "bid_2", "ask_2")
    assert [tuple(row[name] for name in names) for row in found["orderbook"]] == [
        (1, True, Decimal("65000.1"), Decimal("1.2"), Decimal("65000.2"), Decimal(65000), None),
        (2, True, Decimal(65000), Decimal(3), Decimal("65000.15"), None, Decimal("65000.2")),
        (3, False, None, None, None, None, None),
    ]


@pytest.mark.parametrize("symbols", [["ETH-USDT"], ["binance:ETH-USDT"]])
def test_only_the_symbols_that_are_asked_for_are_written(tmp_path: Path, symbols: list[str]) -> None:
    found, _ = exported(tmp_path, [message(ticker("ETH-USDT")), message(ticker())], symbols=symbols)
    assert [row["symbol"] for row in found["ticker"]] == ["ETH-USDT"]
    assert exported(tmp_path, [message(ticker())], symbols=["kraken:BTC-USDT"])[0] == {}


@pytest.mark.parametrize(
    "value",
    [
        b"no JSON",
        b'{"type":"ticker"}',
        b"\xff",
        b"",
        msgspec.json.encode(changed(TICKER, bid="NaN")),
        msgspec.json.encode(changed(TICKER, symbol="OTHER")),
        msgspec.json.encode(changed(TICKER, sequence=2**63)),
        msgspec.json.encode(TRADE),
        msgspec.json.encode(TICKER) * 2,
    ],
)
def test_what_is_no_event_is_left_out_and_named_and_the_others_are_there(tmp_path: Path, value: bytes) -> None:
    sent = [message(TICKER, 0), message(TICKER, 1, value), message(TICKER, 2)]
    found, run = exported(tmp_path, sent)
    assert [row["offset"] for row in found["ticker"]] == [0, 2]
    assert run.unreadable == 1
    assert run.first_unreadable.startswith("ticks.v1.raw partition 0 offset 1: ")


def test_text_that_is_written_otherwise_is_the_same_event(tmp_path: Path) -> None:
    pretty = msgspec.json.format(msgspec.json.encode(TICKER), indent=2)
    exponent = changed(TICKER, bid="6.5e4", bid_size="1E-8")
    found, run = exported(tmp_path, [message(TICKER, 0, pretty), message(exponent, 1)], exact=True)
    assert [row["bid"] for row in found["ticker"]] == [Decimal("65000.10"), Decimal(65000)]
    assert found["ticker"][1]["bid_size"] == Decimal("0.00000001")
    assert run.unreadable == 0


@settings(max_examples=30, phases=[Phase.generate])  # to make a failure smaller takes minutes
@given(st.lists(events["orderbook"], min_size=1, max_size=4))
def test_every_book_that_can_be_read_is_written_with_all_its_levels(
    tmp_path_factory: pytest.TempPathFactory, some: list[OrderBook]
) -> None:
    sent = [message(event, at) for at, event in enumerate(some)]
    expected: list[tuple[Any, ...]] = []
    for one in sent:
        try:
            event = read_event(one.key(), one.value())
        except RecordRejected:
            continue
        assert isinstance(event, OrderBook)
        levels = [("bid", *level) for level in event.bids] + [("ask", *level) for level in event.asks]
        expected += [(one.offset(), *level) for level in levels] or [(one.offset(), None, None, None)]
    folder = tmp_path_factory.mktemp("export")
    with ExitStack() as files:
        Export(CONFIG, files, folder, "parquet").write([sent])
    columns = ["offset", "side", "price", "size"]  # times may be of a year that Python has no name for
    path = folder / "orderbook.parquet"
    rows = pq.read_table(path, columns=columns).to_pylist() if path.exists() else []
    assert [(row["offset"], row["side"], row["price"], row["size"]) for row in rows] == expected


def run_export(config: KafkaConfig, folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    names = {"KAFKA_TICKER_TOPIC": config.ticker_topic, "KAFKA_ORDERBOOK_TOPIC": config.orderbook_topic}
    command = [sys.executable, "-m", "tickwire", "export", "--brokers", config.brokers, "--out", str(folder)]
    return subprocess.run(
        [*command, "--channels", "ticker,orderbook", *arguments],
        env={"PATH": "", "HOME": str(folder), **names},
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )


@pytest.mark.parametrize("form", ["parquet", "arrow", "csv"])
def test_a_time_range_of_topics_becomes_files_that_readers_open(
    embedded: EmbeddedBroker, unique: str, tmp_path: Path, form: str
) -> None:
    config = config_for(embedded.bootstrap, unique)
    begin = 1_700_000_000_000
    for topic in (config.ticker_topic, config.orderbook_topic):
        create(config, topic, 2)
    send_events(config, [ticker(bid=f"{at}.10", received_us=(begin + at * 1000) * 1000) for at in range(10)])
    send_events(config, [changed(BOOK, received_us=begin * 1000 + 5_000_000)])
    done = run_export(config, tmp_path, "--from", str(begin + 2000), "--to", "2023-11-14T22:13:27Z", "--format", form)
    assert done.returncode == 0, done.stderr
    assert sorted(path.name for path in tmp_path.iterdir()) == [f"orderbook.{form}", f"ticker.{form}"]
    path = tmp_path / f"ticker.{form}"
    match form:
        case "parquet":
            bids = pl.read_parquet(path)["bid"].to_list()
        case "arrow":
            bids = pl.read_ipc(path)["bid"].to_list()
        case _:
            bids = pl.read_csv(path, infer_schema=False)["bid"].to_list()
    assert bids == [f"{at}.10" for at in range(2, 7)]
    assert "6 records in " in done.stdout


def test_records_that_cannot_be_read_end_the_command_with_1_and_whole_files(
    embedded: EmbeddedBroker, unique: str, tmp_path: Path
) -> None:
    config = config_for(embedded.bootstrap, unique)
    create(config, config.ticker_topic)
    send_events(config, [ticker(received_us=1_700_000_000_000_000)])
    send(config, config.ticker_topic, [b"no JSON"])
    done = run_export(config, tmp_path, "--from", "1600000000000")
    assert done.returncode == 1
    assert "1 of them could not be read and are left out; the first: ticks." in done.stdout
    assert pq.read_table(tmp_path / "ticker.parquet").num_rows == 1


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--from", "yesterday"], "--from 'yesterday' is no time"),
        (["--from", "2000", "--to", "1000"], "--to 1000 is not after --from 2000"),
        (["--from", "1", "--channels", "quotes"], "--channels quotes is none"),
    ],
)
def test_wrong_usage_is_one_sentence(tmp_path: Path, arguments: list[str], words: str) -> None:
    done = run_export(KafkaConfig(), tmp_path, *arguments)
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert words in done.stderr
