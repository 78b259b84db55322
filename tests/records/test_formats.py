"""Avro and Protobuf values: exactly the stock libraries' bytes, every value read back, and poison told apart."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from record_support import EVENTS, FORMATS, TICKER, events, reader_of
from tickwire.errors import RecordRejected, RegistryNotSet
from tickwire.events.types import MarketEvent
from tickwire.records.codec import RecordWriter, read_event
from tickwire.records.formats import ValueReader, value_format
from tickwire.records.formats.framing import WriterSchema
from tickwire.records.kinds import KIND_OF, KINDS
from tickwire.schemas import schema_text


def written(event: MarketEvent, name: str, schema_id: int = 7) -> bytes:
    encode = value_format(name, KIND_OF[type(event)].name, schema_id).encode
    assert encode is not None
    return encode(msgspec.json.encode(event))


GOLDEN = {
    ("ticker", "avro"): (
        b"\x00\x00\x00\x00\x07\x0ebinance\x10BTC-USDT\x0eBTCUSDT\x02\x1065000.10\x02\x061.2\x02\x1065000.20\x02\x060.5"
        b"\x00\x02\xf2\x81\xaa\xfe\x02\x00\xce\x8f\xf2\x81\x83\x89\x85\x06"
    ),
    ("ticker", "protobuf"): (
        b"\x00\x00\x00\x00\x07\x00\x0a\x07binance\x12\x08BTC-USDT\x1a\x07BTCUSDT\x22\x0865000.10\x2a\x031.2"
        b"\x32\x0865000.20\x3a\x030.5\x48\xf9\x80\x95\xbf\x01\x78\xe7\x87\xf9\xc0\xc1\xc4\x82\x03"
    ),
}


@pytest.mark.parametrize("name", FORMATS)
def test_a_ticker_has_exactly_these_bytes(name: str) -> None:
    assert written(TICKER, name) == GOLDEN["ticker", name]


@pytest.mark.parametrize("form", ["avro", "protobuf", "descriptor"])
@pytest.mark.parametrize("kind", EVENTS)
def test_a_reader_that_knows_the_schema_alone_has_the_event(kind: str, form: str) -> None:
    value = written(EVENTS[kind], "protobuf" if form == "descriptor" else form)
    assert reader_of(kind, form).decode(value) == EVENTS[kind]


@pytest.mark.parametrize("name", FORMATS)
@given(event=st.one_of(*events.values()))
def test_every_event_is_read_back(name: str, event: MarketEvent) -> None:
    assert reader_of(KIND_OF[type(event)].name, name).decode(written(event, name)) == event


@pytest.mark.parametrize("name", FORMATS)
def test_a_record_says_its_format_and_is_the_same_otherwise(name: str) -> None:
    topics = {kind.name: kind.name for kind in KINDS}
    formats = {kind: value_format(name, kind, 3) for kind in topics}
    for kind, event in EVENTS.items():
        plain, record = RecordWriter(topics).write(event), RecordWriter(topics, formats).write(event)
        assert record.value == written(event, name, 3)
        assert record.headers == [("content-type", f"application/{name}".encode()), plain.headers[1]]
        assert msgspec.structs.replace(record, value=b"", headers=[]) == msgspec.structs.replace(
            plain, value=b"", headers=[]
        )
        assert read_event(record.key, record.value, record.headers, reader_of(kind, name)) == event


@pytest.mark.parametrize("name", FORMATS)
@pytest.mark.parametrize("kind", EVENTS)
def test_a_value_that_was_cut_off_anywhere_is_poison(kind: str, name: str) -> None:
    whole, reader = written(EVENTS[kind], name), reader_of(kind, name)
    for size in range(1, len(whole)):
        with pytest.raises(RecordRejected) as caught:
            reader.decode(whole[:size])
        assert caught.value.error_type == "deserialize"


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
