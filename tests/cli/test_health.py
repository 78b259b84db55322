"""What ``/health/live`` and ``/health/ready`` answer, of processes that run and of pages of metrics."""

import asyncio
import os
import signal
import sys
import urllib.error
import urllib.request
from collections.abc import Iterable
from contextlib import AsyncExitStack
from pathlib import Path
from subprocess import Popen

import pytest
from prometheus_client import CollectorRegistry, make_wsgi_app

from consumer_support import config_for, create
from kafka.consuming.test_consumer_registry import SUBJECT, produce
from kafka.mock_cluster import MockCluster
from registry_support import avro, client
from support import aeventually, eventually, free_port
from tickwire.broker import EmbeddedBroker, MemoryRegistry
from tickwire.cli.health import Health, consumer_troubles, producer_troubles
from tickwire.config.environment import for_child
from tickwire.metrics_page import Page, read_page
from tickwire.simulator.server import SimulatedExchange


def ask(port: int, what: str) -> tuple[int, str]:
    """The status of an answer, and what it says; 0 while nothing answers."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/health/{what}", timeout=10) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as e:
        return e.code, e.read().decode()
    except OSError:
        return 0, ""


def start(command: str, port: int, folder: Path, **settings: str) -> Popen[bytes]:
    values = {"KAFKA_ENABLED": "true", "KAFKA_METRICS_ENABLED": "true", "KAFKA_METRICS_PORT": str(port)} | settings
    values["XDG_STATE_HOME"] = os.environ["XDG_STATE_HOME"]
    with (folder / "log").open("wb") as log:
        return Popen(
            [sys.executable, "-m", "tickwire", command],
            env=for_child(values, keep_settings=False), stdout=log, stderr=log,
        )  # fmt: skip


async def test_a_producer_is_ready_while_kafka_acknowledges_and_its_books_are_valid(
    mock: MockCluster, tmp_path: Path
) -> None:
    """Kafka goes away and comes back, then the exchange goes; it lives all the time."""
    port = free_port()

    async def answers(status: int, words: str) -> None:
        seen: list[tuple[int, str]] = [(0, "")]

        async def look() -> None:
            while seen[0][0] != status or words not in seen[0][1]:
                seen[0] = await asyncio.to_thread(ask, port, "ready")
                await asyncio.sleep(0.05)

        looking = asyncio.create_task(look())
        try:
            await aeventually(looking.done, f"{status} {words}", 40)
        finally:
            looking.cancel()
        assert (await asyncio.to_thread(ask, port, "live"))[0] == 200

    async with AsyncExitStack() as stack:
        exchange = await stack.enter_async_context(SimulatedExchange("binance", symbols=3, rate=300))
        with start(
            "produce", port, tmp_path,
            KAFKA_BROKERS=mock.bootstrap, KAFKA_SHUTDOWN_SECONDS="1", FEED_SYMBOLS=",".join(exchange.books(1)),
            FEED_BINANCE_WS_URL=exchange.ws_url, FEED_BINANCE_REST_URL=exchange.rest_url,
        ) as process:  # fmt: skip
            try:
                await answers(200, "ok")
                mock.set_down()
                await answers(503, "Kafka has acknowledged nothing for")
                mock.set_up()
                await answers(200, "ok")
                await stack.aclose()
                await answers(503, "Order books of binance that are not valid: 3 of 3.")
            finally:
                process.send_signal(signal.SIGTERM)
            assert await asyncio.to_thread(process.wait, 40) == 0, (tmp_path / "log").read_text()


def test_a_consumer_is_ready_with_an_answer_of_its_group_and_while_the_registry_gives_its_schemas(
    embedded: EmbeddedBroker, unique: str, tmp_path: Path
) -> None:
    port = free_port()
    with MemoryRegistry() as memory:
        config = config_for(embedded.bootstrap, unique, schema_registry_url=memory.url)
        for topic in config.topics:
            create(config, topic)
        settings = {
            "KAFKA_BROKERS": embedded.bootstrap, "KAFKA_GROUP_ID": config.group_id,
            "KAFKA_SCHEMA_REGISTRY_URL": memory.url, "KAFKA_TICKER_TOPIC": config.ticker_topic,
            "KAFKA_ORDERBOOK_TOPIC": config.orderbook_topic, "KAFKA_TRADES_TOPIC": config.trades_topic,
        }  # fmt: skip
        with start("consume", port, tmp_path, **settings) as process:
            try:
                eventually(
                    lambda: ask(port, "ready") == (503, "The group has given this member no answer yet.\n"), "up"
                )
                eventually(lambda: ask(port, "ready") == (200, "ok\n"), "the group's answer", 40)
                produce(config, 1, [1])
                eventually(
                    lambda: ask(port, "ready") == (503, "Partitions that wait for the schema registry: 1.\n"), "waits"
                )
                assert ask(port, "live") == (200, "ok\n")
                client(memory.url).register(SUBJECT, avro())
                eventually(lambda: ask(port, "ready") == (200, "ok\n"), "the schema", 40)
            finally:
                process.send_signal(signal.SIGTERM)
            assert process.wait(40) == 0, (tmp_path / "log").read_text()


RUNS = 'feed_running{exchange="kraken"} 2\nkafka_messages_published_total 5\n'


@pytest.mark.parametrize(
    ("page", "troubles"),
    [
        (RUNS + 'feed_books{exchange="kraken",state="valid"} 3', []),
        (RUNS, ["The symbols of kraken are not known yet."]),
        ('feed_running{exchange="htx"} 1', ["Kafka has acknowledged no record yet."]),
        (
            RUNS + 'feed_running{exchange="okx"} 0\nfeed_books{exchange="kraken",state="valid"} 3',
            ["The feed of okx does not run."],
        ),
        (
            RUNS + 'feed_books{exchange="kraken",state="valid"} 3\nfeed_workers{state="running"} 1\n'
            'feed_workers{state="silent"} 1',
            ["Workers that are silent: 1."],
        ),
        (
            RUNS + 'feed_books{exchange="kraken",state="valid"} 3\nkafka_outage_seconds 7.4',
            ["Kafka has acknowledged nothing for 7 s."],
        ),
        (
            'feed_running{exchange="kraken"} 1\nfeed_group_confirmed{group="a"} 1\nfeed_group_shares{group="a"} 0',
            [],
        ),
        (
            RUNS + 'feed_books{exchange="kraken",state="valid"} 3\nfeed_group_confirmed{group="a"} 0',
            ["The group a has not confirmed lately what this member serves."],
        ),
        (
            'feed_running{exchange="kraken"} 1\nfeed_group_confirmed{group="a"} 1\nfeed_group_shares{group="a"} 2',
            ["Kafka has acknowledged no record yet."],
        ),
    ],
)  # fmt: skip
def test_why_a_producer_is_not_ready(page: str, troubles: list[str]) -> None:
    assert list(producer_troubles(read_page(page + "\n"), {"kraken"})) == troubles


def test_a_member_of_a_group_that_has_more_members_than_partitions_is_ready() -> None:
    page = 'kafka_consumer_joined 1\nkafka_consumer_partitions{state="assigned"} 0\n'
    assert list(consumer_troubles(read_page(page))) == []


def test_it_lives_while_its_main_loop_goes_round_and_before_the_first_time() -> None:
    now = [0.0]

    def none(_: Page) -> Iterable[str]:
        return ()

    registry = CollectorRegistry()
    health = Health(registry, none, lambda: now[0])
    application = health.beside(make_wsgi_app(registry))

    def status(path: str) -> str:
        said: list[str] = []

        def begin(status: str, *_: object) -> object:
            said.append(status)
            return None

        list(application({"PATH_INFO": path, "REQUEST_METHOD": "GET"}, begin))  # type: ignore[arg-type]
        return said[0][:3]

    now[0] = 1000.0
    assert status("/health/live") == "200"
    health.beat()
    now[0] += 59
    assert status("/health/live") == "200"
    now[0] += 2
    assert [status(f"/{path}") for path in ("health/live", "health/ready", "metrics")] == ["503", "503", "200"]
