"""Other people's readers on Apache Kafka, with the settings of the documentation, read what the product writes."""

import asyncio
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from aiokafka import AIOKafkaConsumer
from confluent_kafka import Producer
from confluent_kafka.admin import AdminClient, NewTopic  # type: ignore[attr-defined]  # exported without saying so

from brokers import Kafka
from readers.connect import CONNECT, sink_of
from readers.maven import libraries
from readers.pages import block, history
from support import eventually
from tickwire.broker.apache import VERSION
from tickwire.config.kafka_config import KafkaConfig
from tickwire.kafka.clients import producer_config
from tickwire.kafka.dead_letters.reader import read_oldest
from tickwire.kafka.dead_letters.selection import DeadLetter
from tickwire.records.codec import Record

pytestmark = pytest.mark.kafka


@pytest.fixture(scope="module")
def records() -> list[Record]:
    return history()


@pytest.fixture
def topic(kafka: Kafka, unique: str, records: list[Record]) -> str:
    """A topic with the records, compressed as the settings have it when nobody changes them."""
    name = f"readers-{unique}"
    config = KafkaConfig(enabled=True, brokers=kafka.bootstrap)
    assert config.compression == "zstd"
    admin = AdminClient({"bootstrap.servers": kafka.bootstrap})
    admin.create_topics([NewTopic(name, 6)])[name].result(20)
    producer = Producer(producer_config(config))
    for record in records:
        producer.produce(name, record.value, record.key, headers=[*record.headers])
    assert producer.flush(20) == 0
    return name


async def test_aiokafka_reads(kafka: Kafka, topic: str, records: list[Record]) -> None:
    consumer = AIOKafkaConsumer(topic, bootstrap_servers=kafka.bootstrap, auto_offset_reset="earliest")
    async with asyncio.timeout(20), consumer:
        found = [await consumer.getone() for _ in records]
    assert Counter((message.key, message.value) for message in found) == Counter((r.key, r.value) for r in records)


@pytest.fixture
def sink(kafka: Kafka, topic: str, tmp_path: Path) -> Iterator[Path]:
    """What a worker with the converters of the documentation writes into a file."""
    converters, libs = block("Kafka Connect", "properties"), libraries("connect", VERSION, CONNECT)
    dead: dict[str, object] = {f"errors.deadletterqueue.{name}": value for name, value in _dead_letters(topic).items()}
    with sink_of(kafka.bootstrap, converters, libs, topic, tmp_path, dead | {"errors.tolerance": "all"}) as out:
        yield out


def test_kafka_connect_reads_with_the_two_converters_and_its_dead_letters_are_read_here(
    sink: Path, records: list[Record], kafka: Kafka, topic: str
) -> None:
    def lines() -> list[str]:
        return sink.read_text().splitlines() if sink.exists() else []

    eventually(lambda: len(lines()) >= len(records), "Connect writes every record", 60)
    written = Counter(part for line in lines() for part in line[1:-1].split(", ") if part.startswith(("act", "reas")))
    events = [record.value.decode() for record in records]
    for action in ("snapshot", "delta", "invalid"):
        assert written[f"action={action}"] == sum(f'"action":"{action}"' in event for event in events)
    assert written["reason=null"] == written["action=delta"]

    config = KafkaConfig(enabled=True, brokers=kafka.bootstrap)
    producer = Producer(producer_config(config))
    producer.produce(topic, b"{no JSON", b"k", partition=4, headers=[("trace", b"\xff")])
    assert producer.flush(20) == 0
    letters: list[DeadLetter] = []

    def arrived() -> bool:
        letters[:] = read_oldest(config, f"{topic}-dead", 2).letters
        return bool(letters)

    eventually(arrived, "Connect writes a dead letter", 30)
    [letter] = letters
    assert (letter.record.key, letter.record.value, letter.original) == (b"k", b"{no JSON", [("trace", b"\xff")])
    told = letter.ours
    assert (told["source_topic"], told["source_partition"], told["error_type"]) == (topic, "4", "deserialize")
    assert told["error_class"] == "org.apache.kafka.connect.errors.DataException"
    assert told["__connect.errors.connector.name"] == topic


def _dead_letters(topic: str) -> dict[str, object]:
    return {"topic.name": f"{topic}-dead", "topic.replication.factor": 1, "context.headers.enable": "true"}
