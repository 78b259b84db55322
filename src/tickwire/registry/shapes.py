"""Compares two versions of a schema field by field, and tells whether readers of the new one read old values.

The rules are those that Confluent documents for BACKWARD
(https://docs.confluent.io/platform/current/schema-registry/fundamentals/schema-evolution.html), as far as our schemas
need them: the registry decides, and this says which field is the cause.
"""

import json
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from tickwire.errors import RecordRejected
from tickwire.records.formats.framing import WriterSchema
from tickwire.registry import protobuf

_NOT_WRITTEN = frozenset({"doc", "default", "aliases"})
_NOTHING = object()
_SHOWN = 60  # characters of a value
# https://avro.apache.org/docs/1.12.0/specification/#schema-resolution
_PROMOTED = {
    "int": {"long", "float", "double"},
    "long": {"float", "double"},
    "float": {"double"},
    "string": {"bytes"},
    "bytes": {"string"},
}


class Difference(NamedTuple):
    """One difference between two schemas."""

    where: str  # such as "bid.default"
    was: Any
    now: Any

    def __str__(self) -> str:
        return f"{self.where or 'the schema'}: {_shown(self.was)} became {_shown(self.now)}"


def differences(old: WriterSchema, new: WriterSchema) -> list[Difference]:
    """The differences of two schemas, regardless of their formatting. Raises :exc:`ValueError` for an invalid one."""
    if old.format != new.format:
        return [Difference("format", old.format, new.format)]
    return list(_differences("", shape(old), shape(new)))


def written_otherwise(old: WriterSchema, new: WriterSchema) -> str | None:
    """The first difference that changes the encoding of values, if any. Raises :exc:`ValueError`."""
    found = (d for d in differences(old, new) if d.where.rpartition(".")[2] not in _NOT_WRITTEN)
    return next(map(str, found), None)


def breaks(old: WriterSchema, new: WriterSchema) -> list[str]:
    """Why a reader with the schema *new* could not read values written with *old*, one phrase for each field.

    Raises :exc:`ValueError` for an invalid schema.
    """
    if old.format != new.format:
        return [f"the format: {old.format} became {new.format}"]
    was, now = shape(old), shape(new)
    return list(_avro("", was, now) if old.format == "avro" else _protobuf(was, now))


def shape(schema: WriterSchema) -> Any:
    """The schema as a tree with fields by name. Raises :exc:`ValueError` for an invalid one."""
    try:
        if schema.format == "protobuf":
            return protobuf.tree(schema.text)
        if schema.format == "avro":
            return _by_name(json.loads(schema.text))
    except (LookupError, TypeError, RecordRejected, RecursionError) as e:
        raise ValueError(f"it is no {schema.format} schema ({e})") from e
    raise ValueError(f"its format is {schema.format}, expected avro or protobuf")


def _by_name(node: Any) -> Any:
    if isinstance(node, list):
        return [_by_name(part) for part in node]
    if not isinstance(node, dict):
        return node
    tree = {name: _by_name(value) for name, value in node.items()}
    if isinstance(tree.get("fields"), list):
        tree["fields"] = {field["name"]: field for field in tree["fields"]}
    return tree


def _differences(where: str, was: Any, now: Any) -> Iterator[Difference]:
    if isinstance(was, Mapping) and isinstance(now, Mapping):
        for name in dict.fromkeys((*was, *now)):
            yield from _differences(_inside(where, name), was.get(name, _NOTHING), now.get(name, _NOTHING))
    elif was != now or type(was) is not type(now):
        yield Difference(where, was, now)


def _inside(where: str, name: str) -> str:
    if name == "fields":  # left out, as people do when they name a field
        return where
    return f"{where}.{name}" if where else name


def _shown(value: Any) -> str:
    if value is _NOTHING:
        return "nothing"
    text = json.dumps(value)
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…"


def _avro(where: str, was: Any, now: Any) -> Iterator[str]:
    if isinstance(was, list) or isinstance(now, list):
        yield from _unions(where, was if isinstance(was, list) else [was], now if isinstance(now, list) else [now])
        return
    old, new = _kind(was), _kind(now)
    here = where or "the schema"
    if old != new:
        if new not in _PROMOTED.get(old, ()):
            yield f"{here}: {old} cannot be read as {new}"
    elif old == "record":
        yield from _records(where, was, now)
    elif old == "enum":
        if "default" not in now and (gone := [s for s in was["symbols"] if s not in now["symbols"]]):
            yield f"{here}: the symbol {gone[0]} is gone and there is no default"
    elif old in {"array", "map"}:
        inner = "items" if old == "array" else "values"
        yield from _avro(where, was[inner], now[inner])


def _records(where: str, was: Any, now: Any) -> Iterator[str]:
    if was["name"] != now["name"] and was["name"] not in now.get("aliases", ()):
        yield f"{where or 'the schema'}: {was['name']} became {now['name']}"
    for name, field in now["fields"].items():
        before = next((was["fields"][n] for n in (name, *field.get("aliases", ())) if n in was["fields"]), None)
        if before is not None:
            yield from _avro(_inside(where, name), before["type"], field["type"])
        elif "default" not in field:
            yield f"{_inside(where, name)}: it is new and has no default"


def _unions(where: str, was: list[Any], now: list[Any]) -> Iterator[str]:
    for branch in was:
        tried = [list(_avro(where, branch, reader)) for reader in now if not isinstance(reader, list)]
        if all(tried):
            yield f"{where or 'the schema'}: {_kind(branch)} cannot be read as {' or '.join(map(_kind, now))}"


def _kind(node: Any) -> str:
    return str(node["type"]) if isinstance(node, Mapping) else str(node)


def _protobuf(was: protobuf.Tree, now: protobuf.Tree) -> Iterator[str]:
    for message, fields in was.items():
        if message not in now:
            yield f"{message}: it is gone"
            continue
        by_number = {field["number"]: (name, field) for name, field in now[message].items()}
        for name, field in fields.items():
            _, same = by_number.get(field["number"], ("", None))
            if same is not None and same.get("type") != field.get("type"):
                yield f"{message}.{name}: {field['type']} cannot be read as {same['type']}"
            elif same is not None and (same.get("label") == "repeated") != (field.get("label") == "repeated"):
                yield f"{message}.{name}: it may be repeated in one of both only"
            elif (there := now[message].get(name)) is not None and there["number"] != field["number"]:
                yield f"{message}.{name}: its number {field['number']} became {there['number']}"
