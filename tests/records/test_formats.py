"""Avro and Protobuf values: exactly the stock libraries' bytes, and every value read back."""

import io
import json
from collections.abc import Iterator
from typing import Any

import fastavro
import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Raw

from forms import FORMS as CODE
from forms import use
from record_support import BOOK, EVENTS, FORMATS, TICKER, events, reader_of, stock_classes
from records.formats_support import GOLDEN, HEAD, fields_of, written
from tickwire.events.types import MarketEvent
from tickwire.records.codec import RecordWriter, read_event
from tickwire.records.formats import ValueReader, value_format
from tickwire.records.formats.avro import AvroEncoder
from tickwire.records.formats.framing import WriterSchema
from tickwire.records.kinds import KIND_OF, KINDS
from tickwire.registry_errors import RegistryNotSet
from tickwire.schemas import schema_text

LONG_NUMBER = 1 << 63
every_event = st.one_of(*events.values())


@pytest.fixture(scope="module", params=CODE, autouse=True)
def code(request: pytest.FixtureRequest) -> Iterator[str]:
    with use(request.param):
        yield request.param


@pytest.fixture(scope="module")
def stock(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    return stock_classes(tmp_path_factory.mktemp("protoc"))


def with_numbers(event: MarketEvent, message: Any) -> dict[str, Any]:
    """The fields as the Protobuf library has them: numbers for words, and nothing that is null."""
    fields = {name: value for name, value in fields_of(event).items() if value is not None}
    for name in ("action", "side"):
        if name in fields:
            fields[name] = (
                message.DESCRIPTOR.fields_by_name[name]
                .enum_type.values_by_name[f"{name}_{fields[name]}".upper()]
                .number
            )
    return fields


@pytest.mark.parametrize("name", FORMATS)
@pytest.mark.parametrize("kind", EVENTS)
def test_an_event_has_exactly_these_bytes(kind: str, name: str) -> None:
    assert written(EVENTS[kind], name) == HEAD[name] + GOLDEN[kind, name]


@pytest.mark.parametrize("form", ["avro", "protobuf", "descriptor"])
@pytest.mark.parametrize("kind", EVENTS)
def test_a_reader_that_knows_the_schema_alone_has_the_event(kind: str, form: str) -> None:
    value = written(EVENTS[kind], "protobuf" if form == "descriptor" else form)
    assert reader_of(kind, form).decode(value) == EVENTS[kind]


@given(event=every_event)
def test_stock_fastavro_writes_and_reads_the_same(event: MarketEvent) -> None:
    schema, body = json.loads(schema_text(KIND_OF[type(event)].name, "avro")), io.BytesIO()
    fastavro.schemaless_writer(body, schema, fields_of(event))
    value = written(event, "avro")
    assert value == HEAD["avro"] + body.getvalue()
    assert fastavro.schemaless_reader(io.BytesIO(value[5:]), schema, None) == fields_of(event)


@given(event=every_event.filter(lambda event: event.received_us != 0))
def test_the_stock_protobuf_library_writes_and_reads_the_same(event: MarketEvent, stock: dict[str, Any]) -> None:
    message = stock[KIND_OF[type(event)].name]
    value = written(event, "protobuf")
    assert value == HEAD["protobuf"] + message(**with_numbers(event, message)).SerializeToString(deterministic=True)
    assert message.FromString(value[6:]) == message(**with_numbers(event, message))


@pytest.mark.parametrize("name", FORMATS)
@given(event=every_event)
def test_every_event_is_read_back(name: str, event: MarketEvent) -> None:
    assert reader_of(KIND_OF[type(event)].name, name).decode(written(event, name)) == event


@pytest.mark.parametrize("name", FORMATS)
def test_levels_that_nobody_has_read_are_written_as_those_that_were(name: str) -> None:
    bids = Raw(b' [ ["65000.1" ,\n"1.20000000"],\t["65000.0","3"] ] ')
    raw = msgspec.structs.replace(BOOK, bids=bids)
    assert written(raw, name) == written(BOOK, name)


@pytest.mark.parametrize("name", FORMATS)
@pytest.mark.parametrize("number", [LONG_NUMBER, -LONG_NUMBER - 1])
def test_a_number_of_more_than_64_bits_is_refused_and_not_cut(name: str, number: int) -> None:
    with pytest.raises(OverflowError, match=str(number)):
        written(msgspec.structs.replace(TICKER, sequence=number), name)


def test_a_kind_or_an_id_that_cannot_be_is_refused() -> None:
    with pytest.raises(KeyError):
        AvroEncoder("tickers", 1)
    with pytest.raises(OverflowError):
        AvroEncoder("ticker", 1 << 32)


@pytest.mark.parametrize("name", FORMATS)
def test_a_record_says_its_format_and_is_the_same_otherwise(name: str) -> None:
    topics = {kind.name: kind.name for kind in KINDS}
    formats = {kind: value_format(name, kind, 3) for kind in topics}
    for kind, event in EVENTS.items():
        plain, record = RecordWriter(topics).write(event), RecordWriter(topics, formats).write(event)
        assert record.value == written(event, name, 3)
        assert record.headers == [("content-type", f"application/{name}".encode()), plain.headers[1]]
        assert msgspec.structs.replace(record, value=plain.value, headers=plain.headers) == plain
        assert read_event(record.key, record.value, record.headers, reader_of(kind, name)) == event


def test_a_topic_may_hold_every_format() -> None:
    schemas = {1: WriterSchema("avro", schema_text("ticker", "avro"))}
    schemas[2] = WriterSchema("protobuf", schema_text("ticker", "protobuf"))
    reader = ValueReader(schemas.__getitem__)
    values = [msgspec.json.encode(TICKER), written(TICKER, "avro", 1), written(TICKER, "protobuf", 2)]
    types = [b"application/json", b"application/avro", b"application/protobuf"]
    for value, content_type in zip(values, types, strict=True):
        assert reader.decode(value) == reader.decode(value, [("content-type", content_type)]) == TICKER


def test_without_a_registry_a_value_of_a_schema_is_an_error_that_names_the_setting() -> None:
    with pytest.raises(RegistryNotSet, match="KAFKA_SCHEMA_REGISTRY_URL"):
        ValueReader().decode(written(TICKER, "avro"), [("content-type", b"application/avro")])
