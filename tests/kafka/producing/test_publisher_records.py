"""What arrives in Kafka is what was published: bytes, key, headers, time, partition, order."""

import pytest
from confluent_kafka import Consumer, Message, TopicPartition
from confluent_kafka.admin import AdminClient

from brokers import Kafka
from kafka.publishing import T0, book, config_for, running, ticker
from tickwire.broker import EmbeddedBroker
from tickwire.config.kafka_config import KafkaConfig
from tickwire.kafka.producing.flow import NullFlow
from tickwire.kafka.producing.ledger import TopicAccount
from tickwire.records.codec import RecordWriter
from tickwire.records.kinds import topics_by_kind

# https://github.com/apache/kafka/blob/trunk/clients/src/test/java/org/apache/kafka/common/utils/UtilsTest.java
JAVA_MURMUR2 = {
    b"21": -973932308,
    b"foobar": -790332482,
    b"a-little-bit-long-string": -985981536,
    b"a-little-bit-longer-string": -1486304829,
    b"lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8": -58897971,
    b"abc": 479470107,
}


def murmur2(data: bytes) -> int:
    """Java's hash of a key, as an unsigned number."""
    m, mask = 0x5BD1E995, 0xFFFFFFFF
    h = 0x9747B28C ^ len(data)
    whole = len(data) & ~3
    for i in range(0, whole, 4):
        k = int.from_bytes(data[i : i + 4], "little") * m & mask
        h = (h * m & mask) ^ ((k ^ (k >> 24)) * m & mask)
    if whole < len(data):
        h = (h ^ int.from_bytes(data[whole:], "little")) * m & mask
    h = (h ^ (h >> 13)) * m & mask
    return h ^ (h >> 15)


def read(config: KafkaConfig, topic: str, count: int) -> list[Message]:
    """The first *count* records of a topic, by partition and offset."""
    consumer = Consumer({"bootstrap.servers": config.brokers, "group.id": "reader", "enable.auto.commit": False})
    try:
        partitions = consumer.list_topics(timeout=10).topics[topic].partitions
        consumer.assign([TopicPartition(topic, number, 0) for number in partitions])
        messages: list[Message] = []
        while len(messages) < count:
            message = consumer.poll(20)
            assert message is not None, f"{len(messages)} of {count} records"
            assert message.error() is None, message.error()
            messages.append(message)
        return sorted(messages, key=lambda message: (message.partition() or 0, message.offset() or 0))
    finally:
        consumer.close()


async def publish_and_read(config: KafkaConfig) -> list[Message]:
    symbols = [f"S{number}-USDT" for number in range(12)]
    feed = NullFlow()
    async with running(config, feed) as publisher:
        for number in range(25):
            for symbol in symbols:
                publisher.publish(ticker(number, symbol))
        publisher.publish(book("snapshot", 0))
        assert await publisher.close(30) == 0
        assert publisher.accounting()[config.ticker_topic] == TopicAccount(events=300, acknowledged=300)
    assert feed.errors == []
    return read(config, config.ticker_topic, 300)


def assert_equal_to_what_was_published(config: KafkaConfig, messages: list[Message]) -> None:
    by_key: dict[bytes | None, list[Message]] = {}
    for message in messages:
        by_key.setdefault(message.key(), []).append(message)
    assert len(by_key) == 12
    for number in range(12):
        writer = RecordWriter(topics_by_kind(config))
        arrived = by_key[f"binance|S{number}-USDT".encode()]
        expected = [writer.write(ticker(i, f"S{number}-USDT")) for i in range(25)]
        assert [message.value() for message in arrived] == [record.value for record in expected]
        assert [message.headers() for message in arrived] == [record.headers for record in expected]
        assert [message.timestamp()[1] for message in arrived] == [T0 // 1000 + i for i in range(25)]


def test_the_hash_of_this_test_is_javas() -> None:
    for key, expected in JAVA_MURMUR2.items():
        assert murmur2(key) == expected % 2**32


@pytest.mark.kafka
@pytest.mark.parametrize("compression", ["zstd", "none", "lz4"])
async def test_records_arrive_as_published(compression: str, kafka: Kafka, unique: str) -> None:
    config = config_for(kafka.bootstrap, unique, compression=compression)
    messages = await publish_and_read(config)
    assert_equal_to_what_was_published(config, messages)
    partitions = len(
        AdminClient({"bootstrap.servers": config.brokers})
        .list_topics(timeout=10)
        .topics[config.ticker_topic]
        .partitions
    )
    assert partitions == 3
    for message in messages:
        assert message.partition() == (murmur2(message.key() or b"") & 0x7FFFFFFF) % partitions


async def test_records_arrive_as_published_on_the_embedded_broker(embedded: EmbeddedBroker, unique: str) -> None:
    config = config_for(embedded.bootstrap, unique)
    assert_equal_to_what_was_published(config, await publish_and_read(config))


async def test_records_keep_their_order_through_a_full_queue(embedded: EmbeddedBroker, unique: str) -> None:
    config = config_for(embedded.bootstrap, unique, queue_max_messages=7, when_full_ticker="block")
    assert_equal_to_what_was_published(config, await publish_and_read(config))
