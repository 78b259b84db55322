"""Avro and Protobuf values that are not as we write them: poison told apart from what is waited for or passed over."""

import io
import json
import tracemalloc
from collections.abc import Iterator
from typing import Any

import fastavro
import msgspec
import pytest

from forms import FORMS as CODE
from forms import use
from record_support import BOOK, EVENTS, FORMATS, TICKER, TRADE, reader_of
from records.formats_support import GOLDEN, HEAD, fields_of, written
from tickwire.errors import RecordRejected
from tickwire.events.types import MarketEvent
from tickwire.records.codec import RecordWriter, read_event
from tickwire.records.formats import ValueReader, value_format
from tickwire.records.formats.framing import WriterSchema
from tickwire.records.kinds import KIND_OF, KINDS
from tickwire.registry_errors import RegistryAway, SchemaSwapped
from tickwire.schemas import schema_text


@pytest.fixture(scope="module", params=CODE, autouse=True)
def code(request: pytest.FixtureRequest) -> Iterator[str]:
    with use(request.param):
        yield request.param


def outcome(reader: ValueReader, value: bytes) -> MarketEvent | str:
    try:
        return reader.decode(value)
    except RecordRejected as e:
        return e.error_type


# ---- Registries that give ids anew ---------------------------------------------------------------------------------


class Given:
    """What a registry gives for every id, as it is now; it may be away."""

    def __init__(self, kind: str, name: str) -> None:
        self.away = False
        self.give(kind, name)

    def give(self, kind: str, name: str) -> None:
        self._schema = WriterSchema(name, schema_text(kind, name))

    def __call__(self, schema_id: int) -> WriterSchema:
        if self.away:
            raise RegistryAway("http://registry", "not now")
        return self._schema


def read(reader: ValueReader, event: MarketEvent, name: str, value: bytes | None = None) -> MarketEvent:
    formats = {KIND_OF[type(event)].name: value_format(name, KIND_OF[type(event)].name, 7)}
    record = RecordWriter({kind.name: kind.name for kind in KINDS}, formats).write(event)
    return read_event(record.key, record.value if value is None else value, record.headers, reader)


@pytest.mark.parametrize("name", FORMATS)
@pytest.mark.parametrize("other", FORMATS)
def test_an_id_given_to_another_schema_is_no_poison_and_is_read_right_when_that_is_mended(
    name: str, other: str
) -> None:
    given = Given("trade", other)
    reader = ValueReader(given)
    for _ in range(2):
        with pytest.raises(SchemaSwapped, match="its schema is trade") as caught:
            read(reader, TICKER, name)
        assert caught.value.retryable
    assert read(reader, TRADE, other) == TRADE  # what was written since
    with pytest.raises(SchemaSwapped):
        read(reader, TICKER, name)
    given.give("ticker", name)
    assert read(reader, TICKER, name) == TICKER


@pytest.mark.parametrize("name", FORMATS)
def test_a_schema_that_changed_while_it_was_known_is_asked_for_again(name: str) -> None:
    given = Given("ticker", name)
    reader = ValueReader(given)
    assert read(reader, TICKER, name) == TICKER
    given.give("orderbook", name)
    with pytest.raises(SchemaSwapped, match="another one before"):
        read(reader, BOOK, name)
    assert read(reader, BOOK, name) == BOOK


@pytest.mark.parametrize("away", [False, True])
@pytest.mark.parametrize("name", FORMATS)
def test_a_wrong_value_of_a_schema_that_is_the_same_is_poison(name: str, away: bool) -> None:
    given = Given("ticker", name)
    reader = ValueReader(given)
    assert read(reader, TICKER, name) == TICKER
    given.away = away
    with pytest.raises(RecordRejected):
        read(reader, TICKER, name, HEAD[name] + GOLDEN["ticker", name][:-1])


def test_a_schema_that_is_none_of_ours_behind_a_record_of_ours_is_waited_for() -> None:
    reader = ValueReader(lambda _: WriterSchema("avro", '{"type": "record", "name": "Elephant", "fields": []}'))
    with pytest.raises(SchemaSwapped, match="none of ours"):
        read(reader, TICKER, "avro")


def test_large_schemas_without_number_take_bounded_memory() -> None:
    large = json.loads(schema_text("ticker", "avro")) | {"doc": "d" * 1_000_000}
    reader = ValueReader(lambda number: WriterSchema("avro", json.dumps(large | {"number": number})))
    body = GOLDEN["ticker", "avro"]
    tracemalloc.start()
    try:
        for number in range(40):
            assert reader.decode(b"\0" + number.to_bytes(4, "big") + body) == TICKER
        assert tracemalloc.get_traced_memory()[0] < 10_000_000
    finally:
        tracemalloc.stop()


# ---- Schemas of other versions ------------------------------------------------------------------------------------


def avro(event: MarketEvent, change: Any, extra: dict[str, Any]) -> tuple[ValueReader, bytes]:
    """What fastavro writes with our schema after a change, and a reader that knows the schema."""
    schema = json.loads(schema_text(KIND_OF[type(event)].name, "avro"))
    change(schema)
    body = io.BytesIO()
    fastavro.schemaless_writer(body, schema, fields_of(event) | extra)
    return ValueReader(lambda _: WriterSchema("avro", json.dumps(schema))), HEAD["avro"] + body.getvalue()


def add(*fields: Any) -> Any:
    return lambda schema: schema["fields"].__setitem__(slice(2, 2), fields)


def drop(name: str) -> Any:
    return lambda schema: schema.update(fields=[field for field in schema["fields"] if field["name"] != name])


NODE = {"type": "record", "name": "Node", "fields": [{"name": "next", "type": ["null", "Node"]}]}
LATER = [
    ({"name": "venue", "type": "string"}, {"venue": "x"}),
    ({"name": "flags", "type": {"type": "array", "items": "int"}}, {"flags": [1, -2, 300]}),
    ({"name": "tags", "type": {"type": "map", "values": ["null", "bytes"]}}, {"tags": {"a": None, "b": b"c"}}),
    ({"name": "kind", "type": {"type": "enum", "name": "K", "symbols": ["A", "B"]}}, {"kind": "B"}),
    ({"name": "hash", "type": {"type": "fixed", "name": "H", "size": 4}}, {"hash": b"1234"}),
    ({"name": "sure", "type": "boolean"}, {"sure": True}),
    ({"name": "ratio", "type": "double"}, {"ratio": 0.5}),
    ({"name": "half", "type": "float"}, {"half": 0.5}),
    ({"name": "at", "type": {"type": "long", "logicalType": "timestamp-millis"}}, {"at": 5}),
    ({"name": "node", "type": NODE}, {"node": {"next": {"next": None}}}),
]


@pytest.mark.parametrize(("field", "value"), LATER, ids=lambda part: part.get("name") if "type" in part else "")
def test_fields_of_a_later_schema_are_passed_over(field: dict[str, Any], value: dict[str, Any]) -> None:
    reader, data = avro(TRADE, add(field), value)
    assert reader.decode(data) == TRADE


def test_a_field_that_an_earlier_schema_did_not_have_is_its_default() -> None:
    reader, data = avro(TICKER, drop("last"), {})
    assert reader.decode(data) == msgspec.structs.replace(TICKER, last=None)


@pytest.mark.parametrize("name", ["received_us", "exchange"])
def test_a_schema_without_a_field_that_has_no_default_is_of_another_shape(name: str) -> None:
    reader, data = avro(TICKER, drop(name), {})
    assert outcome(reader, data) == "schema"


def test_fields_of_a_later_protobuf_schema_are_passed_over() -> None:
    later = b"\xa0\x01\x05" + b"\xa9\x01" + bytes(8) + b"\xb5\x01" + bytes(4) + b"\xba\x01\x02ab"  # numbers 20 to 23
    for event in EVENTS.values():
        value = written(event, "protobuf")
        assert reader_of(KIND_OF[type(event)].name, "protobuf").decode(value[:6] + later + value[6:] + later) == event


@pytest.mark.parametrize(
    "schema",
    [
        WriterSchema("json", schema_text("ticker", "json")),
        WriterSchema("avro", schema_text("ticker", "avro").replace("Ticker", "Other")),
        WriterSchema("avro", schema_text("ticker", "avro").replace('"tickwire"', '"other"')),
        WriterSchema("avro", "{"),
        WriterSchema("avro", '"string"'),
        WriterSchema("avro", "[" * 100_000),
        WriterSchema("avro", '{"type": "record", "name": "tickwire.Ticker", "fields": [{"name": "a", "type": "b"}]}'),
        WriterSchema("avro", '{"type": "record", "name": "tickwire.Ticker", "fields": [{"name": "a", "type": '
                     + '{"type": "array", "items": ' * 100 + '"int"' + "}" * 100 + "}]}"),
        WriterSchema("protobuf", schema_text("ticker", "protobuf").replace("message Ticker", "message Other")),
        WriterSchema("protobuf", "CgA="),
        WriterSchema("protobuf", ""),
    ],
    ids=lambda schema: f"{schema.format}-{schema.text[-30:-10]}",
)  # fmt: skip
def test_a_schema_that_is_none_of_ours_is_poison(schema: WriterSchema) -> None:
    value = written(TICKER, "protobuf" if schema.format == "protobuf" else "avro")
    assert outcome(ValueReader(lambda _: schema), value) == "deserialize"


# ---- Bytes that are none ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", FORMATS)
@pytest.mark.parametrize("kind", EVENTS)
def test_a_value_that_was_cut_off_anywhere_is_poison(kind: str, name: str) -> None:
    whole, reader = written(EVENTS[kind], name), reader_of(kind, name)
    assert {outcome(reader, whole[:size]) for size in range(1, len(whole))} == {"deserialize"}


ENDLESS = b"\xff" * 100
DEEP = json.dumps(
    json.loads(schema_text("trade", "avro"))
    | {"fields": [{"name": "node", "type": NODE}, *json.loads(schema_text("trade", "avro"))["fields"]]}
)
NOTHING = json.dumps(
    json.loads(schema_text("trade", "avro")) | {"fields": [{"name": "no", "type": {"type": "array", "items": "null"}}]}
)


@pytest.mark.parametrize(
    ("form", "text", "body"),
    [
        ("avro", "", b"\x00\x00\x00\x07"),
        ("avro", "", HEAD["avro"] + GOLDEN["ticker", "avro"] + b"\x00"),
        ("avro", "", HEAD["avro"] + ENDLESS),
        ("avro", "", HEAD["avro"] + b"\x01"),  # a text of -1 bytes
        ("avro", "", HEAD["avro"] + b"\xfe\xff\xff\xff\xff\xff\xff\xff\x7f"),  # one of 2**62
        ("avro", "", HEAD["avro"] + b"\x02\xff" + GOLDEN["ticker", "avro"][8:]),  # no UTF-8
        ("avro", "", HEAD["avro"] + GOLDEN["ticker", "avro"].replace(b"\x02\x1065", b"\x04\x1065")),  # third of two
        ("avro", DEEP, HEAD["avro"] + b"\x02" * 1_000_000),
        ("avro", NOTHING, HEAD["avro"] + b"\xfe\xff\xff\xff\xff\xff\xff\xff\x7f"),
        ("protobuf", "", HEAD["protobuf"]),
        ("protobuf", "", HEAD["protobuf"] + ENDLESS),
        ("protobuf", "", HEAD["avro"] + ENDLESS),  # as its message index
        ("protobuf", "", HEAD["avro"] + b"\x02\x02" + GOLDEN["ticker", "protobuf"]),  # the second message
        ("protobuf", "", HEAD["avro"] + b"\x04\x00\x00" + GOLDEN["ticker", "protobuf"]),  # the first inside the first
        ("protobuf", "", HEAD["avro"] + b"\x01" + GOLDEN["ticker", "protobuf"]),  # an index of -1 numbers
        ("protobuf", "", HEAD["avro"] + b"\xfe\xff\xff\xff\x0f" + bytes(100)),
        ("protobuf", "", HEAD["protobuf"] + GOLDEN["ticker", "protobuf"][:-9]),  # all but received_us
        ("protobuf", "", HEAD["protobuf"] + b"\x08\x01" + GOLDEN["ticker", "protobuf"]),  # a number for a text
        ("protobuf", "", HEAD["protobuf"] + b"\x0b" * 1_000_000),  # groups in groups
        ("protobuf", "", HEAD["protobuf"] + b"\x00\x00" + GOLDEN["ticker", "protobuf"]),  # a field of number 0
        ("protobuf", "", HEAD["protobuf"] + b"\x0a\xff\xff\xff\xff\x7f"),
        ("protobuf", "", HEAD["protobuf"] + b"\x0a\x01\xff" + GOLDEN["ticker", "protobuf"][9:]),
    ],
)  # fmt: skip
def test_what_is_no_value_is_poison_and_takes_no_memory(form: str, text: str, body: bytes) -> None:
    reader = ValueReader(lambda _: WriterSchema(form, text or schema_text("ticker", form)))
    tracemalloc.start()
    try:
        assert outcome(reader, body) == "deserialize"
        assert tracemalloc.get_traced_memory()[1] < 20 * len(body) + 5_000_000
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("name", FORMATS)
def test_a_word_that_has_no_meaning_is_of_another_shape(name: str) -> None:
    value = written(TRADE, name)
    wrong = value.replace(b"\x06buy", b"\x06bid") if name == "avro" else value.replace(b"\x38\x01", b"\x38\x03")
    assert outcome(reader_of("trade", name), wrong) == "schema"
    if name == "protobuf":  # UNSPECIFIED, written and left out
        assert outcome(reader_of("trade", name), value.replace(b"\x38\x01", b"\x38\x00")) == "schema"
        assert outcome(reader_of("trade", name), value.replace(b"\x38\x01", b"")) == "schema"


def test_a_message_index_may_be_written_at_length() -> None:
    value = HEAD["avro"] + b"\x02\x00" + GOLDEN["ticker", "protobuf"]
    assert reader_of("ticker", "protobuf").decode(value) == TICKER
