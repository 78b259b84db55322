"""The specification's commands, as written there and in its order, on Apache Kafka and on the embedded broker.

A simulated exchange stands for the real one, and topics and group have names of their own, so that any cluster will do.
"""

import json
import os
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import IO

import pytest
from confluent_kafka import Producer

from brokers import Kafka
from support import eventually, free_port

ROOT = Path(__file__).parents[1]
METRICS = {
    "kafka_messages_published_total",
    "kafka_delivery_errors_total",
    "kafka_producer_queue_drops_total",
    "kafka_consumer_commits_total",
    "kafka_consumer_errors_total",
    "kafka_dlq_published_total",
}


class Shell:
    """Runs the specification's commands with the settings of this test."""

    def __init__(self, bootstrap: str, unique: str, exchange_port: int, folder: Path) -> None:
        self.bootstrap, self.folder = bootstrap, folder
        self.ticks, self.books, self.dead = (f"{name}.{unique}" for name in ("ticks", "books", "dead"))
        self.env = os.environ | {
            "KAFKA_ENABLED": "true",
            "KAFKA_BROKERS": bootstrap,
            "KAFKA_TICKER_TOPIC": self.ticks,
            "KAFKA_ORDERBOOK_TOPIC": self.books,
            "KAFKA_DLQ_TOPIC": self.dead,
            "KAFKA_GROUP_ID": f"specification-{unique}",
            "XDG_STATE_HOME": str(folder),
            "PYTHONPATH": ".",
            "FEED_BINANCE_WS_URL": f"ws://127.0.0.1:{exchange_port}",
            "FEED_BINANCE_REST_URL": f"http://127.0.0.1:{exchange_port}",
        }

    def run(self, *arguments: str, **env: str) -> str:
        done = subprocess.run(
            [sys.executable, *arguments],
            cwd=ROOT,
            env=self.env | env,
            capture_output=True,
            text=True,
            timeout=100,
            check=False,
        )
        assert done.returncode == 0, f"{arguments}: {done.stdout}{done.stderr}"
        return done.stdout

    def start(self, module: str, log: IO[bytes], **env: str) -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            [sys.executable, "-m", module], cwd=ROOT, env=self.env | env, stdout=log, stderr=subprocess.STDOUT
        )


@pytest.fixture
def exchange_port(tmp_path: Path) -> Iterator[int]:
    port = free_port()
    command = [sys.executable, "-m", "tickwire", "simulate", "--symbols", "1", "--port", str(port)]
    with (tmp_path / "exchange.log").open("wb") as log, subprocess.Popen(command, stdout=log, stderr=log) as process:
        eventually(lambda: "listens" in (tmp_path / "exchange.log").read_text(), "the simulated exchange")
        yield port
        process.terminate()


@pytest.fixture(params=["embedded", pytest.param("kafka", marks=pytest.mark.kafka)])
def shell(request: pytest.FixtureRequest, unique: str, exchange_port: int, tmp_path: Path) -> Shell:
    broker: Kafka = request.getfixturevalue(request.param)
    return Shell(broker.bootstrap, unique, exchange_port, tmp_path)


def metric(port: int, name: str) -> float:
    """Sum a metric over its labels; -1 while nothing answers."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=5) as answer:
            lines = answer.read().decode().splitlines()
    except (urllib.error.URLError, ConnectionError):
        return -1.0
    return sum(float(line.rpartition(" ")[2]) for line in lines if line.startswith(name))


def stop(process: subprocess.Popen[bytes], log: Path) -> None:
    process.send_signal(signal.SIGTERM)
    assert process.wait(40) == 0, log.read_text()


def test_check_and_topics_as_written(shell: Shell) -> None:
    assert shell.bootstrap in shell.run("-m", "scripts.kafka_check")
    create = ("-m", "scripts.kafka_topics", "--create", shell.ticks, "--partitions", "6", "--retention-ms", "86400000")
    shell.run(*create)
    assert shell.ticks in shell.run("-m", "scripts.kafka_topics", "--list")
    described = json.loads(shell.run("-m", "scripts.kafka_topics", "--describe", shell.ticks, "--json"))
    assert described["partitions"] == 6


def test_end_to_end_as_written(shell: Shell, tmp_path: Path) -> None:
    producer_port, consumer_port = free_port(), free_port()
    produced, consumed = tmp_path / "producer.log", tmp_path / "consumer.log"
    metrics = {"KAFKA_METRICS_ENABLED": "true"}
    with produced.open("wb") as out, consumed.open("wb") as got:
        producer = shell.start("scripts.run_kafka_producer", out, **metrics, KAFKA_METRICS_PORT=str(producer_port))
        published = "kafka_messages_published_total"
        eventually(lambda: metric(producer_port, published) > 20, "published messages", 40)
        dlq = {"KAFKA_DLQ_ENABLED": "true"}
        consumer = shell.start(
            "scripts.run_kafka_consumer", got, **metrics, **dlq, KAFKA_METRICS_PORT=str(consumer_port)
        )
        eventually(lambda: metric(consumer_port, "kafka_consumer_commits_total") > 0, "commits", 60)
        raw = Producer({"bootstrap.servers": shell.bootstrap})
        raw.produce(shell.ticks, b'{"type":"ticker"', b"binance|BTC-USDT", headers=[("origin", b"test")])
        assert raw.flush(20) == 0
        eventually(lambda: metric(consumer_port, "kafka_dlq_published_total") == 1, "the dead letter", 40)
        names = {name for name in METRICS if max(metric(producer_port, name), metric(consumer_port, name)) >= 0}
        stop(producer, produced)
        stop(consumer, consumed)
    assert names == METRICS
    shown = shell.run("-m", "scripts.dlq_inspector", "--max", "5", **dlq)
    assert "deserialize" in shown
    assert shell.ticks in shown
    (letter,) = (json.loads(line) for line in shell.run("-m", "scripts.dlq_inspector", "--json", **dlq).splitlines())
    assert letter["value"] == '{"type":"ticker"'
    assert letter["source_topic"] == shell.ticks


def test_the_smokes_as_written(shell: Shell) -> None:
    done = shell.run("-m", "scripts.kafka_e2e_smoke").splitlines()
    assert [line.partition(" ")[0] for line in done[:3]] == ["Published-ok", "Consumed-ok", "Dead-letter-ok"]
    assert [line.partition(" ")[0] for line in done[3:]] in ([], ["Clock-ok"])  # the embedded broker does not tell
    lines = shell.run("-m", "scripts.kafka_smoke_all").splitlines()
    assert [line.split("\t") for line in lines[-4:]] == [
        ["ok", "validate_kafka_smoke"],
        ["ok", "kafka_check"],
        ["ok", "kafka_topics --list"],
        ["ok", "kafka_e2e_smoke"],
    ]
    listed = shell.run("-m", "scripts.kafka_topics", "--list")
    assert "tickwire.smoke" not in listed
