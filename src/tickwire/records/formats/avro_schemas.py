"""Values of any Avro schema, as objects of Python: https://avro.apache.org/docs/1.12.0/specification/ .

Records become dictionaries, enums text; logical types are read as their underlying type.
"""

import struct
from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

from tickwire.errors import RecordRejected
from tickwire.records.formats.varints import read_varint, unzigzag

Read: TypeAlias = Callable[[bytes, int], tuple[Any, int]]
"""Takes the data and the offset of a value; returns the value and the offset of its end."""

_DEEPEST = 32  # limit of nested types


def full_name(schema: Mapping[str, Any], around: str = "") -> str:
    """The name of a type with its namespace, which defaults to that of the type *around* it."""
    name = str(schema["name"])
    space = schema.get("namespace", around)
    return name if "." in name or not space else f"{space}.{name}"


def reader(schema: Any) -> Read:
    """A function that reads values of a schema; raises :exc:`ValueError` and others if it is no schema.

    That function raises :exc:`~tickwire.errors.RecordRejected` for a value that does not fit, and :exc:`RecursionError`
    if a value of a recursive schema is nested too deep.
    """
    return _reader(schema, {}, "", 0)


def _reader(schema: Any, named: dict[str, Read], space: str, depth: int) -> Read:
    """The same; *named* has the named types so far, *space* is the namespace of the enclosing type."""
    if depth > _DEEPEST:
        raise ValueError("nested too deeply")
    if isinstance(schema, str):
        return _PRIMITIVE.get(schema) or _named(schema if "." in schema or not space else f"{space}.{schema}", named)
    if isinstance(schema, list):
        return _union([_reader(branch, named, space, depth + 1) for branch in schema])
    match schema["type"]:
        case "record" | "enum" | "fixed":
            return _define(schema, named, full_name(schema, space), depth)
        case "array":
            return _blocks(_reader(schema["items"], named, space, depth + 1))
        case "map":
            values = _reader(schema["values"], named, space, depth + 1)
            return _blocks(_record([("key", _read_text), ("value", values)]))
        case inner:  # a primitive with a logical type, or one more pair of braces
            return _reader(inner, named, space, depth + 1)


def _define(schema: Mapping[str, Any], named: dict[str, Read], name: str, depth: int) -> Read:
    """Add a type that has a name."""
    if schema["type"] == "enum":
        named[name] = _enum(list(schema["symbols"]))
    elif schema["type"] == "fixed":
        size = int(schema["size"])
        named[name] = lambda data, at: _take(data, at, size)
    else:
        # A recursive field looks it up only when a value is read.
        named[name] = lambda data, at: read(data, at)  # noqa: PLW0108
        space = name.rpartition(".")[0]
        read = _record([(field["name"], _reader(field["type"], named, space, depth + 1)) for field in schema["fields"]])
        named[name] = read
    return named[name]


def _named(name: str, named: dict[str, Read]) -> Read:
    if name not in named:
        raise ValueError(f"no type is called {name}")
    return named[name]


def _read_long(data: bytes, at: int) -> tuple[int, int]:
    number, at = read_varint(data, at)
    return unzigzag(number), at


def _take(data: bytes, at: int, size: int) -> tuple[bytes, int]:
    if not 0 <= size <= len(data) - at:
        raise RecordRejected("deserialize", f"the value has a field of {size} bytes where {len(data) - at} are left")
    return data[at : at + size], at + size


def _read_bytes(data: bytes, at: int) -> tuple[bytes, int]:
    size, at = _read_long(data, at)
    return _take(data, at, size)


def _read_text(data: bytes, at: int) -> tuple[str, int]:
    text, at = _read_bytes(data, at)
    try:
        return text.decode(), at
    except UnicodeDecodeError:
        raise RecordRejected("deserialize", "the value has text that is not UTF-8") from None


def _read_boolean(data: bytes, at: int) -> tuple[bool, int]:
    byte, at = _take(data, at, 1)
    return byte != b"\x00", at


def _number(form: struct.Struct) -> Read:
    def read(data: bytes, at: int) -> tuple[float, int]:
        number, at = _take(data, at, form.size)
        return float(form.unpack(number)[0]), at

    return read


_PRIMITIVE: dict[str, Read] = {
    "null": lambda _data, at: (None, at),
    "boolean": _read_boolean,
    "int": _read_long,
    "long": _read_long,
    "float": _number(struct.Struct("<f")),
    "double": _number(struct.Struct("<d")),
    "bytes": _read_bytes,
    "string": _read_text,
}


def _choice(of: list[Any], data: bytes, at: int) -> tuple[Any, int]:
    number, at = _read_long(data, at)
    if not 0 <= number < len(of):
        raise RecordRejected("deserialize", f"the value takes number {number} of {len(of)} choices")
    return of[number], at


def _union(branches: list[Read]) -> Read:
    def read(data: bytes, at: int) -> tuple[Any, int]:
        branch: Read
        branch, at = _choice(branches, data, at)
        return branch(data, at)

    return read


def _enum(symbols: list[str]) -> Read:
    return lambda data, at: _choice(symbols, data, at)


def _record(fields: list[tuple[str, Read]]) -> Read:
    def read(data: bytes, at: int) -> tuple[dict[str, Any], int]:
        values = {}
        for name, field in fields:
            values[name], at = field(data, at)
        return values, at

    return read


def _blocks(item: Read) -> Read:
    def read(data: bytes, at: int) -> tuple[list[Any], int]:
        items: list[Any] = []
        while True:
            count, at = _read_long(data, at)
            if not count:
                return items, at
            if count < 0:  # then the block's size in bytes follows, for readers that skip it
                count = -count
                _, at = _read_long(data, at)
            # Items of zero bytes could be unlimited in number; no real schema has them.
            if count > len(data) - at:
                raise RecordRejected(
                    "deserialize", f"the value has {count} items where {len(data) - at} bytes are left"
                )
            for _ in range(count):
                value, at = item(data, at)
                items.append(value)

    return read
