"""Helpers for tests of the consumer: topics, records, and a group's committed offsets."""

import sys
import threading
from collections.abc import Callable, Sequence
from typing import Any

import typer
from confluent_kafka import Consumer, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic  # type: ignore[attr-defined]  # exported without saying so

from tickwire.cli.common import printable
from tickwire.config.kafka_config import KafkaConfig
from tickwire.errors import TickwireError
from tickwire.events.types import OrderBook, Ticker
from tickwire.kafka.consuming import positions
from tickwire.kafka.received import ReceivedRecord
from tickwire.records.codec import RecordWriter
from tickwire.records.kinds import topics_by_kind

Headers = list[tuple[str, str | bytes | None]]

MANY = [str(i).encode() for i in range(100)]


def config_for(bootstrap: str, unique: str, **values: Any) -> KafkaConfig:
    """Settings with unique topics and a unique group."""
    names = {f"{name}_topic": f"{name}.{unique}" for name in ("orderbook", "trades", "dlq")}
    common: dict[str, Any] = {"enabled": True, "brokers": bootstrap, "group_id": f"group-{unique}"}
    return KafkaConfig(**common | {"topic_partitions": 2, "ticker_topic": f"ticks.{unique}"} | names | values)


def create(config: KafkaConfig, topic: str, partitions: int = 1, settings: dict[str, str] | None = None) -> None:
    """Create a topic."""
    admin = AdminClient({"bootstrap.servers": config.brokers})
    for future in admin.create_topics([NewTopic(topic, partitions, 1, config=settings or {})]).values():
        future.result(20)


def send(
    config: KafkaConfig, topic: str, values: Sequence[bytes | None], partition: int = 0, headers: Headers | None = None
) -> None:
    """Write values with the key ``k`` in order."""
    producer = Producer({"bootstrap.servers": config.brokers, "linger.ms": 5, "message.max.bytes": 20_000_000})
    for value in values:
        producer.produce(topic, value, b"k", partition, headers=headers)
    assert producer.flush(30) == 0


def send_events(config: KafkaConfig, events: Sequence[Ticker | OrderBook]) -> None:
    """Write market events in the publisher's format."""
    writer = RecordWriter(topics_by_kind(config))
    producer = Producer({"bootstrap.servers": config.brokers, "linger.ms": 5, "partitioner": "murmur2_random"})
    for event in events:
        record = writer.write(event)
        headers: Headers = [*record.headers]
        producer.produce(record.topic, record.value, record.key, headers=headers, timestamp=record.timestamp_ms)
    assert producer.flush(30) == 0


def committed(config: KafkaConfig, topic: str, partitions: int = 1, group: str | None = None) -> list[int | None]:
    """The group's committed offsets by partition."""
    consumer = Consumer({"bootstrap.servers": config.brokers, "group.id": group or config.group_id})
    try:
        known = positions.committed(consumer, [(topic, number) for number in range(partitions)])
        return [known.get((topic, number)) for number in range(partitions)]
    finally:
        consumer.close()


def read_all(config: KafkaConfig, topic: str) -> list[ReceivedRecord]:
    """Every record of a topic's partitions, in order within each."""
    consumer = Consumer(
        {"bootstrap.servers": config.brokers, "group.id": "reader", "enable.auto.commit": False}
        | {"enable.partition.eof": True, "auto.offset.reset": "earliest"}
    )
    numbers = set(consumer.list_topics(topic, timeout=20).topics[topic].partitions)
    consumer.assign([TopicPartition(topic, number, 0) for number in numbers])
    found = []
    while numbers:
        message = consumer.poll(20)
        assert message is not None, "no end within 20 s"
        if message.error() is None:
            found.append(ReceivedRecord.from_message(message))
        else:
            numbers.discard(message.partition() or 0)
    consumer.close()
    return found


class Collector:
    """A handler that keeps its records, and tells when it has enough."""

    def __init__(self, enough: int | None = None) -> None:
        self.records: list[ReceivedRecord] = []
        self._enough = enough

    def __call__(self, record: ReceivedRecord) -> None:
        self.records.append(record)

    @property
    def values(self) -> list[bytes | None]:
        return [record.value for record in self.records]

    def full(self) -> bool:
        return self._enough is not None and len(self.records) >= self._enough


def in_thread(function: Callable[[], Any]) -> threading.Thread:
    """Start a daemon thread, which a failing test does not wait for."""
    thread = threading.Thread(target=function, daemon=True)
    thread.start()
    return thread


def ticker(symbol: str = "BTC-USDT", bid: str = "1.10", received_us: int = 1_700_000_000_000_000) -> Ticker:
    return Ticker(
        exchange="binance",
        symbol=symbol,
        exchange_symbol=symbol.replace("-", ""),
        bid=bid,
        bid_size="1",
        ask="2.20",
        ask_size="2",
        received_us=received_us,
    )


def run_command(command: Callable[..., None], *arguments: str) -> int:
    """Run one command as ``tickwire`` does; return the exit code."""
    app = typer.Typer(add_completion=False)
    app.command()(command)
    return run_app(app, *arguments)


def run_app(app: typer.Typer, *arguments: str) -> int:
    """Run a command line as ``tickwire`` does; return the exit code."""
    try:
        app(args=list(arguments))
    except TickwireError as e:
        sys.stderr.write(f"error: {printable(str(e))}\n")
        return e.exit_code
    except SystemExit as e:
        return e.code if isinstance(e.code, int) else 0
    return 0
