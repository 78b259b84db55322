"""Outages of a real Kafka that last longer than the queue holds: killed, frozen, started again."""

import asyncio
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka.admin import AdminClient, NewTopic  # type: ignore[attr-defined]  # exported without saying so

from brokers import Kafka, StartApache
from kafka.publishing import book, config_for, numbers_of, publish_round, running, sums_agree
from support import aeventually
from tickwire.kafka.producing.flow import NullFlow
from tickwire.kafka.producing.ledger import TopicAccount

pytestmark = [pytest.mark.kafka, pytest.mark.timeout(240)]
SYMBOLS = ("A-USDT", "B-USDT", "C-USDT")


@pytest.mark.parametrize("fault", ["killed", "frozen"])
async def test_nothing_is_lost_in_an_outage_longer_than_the_queue_holds(
    fault: str, start_apache: StartApache, unique: str, tmp_path: Path
) -> None:
    cluster = await asyncio.to_thread(start_apache, 1)
    config = config_for(cluster.bootstrap, unique, spill_dir=tmp_path / "spill", queue_max_messages=200)
    feed = NullFlow()
    rounds = 3000
    async with running(config, feed) as publisher:
        for number in range(rounds):
            publish_round(publisher, number)
            await asyncio.sleep(0.001)
            if number == 500:
                cluster.kill(1) if fault == "killed" else cluster.freeze(1)
            if number % 100 == 0:
                assert sums_agree(publisher)
            if number == 2000:
                assert publisher.accounting()[config.orderbook_topic].spilled > 3000
                await asyncio.to_thread(cluster.restart, 1) if fault == "killed" else cluster.thaw(1)
        await aeventually(lambda: not publisher._buffer.records, "the disk is drained", 60)
        assert await publisher.close(30) == 0
        books = publisher.accounting()[config.orderbook_topic]
        tickers = publisher.accounting()[config.ticker_topic]
    assert books == TopicAccount(events=3 * rounds, acknowledged=3 * rounds)
    assert tickers.acknowledged + tickers.conflated == tickers.events == 3 * rounds
    found = await asyncio.to_thread(numbers_of, config, config.orderbook_topic)
    assert found == {symbol: list(range(rounds)) for symbol in SYMBOLS}
    found = await asyncio.to_thread(numbers_of, config, config.ticker_topic)
    for numbers in found.values():
        assert numbers == sorted(set(numbers))
        assert numbers[-1] == rounds - 1
    assert sum(map(len, found.values())) == tickers.acknowledged
    assert feed.asked == []


async def test_what_an_end_without_kafka_leaves_comes_first_after_the_next_start(
    start_apache: StartApache, unique: str, tmp_path: Path
) -> None:
    cluster = await asyncio.to_thread(start_apache, 1)
    config = config_for(cluster.bootstrap, unique, spill_dir=tmp_path / "spill", queue_max_messages=200)
    async with running(config, NullFlow()) as publisher:
        for number in range(100):
            publish_round(publisher, number)
            await asyncio.sleep(0.001)
        cluster.kill(1)
        for number in range(100, 400):
            publish_round(publisher, number)
        assert await publisher.close(0.5) == 0
        assert sums_agree(publisher)
    await asyncio.to_thread(cluster.restart, 1)
    async with running(config, NullFlow()) as publisher:
        for number in range(400, 500):
            publish_round(publisher, number)
        assert await publisher.close(30) == 0
        assert publisher.recovered().waiting == 0
    found = await asyncio.to_thread(numbers_of, config, config.orderbook_topic)
    # What was on its way when the broker died may be there twice.
    assert {s: list(dict.fromkeys(n)) for s, n in found.items()} == {s: list(range(500)) for s in SYMBOLS}


async def test_what_is_behind_a_record_that_the_broker_refuses_does_not_go_out(
    kafka: Kafka, unique: str, tmp_path: Path
) -> None:
    small: dict[str, Any] = {"compression": "none", "batch_size": 1500, "create_topics": False}
    config = config_for(kafka.bootstrap, unique, spill_dir=tmp_path / "spill", **small)
    limit = {"max.message.bytes": "2000"}
    admin = AdminClient({"bootstrap.servers": config.brokers})
    for future in admin.create_topics([NewTopic(topic, 1, config=limit) for topic in config.topics]).values():
        await asyncio.to_thread(future.result, 20)
    feed = NullFlow()
    async with running(config, feed) as publisher:
        for number in range(300):
            publisher.publish(
                book("delta" if number else "snapshot", number, "A-USDT", levels=200 if number == 100 else 1)
            )
            publisher.publish(book("delta" if number else "snapshot", number, "B-USDT"))
        await aeventually(lambda: feed.asked == ["overflow AUSDT"], "the book starts again")
        publisher.publish(book("invalid", 300, "A-USDT"))
        publisher.publish(book("snapshot", 0, "A-USDT", epoch=2))
        assert await publisher.close(30) == 0
        assert sums_agree(publisher)
        account = publisher.accounting()[config.orderbook_topic]
    assert account == TopicAccount(events=602, acknowledged=402, failed=1, dropped=199)
    found = await asyncio.to_thread(numbers_of, config, config.orderbook_topic)
    assert list(dict.fromkeys(found["A-USDT"])) == [*range(100), 300]
    assert found["A-USDT"][-2:] == [300, 0]
    assert list(dict.fromkeys(found["B-USDT"])) == list(range(300))
    assert feed.errors == []
