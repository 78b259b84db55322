"""Avro, binary encoding: https://avro.apache.org/docs/1.12.0/specification/#binary-encoding .

Values are written with our own schemas. Values that are read may have been written with an earlier or later version of
them: each is read with its own schema, and then the known fields are taken.
"""

import json
from collections.abc import Callable
from functools import partial
from typing import Any, TypeAlias

from tickwire.compiled import compiled
from tickwire.errors import RecordRejected
from tickwire.events.types import MarketEvent
from tickwire.records.formats.avro_schemas import Read, full_name, reader
from tickwire.records.formats.framing import HEAD, Decoder, avro_head
from tickwire.records.formats.json_text import convert_fields, decode_text
from tickwire.records.formats.varints import check_long, put_varint, zigzag
from tickwire.records.kinds import KINDS, Kind
from tickwire.schemas import schema_text

_Put: TypeAlias = Callable[[bytearray, Any], None]

_SCHEMAS: dict[str, Any] = {kind.name: json.loads(schema_text(kind.name, "avro")) for kind in KINDS}
_OURS = {name: reader(schema) for name, schema in _SCHEMAS.items()}
_KINDS = {kind.name: kind for kind in KINDS}
_KIND_OF = {f"{_SCHEMAS[kind.name]['namespace']}.{_SCHEMAS[kind.name]['name']}": kind for kind in KINDS}


def _put_long(to: bytearray, number: int) -> None:
    put_varint(to, zigzag(check_long(number)))


def _put_text(to: bytearray, text: str) -> None:
    data = text.encode()
    _put_long(to, len(data))
    to += data


def _put_levels(to: bytearray, levels: list[tuple[str, str]]) -> None:
    if levels:
        _put_long(to, len(levels))
        for price, size in levels:
            _put_text(to, price)
            _put_text(to, size)
    to.append(0)


def _or_null(put: _Put) -> _Put:
    def put_optional(to: bytearray, value: Any) -> None:
        if value is None:
            to.append(0)
        else:
            to.append(2)
            put(to, value)

    return put_optional


_PUT: dict[str, _Put] = {"string": _put_text, "long": _put_long}


def _writer(written: Any) -> _Put:
    """The function that writes a type, for the types in our schemas."""
    if isinstance(written, list):
        return _or_null(_PUT[written[1]])
    return _put_levels if isinstance(written, dict) else _PUT[written]


@compiled
class AvroEncoder:
    """Writes events of a *kind* from their JSON text; *schema_id* is that of its schema in the registry."""

    def __init__(self, kind: str, schema_id: int, /) -> None:
        self._head = avro_head(schema_id)
        self._fields = [(field["name"], _writer(field["type"])) for field in _SCHEMAS[kind]["fields"]]

    def __call__(self, text: bytes, /) -> bytes:
        """The value of one event. Raises :exc:`OverflowError` for a number of more than 64 bits."""
        event = decode_text(text)
        value = bytearray(self._head)
        for name, put in self._fields:
            put(value, getattr(event, name))
        return bytes(value)


def avro_decoder(text: str) -> Decoder:
    """A decoder of values that were written with the schema *text*.

    Raises :exc:`~tickwire.errors.RecordRejected` if it is no schema, or none of ours.
    """
    try:
        schema = json.loads(text)
        kind = _KIND_OF.get(full_name(schema))
        read = reader(schema) if kind else None
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        kind = read = None
    if kind is None or read is None:
        raise RecordRejected("deserialize", f"the value's schema is none of ours: {text[:80]!r}")
    if _shape(schema) == _shape(_SCHEMAS[kind.name]):
        return Decoder(kind.name, AvroReader(kind.name))
    return Decoder(kind.name, partial(_event, kind, read))


@compiled
class AvroReader:
    """Reads values of a *kind* that were written with our own schema."""

    def __init__(self, kind: str, /) -> None:
        self._kind, self._read = _KINDS[kind], _OURS[kind]

    def __call__(self, value: bytes, /) -> MarketEvent:
        """The event of a value. Raises :exc:`~tickwire.errors.RecordRejected`."""
        return _event(self._kind, self._read, value)


def _event(kind: Kind, read: Read, value: bytes) -> MarketEvent:
    try:
        written, end = read(value, HEAD)
    except RecursionError:
        raise RecordRejected("deserialize", "the value is nested too deeply") from None
    if end != len(value):
        raise RecordRejected("deserialize", f"the value goes on for {len(value) - end} bytes after its end")
    ours = _SCHEMAS[kind.name]["fields"]
    fields = {field["name"]: field["default"] for field in ours if "default" in field}
    fields |= {field["name"]: written[field["name"]] for field in ours if field["name"] in written}
    if kind.is_book:
        fields |= {side: _levels(fields.get(side)) for side in ("bids", "asks")}
    return convert_fields(fields, kind.event)


def _shape(schema: Any) -> Any:
    """A schema without attributes that do not affect the encoding."""
    if isinstance(schema, dict):
        return {name: _shape(part) for name, part in schema.items() if name not in {"doc", "default"}}
    return [_shape(part) for part in schema] if isinstance(schema, list) else schema


def _levels(written: Any) -> Any:
    try:
        return [(level["price"], level["size"]) for level in written]
    except (TypeError, KeyError):
        return written  # the conversion refuses it
