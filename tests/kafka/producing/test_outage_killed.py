"""Publishers killed in an outage, on a mock cluster: what was accepted is on disk, also what was on its way."""

import asyncio
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from kafka.mock_cluster import MockCluster
from kafka.producing.outage_support import SYMBOLS, made
from kafka.publishing import numbers_of, publish_round, running, sums_agree
from support import aeventually
from tickwire.config.kafka_config import KafkaConfig
from tickwire.kafka.producing.flow import NullFlow
from tickwire.kafka.producing.ledger import TopicAccount


class Standing(NamedTuple):
    """What a publisher printed of its books after a round."""

    rounds: int
    spilled: int
    acknowledged: int
    in_memory: int


def run_until(config: KafkaConfig, killed: Callable[[Standing], bool]) -> Standing:
    """Let a process publish until it is *killed*."""
    settings = json.loads(config.model_dump_json(exclude_none=True))
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parents[2])}
    command = [sys.executable, "-m", "kafka.producing.outage_process", json.dumps(settings)]
    standing = Standing(0, 0, 0, 0)
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        for line in process.stdout:
            standing = Standing(*map(int, line.split()))
            if killed(standing):
                process.send_signal(signal.SIGKILL)
                break
    return standing


async def test_what_is_accepted_on_disk_survives_a_kill(mock: MockCluster, unique: str, tmp_path: Path) -> None:
    config = made(mock, unique, tmp_path)
    with mock.down():
        last = await asyncio.to_thread(run_until, config, lambda standing: standing.spilled > 500)
    async with running(config, NullFlow()) as publisher:
        assert publisher.recovered().records >= last.spilled > 500
        assert await publisher.close(30) == 0
    books = numbers_of(config, config.orderbook_topic)
    assert sum(map(len, books.values())) >= last.spilled
    for numbers in books.values():
        assert numbers == list(range(len(numbers)))


async def test_a_kill_in_an_outage_loses_nothing_of_a_book_and_leaves_no_hole(
    mock: MockCluster, unique: str, tmp_path: Path
) -> None:
    """What was on its way when Kafka went away is on disk as well, in front."""
    config = made(mock, unique, tmp_path, queue_max_messages=3000)
    away = False

    def killed(standing: Standing) -> bool:
        nonlocal away
        if standing.acknowledged > 100 and not away:
            away = True
            mock.set_down()
        sheltered = standing.spilled > 3000 and standing.in_memory == 0
        return away and (sheltered or standing.spilled > 30_000)

    last = await asyncio.to_thread(run_until, config, killed)
    mock.set_up()
    assert last.in_memory == 0
    async with running(config, NullFlow()) as publisher:
        assert await publisher.close(30) == 0
        assert publisher.recovered().waiting == 0
    for numbers in numbers_of(config, config.orderbook_topic).values():
        once = list(dict.fromkeys(numbers))  # what Kafka had and could not acknowledge comes a second time
        assert len(once) >= last.rounds
        assert once == list(range(len(once)))


async def test_a_kill_while_kafka_catches_up_loses_nothing_of_a_book(
    mock: MockCluster, unique: str, tmp_path: Path
) -> None:
    """What comes while Kafka takes what waited stands behind that for long, and is on disk too."""
    config = made(mock, unique, tmp_path, queue_max_messages=100_000, batch_size=1000)
    before, since_back = 0, 0

    def killed(standing: Standing) -> bool:
        nonlocal before, since_back
        if standing.acknowledged > 100 and not before:
            before = sys.maxsize
            mock.set_down()
        if standing.spilled > 1500 and before == sys.maxsize:
            before = standing.acknowledged
            mock.set_round_trip(300)
            mock.set_up()
        since_back += 0 < before < standing.acknowledged
        return since_back > 150

    last = await asyncio.to_thread(run_until, config, killed)
    mock.set_round_trip(0)
    assert last.spilled > 300
    assert last.in_memory == 0
    async with running(config, NullFlow()) as publisher:
        assert await publisher.close(30) == 0
    for numbers in numbers_of(config, config.orderbook_topic).values():
        once = list(dict.fromkeys(numbers))
        assert len(once) >= last.rounds
        assert once == list(range(len(once)))


async def test_records_that_were_written_though_on_their_way_leave_the_disk_when_they_are_acknowledged(
    mock: MockCluster, unique: str, tmp_path: Path
) -> None:
    config = made(mock, unique, tmp_path, queue_max_messages=1000)
    async with running(config, NullFlow()) as publisher:
        with mock.down():
            for number in range(50):
                publish_round(publisher, number)
            await aeventually(lambda: publisher._buffer.records == 150, "what is on its way is on disk", 20)
            for number in range(50, 100):
                publish_round(publisher, number)
                assert sums_agree(publisher)
            books = publisher.accounting()[config.orderbook_topic]
            assert (books.spilled, books.in_flight) == (300, 0)
        await aeventually(lambda: not publisher._buffer.records and not publisher._behind, "the outage is over", 30)
        publish_round(publisher, 100)
        assert publisher.accounting()[config.orderbook_topic].spilled == 0  # all is as before
        assert await publisher.close(30) == 0
        assert sums_agree(publisher)
        assert publisher.accounting()[config.orderbook_topic] == TopicAccount(events=303, acknowledged=303)
    for topic in (config.orderbook_topic, config.ticker_topic):
        assert numbers_of(config, topic) == {symbol: list(range(101)) for symbol in SYMBOLS}


async def test_an_end_while_what_is_on_its_way_is_being_written_keeps_all_of_it(
    mock: MockCluster, unique: str, tmp_path: Path
) -> None:
    config = made(mock, unique, tmp_path, queue_max_messages=1000)
    async with running(config, NullFlow()) as publisher:
        with mock.down():
            for number in range(50):
                publish_round(publisher, number)
            publisher._buffer.shelter(publisher._may_be_on_disk)
            assert await publisher.close(0) == 0
            assert sums_agree(publisher)
            assert publisher.accounting()[config.orderbook_topic] == TopicAccount(events=150, spilled=150)
    async with running(config, NullFlow()) as publisher:
        assert publisher.recovered().records == 300
        assert await publisher.close(30) == 0
    for topic in (config.orderbook_topic, config.ticker_topic):
        assert numbers_of(config, topic) == {symbol: list(range(50)) for symbol in SYMBOLS}
