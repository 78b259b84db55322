"""Topics that hold records of every format, as while producers are changed from one to another."""

import base64
import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
from confluent_kafka import Producer

from consumer_support import config_for, read_all
from dead_letter_support import bury, dlq_config
from record_support import BOOK, EVENTS, TICKER, TRADE
from tickwire.broker.embedded import EmbeddedBroker
from tickwire.broker.memory_registry import MemoryRegistry
from tickwire.cli.consume_output import json_line
from tickwire.cli.dlq.output import readable, to_json
from tickwire.cli.main import main
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


@pytest.mark.parametrize("named", [True, False], ids=["by their headers", "by their first byte"])
def test_a_topic_that_goes_from_format_to_format_has_its_book_rebuilt(
    embedded: EmbeddedBroker, unique: str, registry: MemoryRegistry, named: bool
) -> None:
    config = config_for(embedded.bootstrap, unique, schema_registry_url=registry.url)
    ensure_topics(config, config.topics)
    producer = Producer({"bootstrap.servers": config.brokers})
    for seq, name in enumerate(FORMATS):
        book = msgspec.structs.replace(BOOK, book_seq=seq)
        if seq:
            book.action, book.reason, book.bids, book.asks = "delta", None, [(f"6400{seq}", "1.50")], []
        for event in (TICKER, book, TRADE):
            record = write(config, event, name)
            producer.produce(record.topic, record.value, record.key, headers=[*record.headers] if named else None)
    assert producer.flush(30) == 0
    state = MarketState()
    run_kafka_consumer(config, handler=state, max_records=9)
    assert dict(state.records) == {kind.name: 3 for kind in KINDS}
    [rebuilt] = state.books.values()
    assert (state.jumps, rebuilt.valid) == (0, True)
    assert rebuilt.book is not None
    assert rebuilt.book.bids.top() == [*BOOK.bids, ("64002", "1.50"), ("64001", "1.50")]


def run(*arguments: str) -> int | str | None:
    """Run ``tickwire`` here, and return what the process would end with."""
    with pytest.raises(SystemExit) as ended:
        main(arguments, name="tickwire")
    return ended.value.code


@pytest.fixture
def commands(
    embedded: EmbeddedBroker,
    unique: str,
    registry: MemoryRegistry,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> KafkaConfig:
    """Topics and settings that commands find in the environment."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    monkeypatch.setenv("KAFKA_SCHEMA_REGISTRY_URL", registry.url)
    config = dlq_config(embedded.bootstrap, unique, monkeypatch, schema_registry_url=registry.url)
    ensure_topics(config, [config.ticker_topic, config.dlq_topic])
    return config


@pytest.mark.parametrize("name", FORMATS)
def test_dead_letters_are_listed_shown_exported_and_replayed_as_they_came(
    name: str, commands: KafkaConfig, capsys: pytest.CaptureFixture[str]
) -> None:
    failed = received(commands, write(commands, TICKER, name))
    bury(commands, [failed])
    text = msgspec.json.encode(TICKER).decode()
    for command in (["list", "--json"], ["export"]):
        assert run("dlq", *command) == 0
        found = json.loads(capsys.readouterr().out.splitlines()[0])
        assert found["value"] == text
        assert base64.b64decode(found["value_base64"]) == failed.value
    place = f"{found['partition']}:{found['offset']}"
    for arguments in ((), ("--json",)):
        assert run("dlq", "show", place, *arguments) == 0
        assert (text if not arguments else json.dumps(text)) in capsys.readouterr().out
    assert run("dlq", "replay", "--execute") == 0
    [replayed] = read_all(commands, commands.ticker_topic)
    assert replayed.value == failed.value
    assert ("content-type", f"application/{name}".encode()) in list(replayed.headers)
    seen: list[MarketEvent] = []
    run_kafka_consumer(
        commands, topics=[commands.ticker_topic], handler=lambda record: seen.append(record.event), max_records=1
    )
    assert seen == [TICKER]


def test_consume_shows_every_format_in_json(commands: KafkaConfig, capsys: pytest.CaptureFixture[str]) -> None:
    producer = Producer({"bootstrap.servers": commands.brokers})
    for name in FORMATS:
        record = write(commands, TICKER, name)
        producer.produce(record.topic, record.value, record.key, headers=[*record.headers])
    assert producer.flush(30) == 0
    assert run("consume", "--topics", commands.ticker_topic, "--format", "json", "--max", "3") == 0
    lines = capsys.readouterr().out.splitlines()
    assert [f'"value":{msgspec.json.encode(TICKER).decode()}' in line for line in lines] == [True] * 3


@pytest.mark.parametrize("name", FORMATS)
def test_check_looks_at_the_schemas_of_the_format(
    name: str, commands: KafkaConfig, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("KAFKA_TICKER_FORMAT", name)

    def looked_at() -> dict[bool, int]:
        assert run("check", "--json") in {0, 1}
        findings = json.loads(capsys.readouterr().out)["steps"]
        return Counter(step["ok"] for step in findings if step["step"] == "registry")

    subjects = int(name != "json")
    assert looked_at() == Counter({True: 1, False: subjects})
    assert run("schemas", "register") == (0 if subjects else 2)
    capsys.readouterr()
    assert looked_at() == Counter({True: 1 + subjects})
