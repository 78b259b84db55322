"""Consumers and a schema registry that is away, empty, or not what it should be: no record is skipped for it."""

import threading
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import suppress
from typing import Any

import pytest
from confluent_kafka import DeserializingConsumer, Producer, TopicPartition
from confluent_kafka.error import ValueDeserializationError

from consumer_support import Collector, committed, config_for, create, in_thread, send, ticker
from registry_support import avro, client, proto, scripted
from support import eventually
from tickwire import metrics
from tickwire.broker import EmbeddedBroker, MemoryRegistry
from tickwire.config.kafka_config import KafkaConfig
from tickwire.events.types import MarketEvent
from tickwire.kafka.consuming import processing
from tickwire.kafka.consuming.consumer import run_kafka_consumer
from tickwire.kafka.consuming.report import ConsumerReport
from tickwire.kafka.received import ReceivedRecord
from tickwire.records.codec import RecordWriter
from tickwire.records.formats import ValueReader, value_format
from tickwire.registry import client as registry_client
from tickwire.registry.client import MAX_SCHEMA
from tickwire.registry_errors import NoRegistry, RegistryNotSet, RegistryRefused

SUBJECT = "t-value"


@pytest.fixture(autouse=True)
def _soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(processing, "MOST_BACKOFF_SECONDS", 0.05)


@pytest.fixture
def memory() -> Iterator[MemoryRegistry]:
    with MemoryRegistry() as registry:
        yield registry


def produce(config: KafkaConfig, schema_id: int, numbers: Sequence[int]) -> list[MarketEvent]:
    """Write tickers with this schema id; return them."""
    events: list[MarketEvent] = [ticker(bid=str(number)) for number in numbers]
    writer = RecordWriter({"ticker": config.ticker_topic}, {"ticker": value_format("avro", "ticker", schema_id)})
    records = [writer.write(event) for event in events]
    for record in records:
        send_one(config, record.value, record.key, record.headers)
    return events


def send_one(config: KafkaConfig, value: bytes, key: bytes, headers: Any) -> None:
    producer = Producer({"bootstrap.servers": config.brokers})
    producer.produce(config.ticker_topic, value, key, 0, headers=list(headers))
    assert producer.flush(30) == 0


class Consuming:
    """A consumer in a thread, which ends when it has enough."""

    def __init__(self, config: KafkaConfig, handler: Any, enough: int) -> None:
        self.stop = threading.Event()
        self.reports: list[ConsumerReport] = []
        self.errors: list[BaseException] = []
        self._config, self._handler, self._enough = config, handler, enough
        self.thread = in_thread(self._run)

    def _run(self) -> None:
        try:
            self.reports.append(
                run_kafka_consumer(
                    self._config,
                    topics=[self._config.ticker_topic],
                    handler=self._handler,
                    max_records=self._enough,
                    stopping=self.stop.is_set,
                )
            )
        except BaseException as e:  # noqa: BLE001 - the test looks at it
            self.errors.append(e)

    def end(self) -> ConsumerReport:
        self.thread.join(60)
        assert not self.thread.is_alive()
        assert self.errors == []
        return self.reports[0]


def retries(config: KafkaConfig) -> float:
    value: float = metrics.CONSUMER_RETRIES.labels(config.ticker_topic)._value.get()
    return value


class Batches:
    """A handler that takes batches."""

    batch_records, batch_seconds = 4, 0.05

    def __init__(self) -> None:
        self.events: list[MarketEvent] = []

    def batch(self, records: Sequence[ReceivedRecord]) -> None:
        self.events += [record.event for record in records]


class Swallows(Collector):
    """A handler that hides every error: what it is given must be readable by then."""

    def __init__(self) -> None:
        super().__init__()
        self.events: list[MarketEvent] = []

    def __call__(self, record: ReceivedRecord) -> None:
        with suppress(Exception):  # as some do
            self.events.append(record.event)


@pytest.mark.parametrize("handler", [Batches, Swallows])
def test_a_registry_away_for_three_polls_costs_no_record(
    embedded: EmbeddedBroker, unique: str, memory: MemoryRegistry, handler: type[Batches | Swallows]
) -> None:
    """Ten records, and a registry that is not there when they come and is back after three attempts at the first."""
    schema_id = client(memory.url).register(SUBJECT, avro())
    config = config_for(embedded.bootstrap, unique, schema_registry_url=memory.url, dlq_enabled=True, max_attempts=2)
    create(config, config.ticker_topic)
    expected = produce(config, schema_id, range(10))
    memory.stop()
    taker = handler()
    consuming = Consuming(config, taker, 10)
    eventually(lambda: retries(config) >= 3, "three attempts")
    assert taker.events == []
    memory.start()
    report = consuming.end()
    assert taker.events == expected
    assert (report.processed, report.dead_letters) == (Counter({config.ticker_topic: 10}), Counter())
    assert report.commits.total() >= 1


def test_a_restart_of_three_polls_takes_three_of_ten_records_from_the_stock_consumer_and_none_from_ours(
    embedded: EmbeddedBroker, unique: str, memory: MemoryRegistry
) -> None:
    """confluent-kafka's ``DeserializingConsumer`` has moved past the record when its deserializer raises."""
    schema_id = client(memory.url).register(SUBJECT, avro())
    config = config_for(embedded.bootstrap, unique, schema_registry_url=memory.url, dlq_enabled=True)
    create(config, config.ticker_topic)
    expected = produce(config, schema_id, range(10))
    memory.stop()

    def deserialize(value: bytes, _: Any) -> MarketEvent:
        return ValueReader(client(memory.url).writer_schema).decode(value)

    stock: Any = DeserializingConsumer(
        {"bootstrap.servers": config.brokers, "group.id": "stock", "value.deserializer": deserialize}
    )
    stock.assign([TopicPartition(config.ticker_topic, 0, 0)])
    for _ in range(3):
        with pytest.raises(ValueDeserializationError):
            stock.poll(20)
    taker = Swallows()
    consuming = Consuming(config, taker, 10)
    eventually(lambda: retries(config) >= 3, "three attempts of ours")
    memory.start()
    assert [stock.poll(20).value() for _ in range(7)] == expected[3:]
    stock.close()
    assert consuming.end().dead_letters.total() == 0
    assert taker.events == expected


def test_an_id_that_the_registry_does_not_know_yet_waits_and_its_partition_alone(
    embedded: EmbeddedBroker, unique: str, memory: MemoryRegistry
) -> None:
    config = config_for(embedded.bootstrap, unique, schema_registry_url=memory.url, dlq_enabled=True)
    create(config, config.ticker_topic, 2)
    expected = produce(config, 1, range(3))
    send(config, config.ticker_topic, [b"1", b"2"], partition=1)
    taker = Collector()
    consuming = Consuming(config, taker, 5)
    eventually(lambda: retries(config) >= 3 and taker.values == [b"1", b"2"], "three attempts, and the others")
    assert client(memory.url).register(SUBJECT, avro()) == 1
    assert consuming.end().dead_letters.total() == 0
    assert [record.event for record in taker.records[2:]] == expected


NODE = {"type": "record", "name": "Node", "fields": [{"name": "next", "type": ["null", "Node"]}]}
POISON = {
    "cut off behind the id": b"\x00\x00\x00\x00\x01",
    "cut off in the id": b"\x00\x00\x00",
    "another magic byte": b"\x01\x00\x00\x00\x01\x02a",
    "a number without end": b"\x00\x00\x00\x00\x01" + b"\xff" * 30,
    "a text of 2**62 bytes": b"\x00\x00\x00\x00\x01\xfe\xff\xff\xff\xff\xff\xff\xff\x7f",
    "the schema of something else": b"\x00\x00\x00\x00\x02\x00",
    "records in records": b"\x00\x00\x00\x00\x03" + b"\x02" * 100_000,
    "a message index without end": b"\x00\x00\x00\x00\x04" + b"\xff" * 30,
    "another message of its file": b"\x00\x00\x00\x00\x04\x02\x02",
    "groups in groups": b"\x00\x00\x00\x00\x04\x00" + b"\x0b" * 100_000,
    "a schema of more than 1 MiB": b"\x00\x00\x00\x00\x05\x00",
}


def test_what_cannot_be_decoded_is_exactly_one_dead_letter_each(
    embedded: EmbeddedBroker, unique: str, memory: MemoryRegistry, monkeypatch: pytest.MonkeyPatch
) -> None:
    registry = client(memory.url)
    schemas = {
        "ticker": avro(),
        "not ours": avro(change=lambda schema: schema.update(name="Elephant")),
        "nested without end": avro(change=lambda schema: schema["fields"].insert(0, {"name": "node", "type": NODE})),
        "ticker in Protobuf": proto(),
        "too large": avro("trade", lambda schema: schema.update(doc="d" * MAX_SCHEMA)),
    }
    with monkeypatch.context() as patched:
        patched.setattr(registry_client, "MAX_SCHEMA", 2 * MAX_SCHEMA)  # of whom registers it
        for number, (name, schema) in enumerate(schemas.items(), 1):
            assert registry.register(f"{name}-value", schema) == number
    config = config_for(
        embedded.bootstrap,
        unique,
        schema_registry_url=memory.url,
        dlq_enabled=True,
        dlq_max_ratio=1,
    )
    create(config, config.ticker_topic)
    create(config, config.dlq_topic)
    for value in POISON.values():
        send_one(config, value, b"k", [("content-type", b"application/avro")])
    expected = produce(config, 1, [5])
    seen: list[MarketEvent] = []
    report = Consuming(config, lambda record: seen.append(record.event), len(POISON) + 1).end()
    assert (report.dead_letters.total(), seen) == (len(POISON), expected)
    labels = (config.dlq_topic, config.ticker_topic, "deserialize")
    assert metrics.DLQ_PUBLISHED.labels(*labels)._value.get() == len(POISON)


FOR_GOOD = {
    "a refused login": (401, b"{}", {}, RegistryRefused),
    "a redirect": (307, b"", {"Location": "http://127.0.0.1:9/schemas/ids/1"}, NoRegistry),
}


@pytest.mark.parametrize("answer", FOR_GOOD)
def test_what_does_not_pass_by_waiting_ends_it_and_is_no_dead_letter(
    embedded: EmbeddedBroker, unique: str, answer: str
) -> None:
    status, body, headers, error = FOR_GOOD[answer]
    with scripted() as script:
        script.says(status, body, **headers)
        config = config_for(embedded.bootstrap, unique, schema_registry_url=script.url, dlq_enabled=True)
        create(config, config.ticker_topic)
        produce(config, 1, [0])
        with pytest.raises(error):
            run_kafka_consumer(config, topics=[config.ticker_topic], handler=Collector(), max_records=1)
    assert committed(config, config.ticker_topic) in ([None], [0])  # where the group begins


MAY_PASS = {
    "an error": (500, b'{"error_code": 50001, "message": "store"}', {}),
    "a page": (200, b"<html>one moment</html>", {"Content_Type": "text/html"}),
    "too many requests": (429, b"{}", {}),
    "an id that is not there": (404, b'{"error_code": 40403, "message": "Schema not found"}', {}),
    "an answer that is cut off": (200, b'{"schema": "', {}),
}


def test_what_may_pass_is_waited_for_and_is_no_dead_letter(embedded: EmbeddedBroker, unique: str) -> None:
    with scripted() as script:
        config = config_for(embedded.bootstrap, unique, schema_registry_url=script.url, dlq_enabled=True)
        create(config, config.ticker_topic)
        expected = produce(config, 1, range(3))
        seen: list[MarketEvent] = []
        script.says(500, b"")
        consuming = Consuming(config, lambda record: seen.append(record.event), 3)
        for status, body, headers in MAY_PASS.values():
            script.says(status, body, **headers)
            asked = len(script.asked)
            eventually(lambda: len(script.asked) >= asked + 2, "two attempts")  # noqa: B023
        assert seen == []
        script.says(200, {"schema": avro().text})
        assert consuming.end().dead_letters.total() == 0
    assert seen == expected


def test_without_a_registry_in_the_settings_it_ends_with_a_sentence(embedded: EmbeddedBroker, unique: str) -> None:
    config = config_for(embedded.bootstrap, unique, dlq_enabled=True)
    create(config, config.ticker_topic)
    produce(config, 1, [0])
    with pytest.raises(RegistryNotSet, match="KAFKA_SCHEMA_REGISTRY_URL"):
        run_kafka_consumer(config, topics=[config.ticker_topic], handler=lambda record: record.event, max_records=1)
