"""Files of an export have what is in Kafka, digit for digit."""

import random
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from consumer_support import ticker
from export_support import Message
from forms import FORMS, use
from record_support import BOOK, TICKER, TRADE, events
from tickwire.config.kafka_config import KafkaConfig
from tickwire.errors import RecordRejected
from tickwire.events.types import MarketEvent, OrderBook
from tickwire.export.run import Export
from tickwire.records.codec import read_event, record_key
from tickwire.records.kinds import KIND_OF, topics_by_kind


@pytest.fixture(params=FORMS, scope="module", autouse=True)
def form_of_code(request: pytest.FixtureRequest) -> Iterator[str]:
    with use(request.param):
        yield request.param


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
        msgspec.json.encode(changed(TICKER, sequence=2**64)),
        msgspec.json.encode(TRADE),
        msgspec.json.encode(TICKER) * 2,
        msgspec.json.encode(changed(TICKER, bid="-1")).replace(b'"-1"', b'"1.2.3"'),
        msgspec.json.encode(TICKER)[:-1] + b" ",
    ],
)
def test_what_is_no_event_is_left_out_and_named_and_the_others_are_there(tmp_path: Path, value: bytes) -> None:
    sent = [message(TICKER, 0), message(TICKER, 1, value), message(TICKER, 2)]
    found, run = exported(tmp_path, sent)
    assert [row["offset"] for row in found["ticker"]] == [0, 2]
    assert run.unreadable == 1
    assert run.first_unreadable.startswith("ticks.v1.raw partition 0 offset 1: ")


def test_a_trade_of_no_size_is_left_out(tmp_path: Path) -> None:
    found, run = exported(tmp_path, [message(TRADE, 0), message(changed(TRADE, size="0.00"), 1)])
    assert [row["offset"] for row in found["trade"]] == [0]
    assert run.unreadable == 1


def test_what_is_not_as_we_write_it_is_taken_as_a_consumer_takes_it(tmp_path: Path) -> None:
    chance = random.Random(7)
    for event in (TICKER, BOOK, TRADE) * 60:
        value = bytearray(msgspec.json.encode(event))
        value[chance.randrange(len(value))] = chance.choice(b'{}[]",:.-019eanull \\\x00\xc3')
        sent = message(event, 5, bytes(value))
        try:
            taken = msgspec.to_builtins(read_event(sent.key(), sent.value()))
        except RecordRejected:
            taken = None
        found, run = exported(tmp_path, [sent])
        assert (run.unreadable == 0) is (taken is not None), value
        [[row, *_]] = found.values() or [[{}]]
        for name in ("symbol", "bid", "ask_size", "trade_id", "size", "action", "reason", "sequence", "epoch"):
            if taken is not None and name in taken:
                assert row[name] == taken[name], value


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
