"""What the publisher's tests share: events, a feed that notes what it is asked, a publisher that runs."""

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import asdict
from typing import Any, cast

from confluent_kafka import Consumer, TopicPartition
from prometheus_client import REGISTRY

from kafka.mock_cluster import MockCluster
from tickwire.config.kafka_config import KafkaConfig
from tickwire.events.types import Action, MarketEvent, OrderBook, Ticker, Trade
from tickwire.kafka.producing.flow import NullFlow
from tickwire.kafka.producing.publisher import Publisher
from tickwire.records.codec import read_event

# An hour ago: Kafka forgets an idempotent producer whose records are a day old, when it starts again after a crash
# (producer.id.expiration.ms goes by their times: findings/kafka-producer-forgotten-by-record-time.sh), and then stores
# what it is sent once more twice.
T0 = time.time_ns() // 1000 - 3_600_000_000


def ticker(number: int, symbol: str = "BTC-USDT") -> Ticker:
    return Ticker(
        exchange="binance",
        symbol=symbol,
        exchange_symbol=symbol.replace("-", ""),
        bid="65000.10",
        bid_size="1.2",
        ask="65000.20",
        ask_size="0.5",
        sequence=number,
        received_us=T0 + number * 1000,
    )


def publish_round(publisher: Publisher, number: int, symbols: Sequence[str] = ("A-USDT", "B-USDT", "C-USDT")) -> None:
    """One ticker and one order-book message, a snapshot first, for each symbol."""
    for symbol in symbols:
        publisher.publish(ticker(number, symbol))
        publisher.publish(book("delta" if number else "snapshot", number, symbol))


def sums_agree(publisher: Publisher) -> bool:
    """Whether every event is in one column."""
    return all(
        account.events == sum(value for name, value in asdict(account).items() if name != "events")
        and min(asdict(account).values()) >= 0
        for account in publisher.accounting().values()
    )


def book(action: Action, book_seq: int, symbol: str = "BTC-USDT", levels: int = 1, epoch: int = 1) -> OrderBook:
    return OrderBook(
        action=action,
        exchange="binance",
        symbol=symbol,
        exchange_symbol=symbol.replace("-", ""),
        depth=None,
        bids=[(str(65000 - i), "1.5") for i in range(levels)],
        asks=[(str(65001 + i), "1.5") for i in range(levels)],
        epoch=epoch,
        book_seq=book_seq,
        received_us=T0 + book_seq * 1000,
    )


def trade(number: int = 0, symbol: str = "BTC-USDT") -> Trade:
    return Trade(
        exchange="binance",
        symbol=symbol,
        exchange_symbol=symbol.replace("-", ""),
        trade_id=str(number),
        price="65000.20",
        size="0.5",
        side="sell",
        exchange_us=T0,
        received_us=T0 + number * 1000,
    )


def config_for(bootstrap: str, unique: str, **values: Any) -> KafkaConfig:
    """Settings with topics that no other test has."""
    names = {f"{name}_topic": f"{name}.{unique}" for name in ("orderbook", "trades")}
    names["ticker_topic"] = f"ticks.{unique}"
    common: dict[str, Any] = {"enabled": True, "brokers": bootstrap, "topic_partitions": 3, "linger_ms": 0}
    return KafkaConfig(**common | names | values)


@asynccontextmanager
async def running(config: KafkaConfig, feed: NullFlow, *, offline_start: bool = False) -> AsyncIterator[Publisher]:
    """A publisher that is open and served; the test closes it, or it is dropped with what it holds."""
    publisher = Publisher(config, offline_start=offline_start)
    await asyncio.to_thread(publisher.open)
    publisher.flows.join("binance", feed)
    publisher.start(asyncio.get_running_loop())
    try:
        yield publisher
    finally:
        publisher._timer.cancel()
        publisher._looking.cancel()


def topics_on(mock: MockCluster, config: KafkaConfig, partitions: int = 1) -> None:
    for topic in config.topics:
        mock.create_topic(topic, partitions)


def events_of(config: KafkaConfig, topic: str, count: int | None = None) -> list[MarketEvent]:
    """All that a topic holds, each partition in its order.

    *count*: how many records that are, where the broker's end offsets may be behind (findings/tansu-end-offset.sh).
    """
    consumer = Consumer({"bootstrap.servers": config.brokers, "group.id": "reader", "enable.auto.commit": False})
    found: list[MarketEvent] = []
    try:
        partitions = [TopicPartition(topic, p) for p in consumer.list_topics(timeout=10).topics[topic].partitions]
        ends = {p.partition: consumer.get_watermark_offsets(p, timeout=10)[1] for p in partitions}
        consumer.assign([TopicPartition(topic, p, 0) for p in ends])
        for _ in range(sum(ends.values()) if count is None else count):
            message = consumer.poll(20)
            assert message is not None
            assert message.error() is None, message.error()
            found.append(read_event(message.key(), message.value()))
    finally:
        consumer.close()
    return found


def numbers_of(config: KafkaConfig, topic: str, count: int | None = None) -> dict[str, list[int]]:
    """The same as sequences (tickers), ids (trades) or book_seqs of each symbol."""
    found: dict[str, list[int]] = {}
    for event in events_of(config, topic, count):
        match event:
            case OrderBook():
                number: int | None = event.book_seq
            case Trade():
                number = int(event.trade_id)
            case _:
                number = event.sequence
        found.setdefault(event.symbol, []).append(cast("int", number))
    return found


def metric(name: str, **labels: str) -> float | None:
    return REGISTRY.get_sample_value(name, labels)
