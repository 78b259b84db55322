"""The schemas say what the code says, in every form; and what was written with an earlier version is still read."""

import io
import json
from pathlib import Path
from types import NoneType
from typing import Any, Literal, get_args, get_origin

import fastavro
import jsonschema
import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from record_support import EVENTS, events, stock_classes
from tickwire.events.types import Level, MarketEvent
from tickwire.records.formats import ValueReader
from tickwire.records.formats.framing import WriterSchema
from tickwire.records.kinds import KIND_OF, KINDS, Kind
from tickwire.schemas import schema_text

VERSIONS = Path(__file__).parent / "versions"
SUFFIXES = {"avro": "avsc", "protobuf": "proto"}
OLD = sorted(VERSIONS.glob("*.jsonl"))
of_each_kind = pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)


def schema(kind: Kind, form: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(schema_text(kind.name, form))
    return found


def types(kind: Kind) -> dict[str, tuple[Any, bool]]:
    """Type and whether it may be null, by field, as the code has them."""
    found = {}
    for field in msgspec.structs.fields(kind.event):
        several = get_args(field.type) if NoneType in get_args(field.type) else (field.type,)
        found[field.name] = several[0], NoneType in several
    return found


def words(of: Any) -> tuple[str, ...]:
    return get_args(of) if get_origin(of) is Literal else ()


def validator(kind: Kind) -> jsonschema.Draft7Validator:
    jsonschema.Draft7Validator.check_schema(schema(kind, "json"))
    return jsonschema.Draft7Validator(schema(kind, "json"))


@of_each_kind
def test_the_avro_schema_is_the_code(kind: Kind) -> None:
    level = {"price": "string", "size": "string"}
    names = {str: "string", int: "long"}
    found = {}
    for field in schema(kind, "avro")["fields"]:
        several = field["type"] if isinstance(field["type"], list) else [field["type"]]
        assert ("default" in field, field.get("default")) == (len(several) == 2, None)
        found[field["name"]] = several[-1], several[:-1] == ["null"]
    if kind.is_book:
        inner = found["bids"][0]["items"]
        assert {part["name"]: part["type"] for part in inner["fields"]} == level
        assert found["asks"] == ({"type": "array", "items": inner["name"]}, False)
        found["bids"] = found["asks"] = (list[Level], False)
    expected = {
        name: ("string" if words(of) else names.get(of, of), optional) for name, (of, optional) in types(kind).items()
    }
    assert (list(found), found) == (list(expected), expected)


def test_the_protobuf_files_are_the_code(tmp_path: Path) -> None:
    for name, message in stock_classes(tmp_path).items():
        kind = next(kind for kind in KINDS if kind.name == name)
        fields, expected = message.DESCRIPTOR.fields, types(kind)
        assert [field.name for field in fields] == list(expected)
        assert list(message.DESCRIPTOR.file.message_types_by_name) == [
            kind.event.__name__
        ]  # one a file, and so a topic
        assert fields[-1].number == 15
        for field in fields:
            of, optional = expected[field.name]
            assert (field.has_presence, field.is_repeated) == (optional, of == list[Level])
            if words(of):
                values = [value.name for value in field.enum_type.values]
                assert values == [f"{field.name}_{word}".upper() for word in ("unspecified", *words(of))]
            elif of == list[Level]:
                assert [(part.name, part.cpp_type) for part in field.message_type.fields] == [
                    ("price", field.CPPTYPE_STRING), ("size", field.CPPTYPE_STRING),
                ]  # fmt: skip
            else:
                assert field.cpp_type == (field.CPPTYPE_STRING if of is str else field.CPPTYPE_INT64)


@of_each_kind
def test_the_json_schema_is_the_code(kind: Kind) -> None:
    found = schema(kind, "json")
    assert found["required"] == list(found["properties"]) == ["type", *types(kind)]
    for name, (of, optional) in types(kind).items():
        rule = found["properties"][name]
        assert rule.get("enum", []) == list(words(of))
        if not words(of):
            expected = {str: "string", int: "integer"}.get(of, "array")
            assert rule["type"] == ([expected, "null"] if optional else expected)


@given(event=st.one_of(*events.values()))
def test_the_json_schema_takes_every_event(event: MarketEvent) -> None:
    kind = KIND_OF[type(event)]
    assert list(validator(kind).iter_errors(json.loads(msgspec.json.encode(event)))) == []


@of_each_kind
def test_the_json_schema_refuses_what_the_code_refuses(kind: Kind) -> None:
    whole = json.loads(msgspec.json.encode(EVENTS[kind.name]))
    for name in whole:
        assert not validator(kind).is_valid({key: value for key, value in whole.items() if key != name})
        assert not validator(kind).is_valid(whole | {name: 0.5})


@of_each_kind
def test_every_field_has_its_meaning_and_its_unit_and_they_are_the_same_in_every_form(kind: Kind) -> None:
    avro, text = schema(kind, "avro"), schema_text(kind.name, "protobuf")
    properties = schema(kind, "json")["properties"]
    assert avro["doc"] == schema(kind, "json")["description"]
    assert f"// {avro['doc']}\nmessage " in text
    for field in avro["fields"]:
        doc = field["doc"]
        assert doc.endswith(".")
        assert properties[field["name"]]["description"] == doc
        assert any(f" {field['name']} = " in part.partition("\n")[0] for part in text.split(f"// {doc}\n  ")[1:])
        assert field["name"].endswith("_us") == ("microseconds" in doc)
        assert ("decimal text" in doc) == (
            field["name"] in {"bid", "ask", "bid_size", "ask_size", "last", "price", "size"}
        )
        assert ("null" in doc) == isinstance(field["type"], list)


@pytest.mark.parametrize("form", SUFFIXES)
@of_each_kind
def test_every_version_is_kept(kind: Kind, form: str) -> None:
    """Whoever changes a schema keeps the new version with values of it, as the last of the folder."""
    numbers = [int(path.stem.partition("-")[2]) for path in VERSIONS.glob(f"{kind.name}-*.{SUFFIXES[form]}")]
    assert sorted(numbers) == list(range(1, len(numbers) + 1))
    newest = VERSIONS / f"{kind.name}-{len(numbers)}.{SUFFIXES[form]}"
    assert newest.read_text(encoding="utf-8") == schema_text(kind.name, form)
    assert newest.with_suffix(f".{form}.jsonl").exists()


@pytest.mark.parametrize("path", OLD, ids=lambda path: path.name)
def test_what_was_written_with_an_earlier_version_is_still_read(path: Path) -> None:
    version, form, _ = path.name.split(".")
    text = (VERSIONS / f"{version}.{SUFFIXES[form]}").read_text(encoding="utf-8")
    reader = ValueReader(lambda _: WriterSchema(form, text))
    lines = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    assert lines
    for line in lines:
        assert json.loads(msgspec.json.encode(reader.decode(bytes.fromhex(line["value"])))) == line["event"]


@pytest.mark.parametrize("path", [path for path in OLD if ".avro." in path.name], ids=lambda path: path.name)
def test_stock_fastavro_reads_an_earlier_version_as_ours(path: Path) -> None:
    version = path.name.partition(".")[0]
    ours = json.loads(schema_text(version.partition("-")[0], "avro"))
    theirs = json.loads((VERSIONS / f"{version}.avsc").read_text(encoding="utf-8"))
    for line in path.read_text(encoding="utf-8").splitlines():
        value, event = bytes.fromhex(json.loads(line)["value"]), json.loads(line)["event"]
        found = fastavro.schemaless_reader(io.BytesIO(value[5:]), theirs, ours)
        assert isinstance(found, dict)
        levels = {
            side: [[level["price"], level["size"]] for level in found[side]]
            for side in ("bids", "asks")
            if side in found
        }
        assert found | levels | {"type": event["type"]} == event
