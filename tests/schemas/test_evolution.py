"""The rules of evolution in docs/schemas.md: what each good example keeps working, and each bad one breaks."""

import io
import json
from pathlib import Path
from typing import Any

import fastavro
import msgspec
import pytest
from fastavro.read import SchemaResolutionError
from google.protobuf.descriptor_pb2 import FileDescriptorSet  # type: ignore[import-untyped]
from google.protobuf.descriptor_pool import DescriptorPool  # type: ignore[import-untyped]
from google.protobuf.message_factory import GetMessageClass  # type: ignore[import-untyped]
from grpc_tools import protoc

from record_support import BOOK, EVENTS, TICKER
from registry_support import avro, proto, with_field
from tickwire.errors import RecordRejected
from tickwire.events.types import MarketEvent
from tickwire.records.formats import ValueReader, value_format
from tickwire.records.formats.framing import WriterSchema
from tickwire.records.kinds import KIND_OF
from tickwire.registry.shapes import breaks
from tickwire.schemas import schema_text

PAGE = (Path(__file__).parents[2] / "docs" / "schemas.md").read_text()
VENUE = {"name": "venue", "type": ["null", "string"], "default": None}


def written(event: MarketEvent, name: str) -> bytes:
    encode = value_format(name, KIND_OF[type(event)].name, 1).encode
    assert encode is not None
    return encode(msgspec.json.encode(event))


def stock_avro(writer: WriterSchema, reader: WriterSchema, fields: dict[str, Any]) -> Any:
    """What fastavro, told both schemas, reads of what it wrote with one of them."""
    body = io.BytesIO()
    fastavro.schemaless_writer(body, json.loads(writer.text), fields)
    return fastavro.schemaless_reader(io.BytesIO(body.getvalue()), json.loads(writer.text), json.loads(reader.text))


def fields_of(event: MarketEvent) -> dict[str, Any]:
    return {name: value for name, value in msgspec.to_builtins(event).items() if name != "type"}


def without(name: str) -> WriterSchema:
    return avro(change=lambda s: s.update(fields=[field for field in s["fields"] if field["name"] != name]))


def test_the_page_has_a_good_and_a_bad_example_of_each_rule() -> None:
    table = PAGE.partition("| rule | good | bad |\n")[2].partition("\n\n")[0].splitlines()[1:]
    rows = [[cell.strip() for cell in row.strip("|").split(" | ")] for row in table]
    assert len(rows) == 9
    assert all(good and bad for _, good, bad in rows[:-1])  # the last is about words


def test_a_new_field_has_a_default() -> None:
    assert f"`{json.dumps(VENUE)}`" in PAGE
    good, bad = avro(change=with_field(**VENUE)), avro(change=with_field(name="venue", type="string"))
    assert breaks(avro(), good) == []
    assert stock_avro(avro(), good, fields_of(TICKER)) == fields_of(TICKER) | {"venue": None}
    assert breaks(avro(), bad) == ["venue: it is new and has no default"]
    with pytest.raises(SchemaResolutionError):
        stock_avro(avro(), bad, fields_of(TICKER))


def stock_protobuf(schema: WriterSchema, folder: Path, value: bytes) -> Any:
    """What the Protobuf library reads with a schema."""
    (folder / "ticker.proto").write_text(schema.text)
    found = folder / "found"
    assert protoc.main(["protoc", f"-I{folder}", f"--descriptor_set_out={found}", "ticker.proto"]) == 0
    pool = DescriptorPool()
    for file in FileDescriptorSet.FromString(found.read_bytes()).file:
        pool.Add(file)
    return GetMessageClass(pool.FindMessageTypeByName("tickwire.Ticker")).FromString(value)


def test_a_protobuf_number_means_one_thing_for_ever(tmp_path: Path) -> None:
    last = "optional string last = 8;"
    good, bad = proto(last, "reserved 8;"), proto(last, "optional string venue = 8;")
    assert breaks(proto(), good) == []
    value = written(msgspec.structs.replace(TICKER, last="7.50"), "protobuf")[6:]
    assert stock_protobuf(good, tmp_path, value).bid == TICKER.bid
    assert stock_protobuf(bad, tmp_path, value).venue == "7.50"  # a price, read as a venue


@pytest.mark.parametrize("name", ["last", "bid", "sequence"])
def test_what_can_be_null_may_go(name: str) -> None:
    read = stock_avro(without(name), avro(), fields_of(TICKER))
    assert read == fields_of(TICKER) | {name: None}


@pytest.mark.parametrize("name", ["received_us", "exchange", "symbol"])
def test_what_every_reader_needs_may_not_go(name: str) -> None:
    assert breaks(without(name), avro()) == [f"{name}: it is new and has no default"]
    with pytest.raises(SchemaResolutionError):
        stock_avro(without(name), avro(), fields_of(TICKER))


def test_another_meaning_is_another_field() -> None:
    assert breaks(avro(), avro(change=with_field(name="received_ns", type=["null", "long"], default=None))) == []
    text = schema_text("ticker", "avro").replace("received_us", "received_ns")
    assert breaks(avro(), WriterSchema("avro", text)) == ["received_ns: it is new and has no default"]
    body = written(TICKER, "avro")
    with pytest.raises(RecordRejected) as caught:
        ValueReader(lambda _: WriterSchema("avro", text)).decode(body)
    assert caught.value.error_type == "schema"


def test_a_change_of_a_decimals_scale_passes_every_check() -> None:
    def scale(places: int) -> WriterSchema:
        decimal = {"type": "bytes", "logicalType": "decimal", "precision": 20, "scale": places}
        return avro(change=with_field(name="fee", type=["null", decimal], default=None))

    assert breaks(scale(2), scale(4)) == []
    for kind in EVENTS:  # so none of ours has one
        assert "logicalType" not in schema_text(kind, "avro")


def test_an_enum_fails_a_reader_without_the_new_word() -> None:
    def action(*words: str) -> WriterSchema:
        return WriterSchema("avro", json.dumps({
            "type": "record", "name": "Book", "fields": [
                {"name": "action", "type": {"type": "enum", "name": "Action", "symbols": list(words)}}]}))  # fmt: skip

    with pytest.raises(SchemaResolutionError):
        stock_avro(action("snapshot", "delta", "moved"), action("snapshot", "delta"), {"action": "moved"})
    assert '"enum"' not in schema_text("orderbook", "avro")


def test_levels_are_in_the_schema_itself() -> None:
    for kind in EVENTS:
        fastavro.parse_schema(json.loads(schema_text(kind, "avro")))  # which knows no other subject
        assert "import" not in schema_text(kind, "protobuf")
    level = json.loads(schema_text("orderbook", "avro"))["fields"][5]["type"]["items"]
    assert [field["name"] for field in level["fields"]] == ["price", "size"]
    assert ValueReader(lambda _: avro("orderbook")).decode(written(BOOK, "avro")) == BOOK
