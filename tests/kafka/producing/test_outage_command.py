"""`tickwire produce` as a process: what it says and leaves when Kafka is away, and what the next start does with it."""

import asyncio
import contextlib
import json
import os
import signal
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from kafka.mock_cluster import MockCluster
from kafka.publishing import numbers_of
from kafka.spill.spill_support import bytes_on_disk
from support import aeventually, free_port
from tickwire.config.environment import for_child
from tickwire.config.kafka_config import KafkaConfig
from tickwire.kafka.producing.ledger import OUTCOMES
from tickwire.signals import TOGETHER_S
from tickwire.simulator.server import SimulatedExchange


class Produce:
    """A running `tickwire produce`, its output in files."""

    def __init__(self, process: asyncio.subprocess.Process, folder: Path) -> None:
        self.process = process
        self._folder = folder

    async def end(self, signum: signal.Signals | None = None) -> int:
        if signum is not None:
            self.process.send_signal(signum)
        return await asyncio.wait_for(self.process.wait(), 60)

    @property
    def log(self) -> str:
        return (self._folder / "log").read_text()

    @property
    def last_line(self) -> str:
        return (self._folder / "out").read_text().splitlines()[-1]

    @property
    def report(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads((self._folder / "report.json").read_text())
        return found


@asynccontextmanager
async def produce(
    exchange: SimulatedExchange, mock: MockCluster, folder: Path, *arguments: str, **settings: str
) -> AsyncIterator[Produce]:
    values = {
        "KAFKA_ENABLED": "true",
        "KAFKA_BROKERS": mock.bootstrap,
        "KAFKA_QUEUE_MAX_MESSAGES": "50",
        "KAFKA_SHUTDOWN_SECONDS": "1",
        "FEED_SYMBOLS": ",".join(exchange.books(1)),
        "FEED_BINANCE_WS_URL": exchange.ws_url,
        "FEED_BINANCE_REST_URL": exchange.rest_url,
        "XDG_STATE_HOME": os.environ["XDG_STATE_HOME"],
    }
    command = [sys.executable, "-m", "tickwire", "produce", "--report", str(folder / "report.json"), *arguments]
    with (folder / "log").open("wb") as log, (folder / "out").open("wb") as out:
        process = await asyncio.create_subprocess_exec(
            *command, env=for_child(values | settings, keep_settings=False), stdout=out, stderr=log
        )
    try:
        yield Produce(process, folder)
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


def starts_of_books(mock: MockCluster) -> list[int]:
    config = KafkaConfig(brokers=mock.bootstrap)
    return [numbers.count(0) for numbers in numbers_of(config, config.orderbook_topic).values()]


async def test_records_of_an_outage_wait_for_the_next_start_and_the_last_line_says_so(
    mock: MockCluster, tmp_path: Path
) -> None:
    state = Path(os.environ["XDG_STATE_HOME"]) / "tickwire" / "spill" / "binance"
    async with SimulatedExchange("binance", symbols=3, rate=300) as exchange:
        mock.set_down()
        async with produce(exchange, mock, tmp_path, "--offline-start") as first:
            await aeventually(lambda: bytes_on_disk(state) > 100_000, "books on disk", 40)
            assert await first.end(signal.SIGTERM) == 0
        report = first.report
        assert report["in_flight"] == 0
        assert report["spilled"] > 10
        assert report["acknowledged"] == 0
        assert f"{report['spilled']} records wait in {state}" in first.last_line
        assert sum(report["events"].values()) == sum(
            sum(n for stage, n in account.items() if stage != "events") for account in report["topics"].values()
        )

        mock.set_up()
        async with produce(exchange, mock, tmp_path) as second:
            await aeventually(lambda: bytes_on_disk(state) == 0, "the disk is drained", 40)
            await aeventually(lambda: min(starts_of_books(mock)) == 2, "the books of the second run", 40)
            assert await second.end(signal.SIGTERM) == 0
    recovered = second.report["recovered"]
    assert recovered["acknowledged"] == recovered["records"] == report["spilled"]
    assert second.last_line == "Nothing remains to be delivered."
    books = numbers_of(KafkaConfig(brokers=mock.bootstrap), KafkaConfig().orderbook_topic)
    in_topic = sum(map(len, books.values()))
    assert in_topic == sum(r["topics"]["orderbook.v1.raw"]["events"] for r in (report, second.report))
    for numbers in books.values():
        # Each run is an epoch: the second begins at 0 again, and nothing is missing before that.
        begin = numbers.index(0, 1)
        assert numbers == [*range(begin), *range(len(numbers) - begin)]


async def test_without_kafka_at_the_start_it_ends_with_one_sentence(mock: MockCluster, tmp_path: Path) -> None:
    async with SimulatedExchange("binance", symbols=1, rate=100) as exchange:
        mock.set_down()
        async with produce(exchange, mock, tmp_path) as child:
            assert await child.end() == 1
    (line,) = [line for line in child.log.splitlines() if line.startswith("error: ")]
    assert "KAFKA_BROKERS" in line


async def test_a_second_process_on_the_folder_is_refused(mock: MockCluster, tmp_path: Path) -> None:
    other = tmp_path / "second"
    other.mkdir()
    async with (
        SimulatedExchange("binance", symbols=1, rate=100) as exchange,
        produce(exchange, mock, tmp_path) as first,
    ):
        await aeventually(lambda: list(tmp_path.rglob("lock")), "the first one runs", 40)
        async with produce(exchange, mock, other) as second:
            assert await second.end() == 2
        assert "KAFKA_SPILL_DIR" in second.log
        assert await first.end(signal.SIGTERM) == 0


async def test_a_second_signal_ends_at_once(mock: MockCluster, tmp_path: Path) -> None:
    async with (
        SimulatedExchange("binance", symbols=1, rate=100) as exchange,
        produce(
            exchange, mock, tmp_path, KAFKA_SHUTDOWN_SECONDS="1000", KAFKA_SPILL_DIR=str(tmp_path / "spill")
        ) as child,
    ):
        await aeventually(lambda: exchange.stats["connections"], "it runs", 40)
        mock.set_down()
        await aeventually(lambda: bytes_on_disk(tmp_path) > 0, "the queue is full", 40)
        child.process.send_signal(signal.SIGINT)
        # Only now the next one: two that wait together may be handled in either order.
        await aeventually(lambda: exchange.stats["connections"] == 0, "it heard the first one", 40)
        heard = time.monotonic()
        await aeventually(lambda: time.monotonic() > heard + TOGETHER_S, "the next signal is another one")
        assert await child.end(signal.SIGTERM) == 128 + signal.SIGTERM
        lost = int(child.last_line.split()[0])
        assert 0 < lost <= 50 + 2  # the queue, and the newest ticker
        assert child.last_line.startswith(f"{lost} records are LOST")
        assert f"records wait in {tmp_path}" in child.last_line


def samples(page: str) -> dict[str, float]:
    """A page of metrics by name and labels."""
    lines = [line.rpartition(" ") for line in page.splitlines() if line and not line.startswith("#")]
    return {name: float(value) for name, _, value in lines}


async def test_every_scrape_finds_each_event_in_one_place(mock: MockCluster, tmp_path: Path) -> None:
    """Under load and in an outage: events = acknowledged + conflated + dropped + failed + in flight, in each page."""
    port = free_port()
    topics = {"ticker": KafkaConfig().ticker_topic, "orderbook": KafkaConfig().orderbook_topic}
    checked = {"up": 0, "down": 0}

    async def scrape() -> float:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"GET /metrics HTTP/1.0\r\n\r\n")
        page = samples((await reader.read()).decode().partition("\r\n\r\n")[2])
        writer.close()
        for kind, topic in topics.items():
            ends = [f'kafka_records_total{{outcome="{end}",topic="{topic}"}}' for end in OUTCOMES]
            here = sum(page[end] for end in ends) + page[f'kafka_records_in_flight{{topic="{topic}"}}']
            assert page[f'feed_events_total{{exchange="binance",type="{kind}"}}'] == here
        return sum(page[f'feed_events_total{{exchange="binance",type="{kind}"}}'] for kind in topics)

    async with (
        SimulatedExchange("binance", symbols=5, rate=3000) as exchange,
        produce(exchange, mock, tmp_path, KAFKA_METRICS_ENABLED="true", KAFKA_METRICS_PORT=str(port)) as child,
    ):
        await aeventually(lambda: list(tmp_path.rglob("lock")) or "listen" in child.log, "it runs", 40)
        seen: set[float] = set()
        async with asyncio.timeout(100):
            while len(seen) < 60:
                if len(seen) == 30:
                    mock.set_down()
                with contextlib.suppress(ConnectionRefusedError, KeyError):  # it is not there yet
                    seen.add(await scrape())
                    checked["down" if len(seen) > 30 else "up"] += 1
        assert await child.end(signal.SIGTERM) == 0
    assert min(checked.values()) >= 20
