"""The programs of docs/handlers.md as they stand there; the one with batches in a process that is killed."""

import re
import signal
import subprocess
import sys
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pytest

from consumer_support import committed, config_for, create, send_events, ticker
from kafka.mock_cluster import MockCluster
from support import eventually
from tickwire.config.environment import for_child
from tickwire.config.kafka_config import KafkaConfig
from tickwire.events.types import OrderBook
from tickwire.kafka.consuming.consumer import run_kafka_consumer
from tickwire.kafka.consuming.handlers import load_handler
from tickwire.kafka.received import ReceivedRecord
from tickwire.records.codec import RecordWriter

PAGE = (Path(__file__).parents[3] / "docs/handlers.md").read_text()
BLOCKS = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
RECORDS = 10_000


def block(part: str) -> str:
    """The one program of the page that has *part* in it."""
    (found,) = [text for text in BLOCKS if part in text]
    return str(found)


def start(config: KafkaConfig, handler: str, folder: Path) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "tickwire", "consume", "--topics", config.ticker_topic, "--handler", handler]
    env = {
        "KAFKA_ENABLED": "true",
        "KAFKA_BROKERS": config.brokers,
        "KAFKA_TICKER_TOPIC": config.ticker_topic,
        "KAFKA_ORDERBOOK_TOPIC": config.orderbook_topic,
        "KAFKA_GROUP_ID": config.group_id,
        "KAFKA_GROUP_INSTANCE_ID": "one",  # Kafka need not wait until it believes that the killed one is gone
    }
    return subprocess.Popen(
        [*command, "--format", "none"], env=for_child(env, keep_settings=False), cwd=folder, stderr=sys.stderr
    )


@pytest.mark.kafka
def test_killed_in_the_middle_and_run_again_every_record_is_in_the_table(
    kafka: Any, unique: str, tmp_path: Path
) -> None:
    config = config_for(kafka.bootstrap, unique)
    create(config, config.ticker_topic, 2)
    (tmp_path / "tickers.py").write_text(block("class Sink"))
    (tmp_path / "small.py").write_text("from tickers import sink\nsink.batch_records = 20\n")  # slow enough to be hit
    table, written = tmp_path / "tickers.duckdb", tmp_path / "tickers.duckdb.wal"
    send_events(config, [ticker(f"S{i % 7}-USD", str(i), 1_700_000_000_000_000 + i) for i in range(RECORDS)])

    def rows() -> list[tuple[int, int]]:
        with duckdb.connect(str(table)) as connection:
            return connection.execute("SELECT received_us, CAST(bid AS BIGINT) FROM tickers ORDER BY 1").fetchall()

    process = start(config, "small:sink", tmp_path)
    try:
        eventually(lambda: written.exists() and written.stat().st_size > 50_000, "some batches", 60)
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()
    assert 0 < len(rows()) < RECORDS

    process = start(config, "tickers:sink", tmp_path)
    try:
        eventually(lambda: sum(at or 0 for at in committed(config, config.ticker_topic, 2)) == RECORDS, "all", 60)
    finally:
        process.terminate()
        code = process.wait()
    assert code == 0
    assert rows() == [(1_700_000_000_000_000 + i, i) for i in range(RECORDS)]


def test_files_of_batches_hold_every_record_once_also_when_some_come_again(
    unique: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / f"files_{unique}.py").write_text(block("import polars"))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])
    handler: Any = load_handler(f"files_{unique}:store", 40)
    with MockCluster() as mock:
        config = config_for(mock.bootstrap, unique)
        mock.create_topic(config.ticker_topic, 1)
        send_events(config, [ticker(bid=f"{i}.10", received_us=1_700_000_000_000_000 + i) for i in range(100)])
        report = run_kafka_consumer(config, topics=[config.ticker_topic], handler=handler, max_records=100)
        assert committed(config, config.ticker_topic) == [100]
        again = config.model_copy(update={"group_id": "again"})
        run_kafka_consumer(
            again, topics=[config.ticker_topic], handler=load_handler(f"files_{unique}:store", 30), max_records=60
        )
    assert report.processed[config.ticker_topic] == 100
    assert min(path.name for path in Path("ticks").iterdir()) == f"0-{0:020}.parquet"
    rows = sys.modules[f"files_{unique}"].read().sort("offset").collect()
    assert [(row["offset"], row["bid"]) for row in rows.to_dicts()] == [(i, Decimal(f"{i}.10")) for i in range(100)]
    assert rows["received"].dt.epoch("us").to_list() == [1_700_000_000_000_000 + i for i in range(100)]


def test_books_in_a_handler_of_ones_own(capsys: pytest.CaptureFixture[str]) -> None:
    names: dict[str, Any] = {}
    exec(block("MarketState()"), names)
    event = OrderBook(
        exchange="kraken",
        symbol="BTC-USD",
        exchange_symbol="BTC/USD",
        action="snapshot",
        reason="initial",
        depth=10,
        bids=[("1.5", "2"), ("1.4", "1")],
        asks=[("1.6", "3")],
        epoch=1,
        book_seq=0,
        received_us=1_700_000_000_000_000,
    )
    record = RecordWriter({"ticker": "ticks", "orderbook": "books"}).write(event)
    names["watch"](ReceivedRecord(record.topic, 0, 0, record.key, record.value, record.headers))
    assert capsys.readouterr().out == "[('1.5', '2')] [('1.6', '3')]\n"
