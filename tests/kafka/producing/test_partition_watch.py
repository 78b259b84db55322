"""Partitions that are added to a topic move keys, so every book begins again, each start in one partition."""

import asyncio
from collections import defaultdict

import pytest
from confluent_kafka.admin import AdminClient, NewPartitions, NewTopic  # type: ignore[attr-defined]  # exported without a word

from brokers import Kafka
from kafka.producing.test_publisher_records import read
from kafka.publishing import book, config_for, running, ticker
from support import aeventually
from tickwire.events.types import OrderBook
from tickwire.kafka.producing import partition_watch
from tickwire.kafka.producing.flow import NullFlow
from tickwire.kafka.producing.ledger import TopicAccount
from tickwire.kafka.producing.partition_watch import PartitionWatch
from tickwire.records.codec import read_event

SYMBOLS = [f"S{i}-USDT" for i in range(6)]


@pytest.mark.kafka
async def test_partitions_added_meanwhile_let_every_book_begin_again(
    kafka: Kafka, unique: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(partition_watch, "_LOOK_S", 0.05)
    config, feed = config_for(kafka.bootstrap, unique, create_topics=False), NullFlow()
    admin = AdminClient({"bootstrap.servers": kafka.bootstrap})
    for future in admin.create_topics([NewTopic(topic, 1, 1) for topic in config.topics]).values():
        await asyncio.to_thread(future.result, 20)
    async with running(config, feed) as publisher:

        def publish(epoch: int) -> None:
            for number in range(20):
                for symbol in SYMBOLS:
                    publisher.publish(book("delta" if number else "snapshot", number, symbol, epoch=epoch))
                    publisher.publish(ticker(number, symbol))

        publish(1)
        await aeventually(lambda: publisher._partitions.known.keys() == set(config.topics), "it has looked")
        for future in admin.create_partitions([NewPartitions(topic, 6) for topic in config.topics]).values():
            await asyncio.to_thread(future.result, 20)
        wanted = sorted(f"moved {symbol.replace('-', '')}" for symbol in SYMBOLS)
        await aeventually(lambda: sorted(feed.asked) == wanted, "every book is asked for again", 30)
        publish(2)
        assert await publisher.close(30) == 0
        assert publisher.accounting()[config.orderbook_topic] == TopicAccount(events=240, acknowledged=240)
    places = defaultdict(set)
    for message in read(config, config.orderbook_topic, 240):
        event = read_event(message.key(), message.value())
        assert isinstance(event, OrderBook)
        places[event.symbol, event.epoch].add(message.partition())
    assert all(len(partitions) == 1 for partitions in places.values())
    assert len({place for partitions in places.values() for place in partitions}) > 1


async def test_no_answer_and_the_same_number_tell_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(partition_watch, "_LOOK_S", 0.0)
    answers = iter([None, 3, 3, None, 3, 4, 4, 2])
    told, done = [], asyncio.Event()

    def ask(_topic: str) -> int | None:
        answer = next(answers, 0)
        if answer == 0:
            done.set()
            return None
        return answer

    watching = asyncio.create_task(PartitionWatch(["t"], ask, lambda *found: told.append(found)).run())
    await asyncio.wait_for(done.wait(), 10)
    watching.cancel()
    assert told == [("t", 4), ("t", 2)]
