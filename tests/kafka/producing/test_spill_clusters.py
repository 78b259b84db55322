"""What waits on disk belongs to one cluster: starts against another, by a publisher and by `tickwire spill`."""

import asyncio
import json
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest

from kafka.mock_cluster import MockCluster
from kafka.publishing import T0, book, config_for, numbers_of, topics_on
from support import aeventually
from tickwire.cli import main
from tickwire.config.kafka_config import KafkaConfig
from tickwire.errors import SpillOfAnotherCluster
from tickwire.kafka.clients import ClusterView
from tickwire.kafka.producing import publisher as publisher_module
from tickwire.kafka.producing.flow import NullFlow
from tickwire.kafka.producing.place import cluster_name
from tickwire.kafka.producing.publisher import Publisher

SYMBOL = "A-USDT"


@pytest.fixture(autouse=True)
def short_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(publisher_module, "CONNECT_SECONDS", 1.0)


@pytest.fixture(scope="module")
def one() -> Iterator[MockCluster]:
    with MockCluster() as cluster:
        yield cluster


@pytest.fixture(scope="module")
def two() -> Iterator[MockCluster]:
    with MockCluster() as cluster:
        yield cluster


async def started(
    config: KafkaConfig, symbol: str = SYMBOL, *, feed: NullFlow | None = None, offline_start: bool = False
) -> Publisher:
    publisher = Publisher(config, source="binance", offline_start=offline_start)
    publisher.place.serve("binance", ["orderbook"], [symbol], [symbol], names=True)
    await asyncio.to_thread(publisher.open)
    publisher.flows.join("binance", feed or NullFlow())
    publisher.start(asyncio.get_running_loop())
    return publisher


@asynccontextmanager
async def running(
    config: KafkaConfig, symbol: str = SYMBOL, *, offline_start: bool = False
) -> AsyncIterator[Publisher]:
    publisher = await started(config, symbol, offline_start=offline_start)
    try:
        yield publisher
    finally:
        await publisher.close(10)


def settings(mock: MockCluster, unique: str, folder: Path) -> KafkaConfig:
    config = config_for(mock.bootstrap, unique, spill_dir=folder)
    topics_on(mock, config)
    return config


async def leave(mock: MockCluster, config: KafkaConfig, symbol: str = SYMBOL, *, reached: bool = True) -> None:
    """Let ten records wait on disk."""
    if not reached:
        mock.set_down()
    publisher = await started(config, symbol, offline_start=not reached)
    mock.set_down()
    for number in range(10):
        publisher.publish(book("delta" if number else "snapshot", number, symbol))
    assert await publisher.close(0) == 0
    mock.set_up()


def spill(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str]:
    """Run ``tickwire spill``: exit code, and what was written; of JSON standard output alone."""
    with pytest.raises(SystemExit) as ended:
        main.main(["spill", *arguments])
    out, err = capsys.readouterr()
    return int(ended.value.code or 0), out if "--json" in arguments else out + err


async def test_a_start_against_another_cluster_is_refused_and_sends_nothing(
    one: MockCluster, two: MockCluster, unique: str, tmp_path: Path
) -> None:
    config, other = settings(one, unique, tmp_path), settings(two, unique, tmp_path)
    await leave(one, config)
    with pytest.raises(SpillOfAnotherCluster, match="tickwire spill send"):
        async with running(other):
            pass
    async with running(other, "B-USDT") as publisher:  # which has nothing to do with it
        publisher.publish(book("snapshot", 0, "B-USDT"))
    assert numbers_of(other, config.orderbook_topic) == {"B-USDT": [0]}
    async with running(config):
        pass
    assert numbers_of(config, config.orderbook_topic) == {SYMBOL: list(range(10))}


@pytest.mark.parametrize("reached", [True, False])
async def test_a_start_without_kafka_sends_nothing_to_the_wrong_cluster_that_appears(
    reached: bool, one: MockCluster, two: MockCluster, unique: str, tmp_path: Path
) -> None:
    config, other = settings(one, unique, tmp_path), settings(two, unique, tmp_path)
    await leave(one, config, reached=reached)
    two.set_down()
    feed = NullFlow()
    publisher = await started(other, feed=feed, offline_start=True)
    publisher.publish(book("snapshot", 0, SYMBOL, epoch=2))
    two.set_up()
    await aeventually(lambda: feed.errors, "the wrong cluster is noticed", 30)
    assert isinstance(feed.errors[0], SpillOfAnotherCluster)
    assert await publisher.close(1) == 0
    assert numbers_of(other, config.orderbook_topic) == {}
    async with running(config):
        pass
    assert numbers_of(config, config.orderbook_topic) == {SYMBOL: [*range(10), 0]}


async def test_records_go_to_the_topic_that_they_were_for(one: MockCluster, unique: str, tmp_path: Path) -> None:
    config = settings(one, unique, tmp_path)
    await leave(one, config)
    renamed = config.model_copy(
        update={f"{name}_topic": f"{name}2.{unique}" for name in ("ticker", "orderbook", "trades")}
    )
    topics_on(one, renamed)
    async with running(renamed) as publisher:
        publisher.publish(book("delta", 10, SYMBOL))
    assert publisher.recovered().acknowledged == 10
    assert numbers_of(config, config.orderbook_topic) == {SYMBOL: list(range(10))}
    assert numbers_of(renamed, renamed.orderbook_topic) == {SYMBOL: [10]}


def test_the_embedded_broker_is_told_by_its_address_because_all_have_one_id() -> None:
    view = ClusterView("tansu_cluster", 0, (), {})
    here, there = (KafkaConfig(brokers=brokers) for brokers in ("b:1,a:1", "b:2"))
    assert cluster_name(view, here) == "tansu_cluster at a:1,b:1"
    assert cluster_name(view, here) != cluster_name(view, there)
    assert cluster_name(ClusterView("x", 0, (), {}), here) == cluster_name(ClusterView("x", 0, (), {}), there) == "x"


def test_the_command_lists_sends_and_drops(
    one: MockCluster,
    two: MockCluster,
    unique: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    config, other = settings(one, unique, tmp_path / "spill"), settings(two, unique, tmp_path / "spill")
    monkeypatch.setenv("KAFKA_ENABLED", "true")
    monkeypatch.setenv("KAFKA_SPILL_DIR", str(tmp_path / "spill"))
    for name, topic in (("TICKER", config.ticker_topic), ("ORDERBOOK", config.orderbook_topic)):
        monkeypatch.setenv(f"KAFKA_{name}_TOPIC", topic)

    def call(*arguments: str) -> tuple[int, str]:
        return spill(capsys, *arguments)

    assert call("list")[1].startswith("Nothing waits in")
    for symbol in (SYMBOL, "B-USDT", "C-USDT"):
        asyncio.run(leave(one, config, symbol))
    _, listed = call("list", "--json")
    rows = json.loads(listed)
    assert [(row["exchange"], row["records"], row["topics"], row["process"]) for row in rows] == [
        ("binance", 10, {config.orderbook_topic: 10}, None)
    ] * 3
    assert datetime.fromisoformat(rows[0]["oldest"]) == datetime.fromtimestamp(T0 // 1_000_000, UTC)

    code, said = call("send", "--brokers", other.brokers)
    assert code == 1
    assert said.count(f"for the cluster {rows[0]['cluster']}") == 3
    assert numbers_of(other, config.orderbook_topic) == {}

    first, second, _ = (row["folder"] for row in rows)
    code, said = call("send", first, "--brokers", other.brokers, "--yes")
    assert (code, said.count("10 sent")) == (0, 1)
    assert sum(map(len, numbers_of(other, config.orderbook_topic).values())) == 10

    code, said = call("drop", second)
    assert code == 2
    assert "10 records" in said
    assert "Nothing was dropped" in said
    code, said = call("drop", second, "--yes")
    assert (code, said) == (0, f"{second}: 10 records are dropped.\n")

    assert call("send", "--brokers", config.brokers)[0] == 0
    assert sum(map(len, numbers_of(config, config.orderbook_topic).values())) == 10
    assert call("list")[1].startswith("Nothing waits in")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["drop"], "give --all"),
        (["drop", "--all", "x"], "give --all"),
        (["drop", "nosuch"], "'nosuch' is no folder in which records wait: expected one of none."),
        (["send", "nosuch"], "KAFKA_ENABLED"),
    ],
)
def test_what_is_not_understood_gets_a_sentence(
    arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    code, words = spill(capsys, *arguments)
    assert code == 2
    assert said in words


async def test_what_somebody_sends_is_neither_sent_nor_dropped(
    one: MockCluster, unique: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    config = settings(one, unique, tmp_path)
    monkeypatch.setenv("KAFKA_SPILL_DIR", str(tmp_path))
    await leave(one, config)
    one.set_down()
    async with running(config, offline_start=True) as publisher:
        name = str(publisher.place.folder.relative_to(tmp_path))
        code, words = await asyncio.to_thread(spill, capsys, "drop", name, "--yes")
        assert code == 2
        assert "stop that process" in words
        assert (await asyncio.to_thread(spill, capsys, "drop", "--all", "--yes"))[0] == 0
        one.set_up()
        await aeventually(lambda: publisher.recovered().acknowledged == 10, "all is sent", 30)


def test_the_list_needs_no_kafka(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setitem(sys.modules, "confluent_kafka", None)
    assert spill(capsys, "list")[0] == 0
