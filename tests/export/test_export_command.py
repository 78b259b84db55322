"""The command that exports, as a process of its own on a broker."""

import subprocess
import sys
from pathlib import Path

import msgspec
import polars as pl
import pyarrow.parquet as pq
import pytest

from consumer_support import config_for, create, send, send_events, ticker
from record_support import BOOK
from tickwire.broker import EmbeddedBroker
from tickwire.config.kafka_config import KafkaConfig


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
    send_events(config, [msgspec.structs.replace(BOOK, received_us=begin * 1000 + 5_000_000)])
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
