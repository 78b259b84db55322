"""Topics that hold records of every format, as while producers are changed from one to another."""

import base64
import json
from collections.abc import Iterator

import msgspec
import pytest
from confluent_kafka import Producer

from consumer_support import config_for
from record_support import BOOK, EVENTS, TICKER, TRADE
from tickwire.broker.embedded import EmbeddedBroker
from tickwire.broker.memory_registry import MemoryRegistry
from tickwire.cli.consume_output import json_line
from tickwire.cli.dlq.output import readable, to_json
from tickwire.config.kafka_config import KafkaConfig
from tickwire.events.types import MarketEvent
from tickwire.kafka.admin.topics import ensure_topics
from tickwire.kafka.consuming.consumer import run_kafka_consumer
from tickwire.kafka.consuming.market_state import MarketState
from tickwire.kafka.dead_letters.selection import DeadLetter
from tickwire.kafka.received import ReceivedRecord, value_reader
from tickwire.records.codec import Record, RecordWriter
from tickwire.records.formats import JSON, value_format
from tickwire.records.kinds import KIND_OF, KINDS, topics_by_kind
from tickwire.registry.client import Registry
from tickwire.registry.subjects import our_schema

FORMATS = ("json", "avro", "protobuf")


@pytest.fixture(scope="module")
def registry() -> Iterator[MemoryRegistry]:
    with MemoryRegistry() as registry:
        yield registry


def settings(registry: MemoryRegistry) -> KafkaConfig:
    return KafkaConfig(schema_registry_url=registry.url)


def write(config: KafkaConfig, event: MarketEvent, name: str) -> Record:
    """One record in a format, whose schema the registry gets."""
    kind, form = KIND_OF[type(event)].name, JSON
    if name != "json":
        form = value_format(name, kind, Registry(config).register(f"{kind}-{name}", our_schema(kind, name)))
    return RecordWriter(topics_by_kind(config), {kind: form}).write(event)


def received(config: KafkaConfig, record: Record) -> ReceivedRecord:
    return ReceivedRecord(
        record.topic, 0, 0, record.key, record.value, record.headers, 1, None, value_reader(config)
    )  # fmt: skip


@pytest.mark.parametrize("name", FORMATS)
@pytest.mark.parametrize("kind", EVENTS)
def test_a_record_has_its_event_and_is_shown_in_json(kind: str, name: str, registry: MemoryRegistry) -> None:
    config, event = settings(registry), EVENTS[kind]
    record = received(config, write(config, event, name))
    assert record.event == event
    text = msgspec.json.encode(event).decode()
    assert f'"value":{text}' in json_line(record)


@pytest.mark.parametrize("name", FORMATS)
def test_a_dead_letter_shows_what_it_stands_for_and_keeps_its_bytes(name: str, registry: MemoryRegistry) -> None:
    config = settings(registry)
    record = received(config, write(config, TRADE, name))
    letter, text = DeadLetter.of(record), msgspec.json.encode(TRADE).decode()
    shown = to_json(letter)
    assert (shown["value"], base64.b64decode(shown["value_base64"])) == (text, record.value)
    assert text in readable(letter, "", whole=True)


def test_what_the_registry_does_not_say_is_shown_as_bytes(registry: MemoryRegistry) -> None:
    config = settings(registry)
    record = received(config, write(config, TRADE, "avro"))
    lost = msgspec.structs.replace(record, value=b"\x00\xff\xff\xff\xff" + (record.value or b"")[5:])
    assert "value_base64" in json.loads(json_line(lost))


def test_a_consumer_reads_topics_of_every_format(
    embedded: EmbeddedBroker, unique: str, registry: MemoryRegistry
) -> None:
    config = config_for(embedded.bootstrap, unique, schema_registry_url=registry.url)
    ensure_topics(config, config.topics)
    producer = Producer({"bootstrap.servers": config.brokers})
    for seq, name in enumerate(FORMATS):
        book = msgspec.structs.replace(BOOK, book_seq=seq)
        if seq:
            book.action, book.reason, book.bids, book.asks = "delta", None, [(f"6400{seq}", "1")], []
        for event in (TICKER, book, TRADE):
            record = write(config, event, name)
            producer.produce(record.topic, record.value, record.key, headers=[*record.headers])
    assert producer.flush(30) == 0
    state = MarketState()
    run_kafka_consumer(config, handler=state, max_records=9)
    assert dict(state.records) == {kind.name: 3 for kind in KINDS}
    assert (state.jumps, [book.valid for book in state.books.values()]) == (0, [True])
