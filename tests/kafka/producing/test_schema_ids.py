"""Where a publisher has its schemas' ids from, whatever the registry does; records on a mock cluster."""

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka import Consumer, TopicPartition

from kafka.mock_cluster import MockCluster
from kafka.publishing import config_for, running, ticker, topics_on
from record_support import FORMATS
from registry_support import avro, client, proto, scripted
from support import aeventually
from tickwire.broker import MemoryRegistry
from tickwire.config.kafka_config import KafkaConfig
from tickwire.kafka.producing import schema_ids
from tickwire.kafka.producing.flow import NullFlow
from tickwire.kafka.producing.publisher import Publisher
from tickwire.kafka.producing.schema_ids import SchemaIds
from tickwire.kafka.received import ReceivedRecord, value_reader
from tickwire.registry.subjects import our_schema, our_subjects, register
from tickwire.registry_errors import NoRegistry, RegistryAway, RegistryRefused, SchemaMissing, SchemaRefused


@pytest.fixture
def memory() -> Iterator[MemoryRegistry]:
    with MemoryRegistry() as registry:
        yield registry


def settings(memory: MemoryRegistry, tmp_path: Path, **values: Any) -> KafkaConfig:
    common: dict[str, Any] = {"schema_registry_url": memory.url, "ticker_format": "avro", "spill_dir": tmp_path}
    return KafkaConfig(**common | values)


def register_all(config: KafkaConfig) -> None:
    for subject in our_subjects(config):
        register(client(config.schema_registry_url or ""), subject)


@pytest.mark.parametrize("name", FORMATS)
async def test_what_is_published_is_read_back_with_the_registry_alone(
    name: str, mock: MockCluster, memory: MemoryRegistry, unique: str, tmp_path: Path
) -> None:
    config = config_for(mock.bootstrap, unique, value_format=name, schema_registry_url=memory.url, spill_dir=tmp_path)
    topics_on(mock, config)
    client(memory.url).register("other-value", avro("trade"))  # so that ids are not alike everywhere
    register_all(config)
    async with running(config, NullFlow()) as publisher:
        publisher.publish(ticker(7))
        assert await publisher.close(20) == 0
    consumer = Consumer({"bootstrap.servers": mock.bootstrap, "group.id": "reader", "auto.offset.reset": "earliest"})
    consumer.assign([TopicPartition(config.ticker_topic, 0, 0)])
    message = consumer.poll(20)
    consumer.close()
    record = ReceivedRecord.from_message(message, value_reader(config))
    assert record.value is not None
    assert record.value[:5] == b"\x00\x00\x00\x00\x02"
    assert record.event == ticker(7)


def test_a_schema_that_is_not_registered_names_the_command(
    memory: MemoryRegistry, tmp_path: Path, mock: MockCluster, unique: str
) -> None:
    config = config_for(
        mock.bootstrap, unique, trades_format="protobuf", schema_registry_url=memory.url, spill_dir=tmp_path
    )
    topics_on(mock, config)
    with pytest.raises(SchemaMissing, match=r"trades.*`tickwire schemas register`"):
        Publisher(config).open()
    client(memory.url).register(f"{config.trades_topic}-value", proto())
    with pytest.raises(SchemaMissing, match="trades"):
        Publisher(config).open()


def test_only_the_topics_that_are_written_are_asked_for(memory: MemoryRegistry, tmp_path: Path) -> None:
    config = settings(memory, tmp_path, value_format="avro")
    client(memory.url).register("ticks.v1.raw-value", avro())
    assert list(SchemaIds(config).formats(["ticks.v1.raw"])) == ["ticker"]
    assert SchemaIds(KafkaConfig()).formats(config.topics) == {}


def test_a_start_without_the_registry_takes_the_ids_that_were_kept(memory: MemoryRegistry, tmp_path: Path) -> None:
    config = settings(memory, tmp_path)
    register_all(config)
    first = SchemaIds(config)
    first.formats(config.topics)
    memory.stop()
    again = SchemaIds(config)
    assert list(again.formats(config.topics)) == ["ticker"]
    assert again._ids == first._ids
    with pytest.raises(RegistryAway):  # kept for that schema, and no other
        SchemaIds(settings(memory, tmp_path, ticker_format="protobuf")).formats(config.topics)
    with pytest.raises(RegistryAway):
        SchemaIds(settings(memory, tmp_path / "elsewhere")).formats(config.topics)


MAY_PASS = {
    "an error": (500, b"{}", {}),
    "a page": (200, b"<html>one moment</html>", {"Content_Type": "text/html"}),
    "too many requests": (429, b"{}", {}),
}
FOR_GOOD = {
    "a refused login": (403, b"{}", {}, RegistryRefused),
    "a wrong path": (404, b"<html>nothing here</html>", {"Content_Type": "text/html"}, NoRegistry),
    "a redirect": (302, b"", {"Location": "http://127.0.0.1:9/"}, NoRegistry),
}


@pytest.mark.parametrize("answer", MAY_PASS)
def test_a_start_while_the_registry_answers_nonsense_takes_the_ids_that_were_kept(answer: str, tmp_path: Path) -> None:
    with scripted() as script:
        status, body, headers = MAY_PASS[answer]
        script.says(status, body, **headers)
        config = KafkaConfig(schema_registry_url=script.url, ticker_format="avro", spill_dir=tmp_path)
        with pytest.raises(RegistryAway):
            SchemaIds(config).formats(config.topics)
        script.says(200, {"id": 3, "schema": avro().text})
        first = SchemaIds(config)
        first.formats(config.topics)
        script.says(status, body, **headers)
        again = SchemaIds(config)
        again.formats(config.topics)
        again.look()
    assert list(again._ids.values()) == list(first._ids.values()) == [3]


@pytest.mark.parametrize("answer", FOR_GOOD)
def test_what_does_not_pass_by_waiting_ends_the_start_though_an_id_was_kept(answer: str, tmp_path: Path) -> None:
    with scripted() as script:
        config = KafkaConfig(schema_registry_url=script.url, ticker_format="avro", spill_dir=tmp_path)
        script.says(200, {"id": 3, "schema": avro().text})
        SchemaIds(config).formats(config.topics)
        status, body, headers, error = FOR_GOOD[answer]
        script.says(status, body, **headers)
        with pytest.raises(error):
            SchemaIds(config).formats(config.topics)


def test_a_damaged_file_is_none(memory: MemoryRegistry, tmp_path: Path) -> None:
    config = settings(memory, tmp_path)
    register_all(config)
    SchemaIds(config).formats(config.topics)
    [file] = tmp_path.glob("schema-*.json")
    file.write_bytes(b'{"id": ')
    memory.stop()
    with pytest.raises(RegistryAway):
        SchemaIds(config).formats(config.topics)


def test_a_change_of_a_doc_is_no_other_schema(memory: MemoryRegistry, tmp_path: Path) -> None:
    """Apicurio 3.3.3 keeps the version before such a change and answers with its id."""
    config = settings(memory, tmp_path)
    ids = SchemaIds(config)
    register_all(config)
    ids.formats(config.topics)
    memory.clear()
    client(memory.url).register("other-value", avro(change=lambda schema: schema["fields"][3].update(doc="Other.")))
    ids.look()


@pytest.mark.parametrize("other", [avro("trade"), our_schema("ticker", "protobuf")], ids=["kind", "format"])
def test_an_id_that_was_given_to_another_schema_is_noticed(memory: MemoryRegistry, tmp_path: Path, other: Any) -> None:
    """A registry in memory came back empty, and somebody else registered first."""
    config = settings(memory, tmp_path)
    register_all(config)
    ids = SchemaIds(config)
    ids.formats(config.topics)
    ids.look()
    memory.stop()
    ids.look()  # away: nothing is known
    memory.start()
    memory.clear()
    ids.look()  # empty: readers wait, and nothing is written that they would take for something else
    client(memory.url).register("other-value", other)
    with pytest.raises(SchemaRefused, match=r"id 1 of subject ticks\.v1\.raw-value"):
        ids.look()


async def test_such_an_id_ends_the_publisher(
    mock: MockCluster, memory: MemoryRegistry, unique: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(schema_ids, "_LOOK_S", 0.02)
    config = config_for(
        mock.bootstrap, unique, ticker_format="avro", schema_registry_url=memory.url, spill_dir=tmp_path
    )
    topics_on(mock, config)
    register_all(config)
    feed = NullFlow()
    async with running(config, feed) as publisher:
        await asyncio.to_thread(memory.clear)
        await asyncio.to_thread(client(memory.url).register, "other-value", avro("trade"))
        await aeventually(lambda: bool(feed.errors), "the feed is told")
        assert isinstance(feed.errors[0], SchemaRefused)
        await publisher.close(5)
