"""What is told of two versions of a schema."""

from typing import Any

import pytest

from record_support import descriptor
from registry_support import avro, proto, with_field
from tickwire.records.formats.framing import WriterSchema
from tickwire.records.kinds import KINDS
from tickwire.registry.shapes import breaks, differences
from tickwire.schemas import schema_text

KIND_NAMES = [kind.name for kind in KINDS]


@pytest.mark.parametrize("kind", KIND_NAMES)
def test_a_proto_file_and_its_descriptor_are_alike(kind: str) -> None:
    assert differences(proto(kind=kind), descriptor(kind)) == []


@pytest.mark.parametrize("kind", KIND_NAMES)
def test_how_an_avro_schema_is_laid_out_is_no_difference(kind: str) -> None:
    assert differences(WriterSchema("avro", schema_text(kind, "avro")), avro(kind)) == []


def doc(schema: dict[str, Any]) -> None:
    schema["fields"][3]["doc"] = "Other."


def no_default(schema: dict[str, Any]) -> None:
    del schema["fields"][3]["default"]


def bid_is_double(schema: dict[str, Any]) -> None:
    schema["fields"][3]["type"] = ["null", "double"]


def received_is_double(schema: dict[str, Any]) -> None:
    schema["fields"][-1]["type"] = "double"


def bid_is_gone(schema: dict[str, Any]) -> None:
    del schema["fields"][3]


def renamed(schema: dict[str, Any]) -> None:
    schema["name"] = "Tick"


def level_price(schema: dict[str, Any]) -> None:
    schema["fields"][5]["type"]["items"]["fields"][0]["type"] = "long"


@pytest.mark.parametrize(
    ("new", "where"),
    [
        (avro(change=doc), "bid.doc"),
        (avro(change=no_default), "bid.default"),
        (avro(change=bid_is_double), "bid.type"),
        (avro(change=bid_is_gone), "bid"),
        (avro(change=with_field(name="venue", type="string")), "venue"),
        (avro(change=renamed), "name"),
        (proto(), "format"),
    ],
)
def test_a_difference_names_its_field(new: WriterSchema, where: str) -> None:
    assert [difference.where for difference in differences(avro(), new)] == [where]


def test_a_difference_of_a_protobuf_schema_names_its_field() -> None:
    new = proto("optional string bid_size = 5;", "optional int64 bid_size = 5;")
    assert [str(d) for d in differences(proto(), new)] == ['tickwire.Ticker.bid_size.type: "string" became "int64"']


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        (avro(), avro(change=doc), []),
        (avro(), avro(change=bid_is_gone), []),
        (avro(), avro(change=with_field(name="venue", type="string", default="")), []),
        (avro(), avro(change=received_is_double), []),
        (avro(change=received_is_double), avro(), ["received_us: double cannot be read as long"]),
        (avro(), avro(change=with_field(name="venue", type="string")), ["venue: it is new and has no default"]),
        (avro(), avro(change=bid_is_double), ["bid: string cannot be read as null or double"]),
        (avro(), avro(change=renamed), ["the schema: Ticker became Tick"]),
        (avro("orderbook"), avro("orderbook", level_price), ["bids.price: string cannot be read as long"]),
        (proto(), proto("string symbol = 2;", "string pair = 2;"), []),
        (proto(), proto("string symbol = 2;", ""), []),
        (proto(), proto("int64 received_us = 15;", "int64 received_us = 15; string venue = 16;"), []),
        (
            proto(),
            proto("string symbol = 2;", "int64 symbol = 2;"),
            ["tickwire.Ticker.symbol: string cannot be read as int64"],
        ),
        (
            proto(),
            proto("string symbol = 2;", "repeated string symbol = 2;"),
            ["tickwire.Ticker.symbol: it may be repeated in one of both only"],
        ),
        (
            proto(),
            proto("string symbol = 2;", "string symbol = 22;"),
            ["tickwire.Ticker.symbol: its number 2 became 22"],
        ),
        (proto(), proto("message Ticker", "message Tick"), ["tickwire.Ticker: it is gone"]),
        (avro(), proto(), ["the format: avro became protobuf"]),
    ],
)
def test_what_a_new_reader_cannot_read_is_named(old: WriterSchema, new: WriterSchema, expected: list[str]) -> None:
    assert breaks(old, new) == expected


@pytest.mark.parametrize(
    "schema",
    [
        WriterSchema("avro", '{"type": "rec'),
        WriterSchema("avro", "[" * 100_000),
        WriterSchema("protobuf", "message Ticker {"),
        WriterSchema("protobuf", "message Ticker " + "{ message A " * 1000),
        WriterSchema("protobuf", "SELECT 1;"),
        WriterSchema("protobuf", "////"),
        WriterSchema("protobuf", "message A { string = ; }"),
        WriterSchema("json", "{}"),
    ],
    ids=range(8),
)
def test_what_is_no_schema_is_a_value_error(schema: WriterSchema) -> None:
    with pytest.raises(ValueError):
        differences(schema, schema._replace(text=schema.text + " "))
