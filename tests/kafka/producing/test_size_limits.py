"""A record that its topic cannot take is refused before it is sent: it costs no producer, and no neighbour a copy."""

import os
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka import Producer
from confluent_kafka.admin import (  # type: ignore[attr-defined]  # exported without saying so
    AdminClient,
    AlterConfigOpType,
    ConfigEntry,
    ConfigResource,
)

from brokers import Kafka
from consumer_support import Headers
from kafka.producing.test_refused_batches import fresh, make_topics, recreated
from kafka.publishing import book, config_for, numbers_of, running, sums_agree
from support import aeventually
from tickwire.config.kafka_config import KafkaConfig
from tickwire.kafka.admin.topics import ensure_topics
from tickwire.kafka.producing import size_limits
from tickwire.kafka.producing.flow import NullFlow
from tickwire.kafka.producing.ledger import TopicAccount
from tickwire.kafka.producing.size_limits import SizeLimits
from tickwire.records.codec import Record

pytestmark = pytest.mark.kafka


def change_limit(config: KafkaConfig, topic: str, limit: int) -> None:
    """Let a topic take batches of this size from now on."""
    entry = ConfigEntry("max.message.bytes", str(limit), incremental_operation=AlterConfigOpType.SET)
    resource = ConfigResource(ConfigResource.Type.TOPIC, topic, incremental_configs=[entry])
    admin = AdminClient({"bootstrap.servers": config.brokers})
    for future in admin.incremental_alter_configs([resource]).values():
        future.result(20)


@pytest.mark.parametrize("short_way", [False, True])
async def test_what_a_topic_cannot_take_costs_itself_and_its_book_alone(
    short_way: bool, kafka: Kafka, unique: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(size_limits, "_AGAIN_S", 0.05)
    config = config_for(kafka.bootstrap, unique, compression="none", spill_dir=tmp_path, batch_size=20_000)
    make_topics(config, {"max.message.bytes": "50000"})
    feed = NullFlow()
    async with running(config, feed) as publisher:
        before = recreated()
        if short_way:
            publisher.publish(fresh(book("snapshot", 0, "A-USDT")))
        for number in range(300):
            publisher.publish(fresh(book("delta" if number else "snapshot", number, "B-USDT")))
            if number == 100:
                publisher.publish(fresh(book("snapshot", 0, "A-USDT", levels=4000, epoch=2)))
        await aeventually(lambda: feed.asked == ["overflow AUSDT"], "its book is asked for")
        account = publisher.accounting()[config.orderbook_topic]
        assert (account.failed, recreated() - before) == (1, 0)
        change_limit(config, config.orderbook_topic, 5_000_000)
        publisher.publish(fresh(book("snapshot", 0, "A-USDT", levels=4000, epoch=3)))  # before that is known
        sizes, topic = publisher._sizes, config.orderbook_topic
        await aeventually(lambda: sizes._known[topic] == 5_000_000, "the limit is asked for again", 30)
        (lane,) = (lane for lane in publisher._ledger.books() if lane.exchange_symbol == "AUSDT")
        lane.restart_at = 0.0  # that time has come
        await aeventually(lambda: feed.asked == 2 * ["overflow AUSDT"], "its book is asked for again")
        publisher.publish(fresh(book("invalid", 1, "A-USDT", epoch=3)))
        publisher.publish(fresh(book("snapshot", 0, "A-USDT", levels=4000, epoch=4)))
        assert await publisher.close(30) == 0
        assert sums_agree(publisher)
        account = publisher.accounting()[config.orderbook_topic]
        assert account == TopicAccount(304 + short_way, acknowledged=301 + short_way, failed=2, dropped=1)
    assert recreated() == before
    numbers = numbers_of(config, config.orderbook_topic)
    assert numbers == {"A-USDT": [0, 0] if short_way else [0], "B-USDT": list(range(300))}


@pytest.mark.parametrize("compression", ["none", "gzip", "snappy", "lz4", "zstd"])
def test_only_what_kafka_refuses_is_refused(compression: Any, kafka: Kafka, unique: str) -> None:
    """Records around the limit, alone in their batches: none that Kafka stores is refused here."""
    config = config_for(kafka.bootstrap, unique, compression=compression)
    make_topics(config, {"max.message.bytes": "20000"})
    limits = SizeLimits(config, lambda _largest: None)
    limits.learn(ensure_topics(config, config.topics))
    producer = Producer({"bootstrap.servers": config.brokers, "compression.type": compression, "log_level": 0})
    stored: list[bool] = []
    records = []
    for size in (*range(19_900, 20_010, 3), 60_000, 200_000, 400_000):
        value = (os.urandom(size).hex() if compression != "none" else "x" * size)[:size].encode()
        record = Record(config.orderbook_topic, b"x|A-USDT", value, [("schema", b"orderbook/2")], 1, "orderbook", "x")
        records.append(record)
        headers: Headers = [*record.headers]
        report = lambda error, _message: stored.append(error is None)  # noqa: E731
        producer.produce(record.topic, record.value, record.key, headers=headers, on_delivery=report)
        assert producer.flush(20) == 0
    refused = [limits.refusal(record) is not None for record in records]
    assert not [n for n in range(len(records)) if stored[n] and refused[n]]
    if compression == "none":
        assert [not each for each in stored] == refused
        assert 0 < sum(refused) < len(refused)
    else:
        assert refused[-1]


def test_where_nobody_may_ask_nothing_is_refused(unique: str) -> None:
    limits = SizeLimits(config_for("127.0.0.1:9", unique), lambda _largest: None)
    record = Record("t", b"k", bytes(10_000_000), [], 1, "orderbook", "x")
    assert limits.refusal(record) is None
