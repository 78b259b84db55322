"""Parses Protobuf messages: https://protobuf.dev/programming-guides/encoding/ .

:class:`ProtobufText` turns them into JSON text, so that adapters read Protobuf frames like all others;
``native/protobuf_text.c`` is its compiled form.
"""

from typing import Any, NamedTuple, TypeAlias

import msgspec

from tickwire.compiled import compiled

VARINT, SIXTY_FOUR, SIZED, THIRTY_TWO = 0, 1, 2, 5  # types on the wire
_SIZES = {SIXTY_FOUR: 8, THIRTY_TWO: 4}  # bytes
_MOST_BYTES = 10  # of a number of 64 bits
_ALL = (1 << 64) - 1
_MOST_FIELDS = 1 << 29

TEXT, NUMBER = range(2)
Fields: TypeAlias = "tuple[Field, ...]"

_encode = msgspec.json.Encoder().encode


class Field(NamedTuple):
    """A field of a message and its name in JSON: a TEXT, a NUMBER without a sign, or a message of these fields.

    *many*: the field is repeated, and becomes an array. A message whose fields have no names becomes an array of them.
    """

    number: int
    name: str
    of: "int | Fields"
    many: bool = False


def read_varint(data: bytes, at: int) -> tuple[int, int]:
    """The number that begins at *at*, and where it ends. Raises :exc:`ValueError`."""
    number = 0
    for count in range(_MOST_BYTES):
        if at >= len(data):
            raise ValueError("ends inside a number")
        byte = data[at]
        at += 1
        number |= (byte & 0x7F) << 7 * count
        if byte < 0x80:
            return number & _ALL, at
    raise ValueError("has a number of more than 64 bits")


def wire_fields(data: bytes, at: int) -> list[tuple[int, int, Any]]:
    """Number, wire type and content of every field of the message from *at* on: a number, or bytes.

    Raises :exc:`ValueError`.
    """
    found: list[tuple[int, int, Any]] = []
    while at < len(data):
        tag, at = read_varint(data, at)
        number, wire = tag >> 3, tag & 7
        content: Any
        if not 0 < number < _MOST_FIELDS:
            raise ValueError(f"has a field with the number {number}")
        if wire == VARINT:
            content, at = read_varint(data, at)
        else:
            if wire == SIZED:
                size, at = read_varint(data, at)
            elif wire in _SIZES:
                size = _SIZES[wire]
            else:
                raise ValueError(f"has a field {number} of the wire type {wire}")
            if size > len(data) - at:
                raise ValueError(f"has a field of {size} bytes where {len(data) - at} are left")
            content, at = data[at : at + size], at + size
        found.append((number, wire, content))
    return found


@compiled
class ProtobufText:
    """Writes messages of these *fields* as JSON text, in this order and without spaces; other fields are passed over.

    A missing text is empty, a missing number 0, a missing message is left out. Of a field that comes twice, the last
    value counts.
    """

    def __init__(self, fields: Fields, /) -> None:
        self._fields = fields

    def __call__(self, data: bytes, /) -> bytes:
        """The text of one message. Raises :exc:`ValueError` for bytes that are none, or a field of another type."""
        return _encode(_message(data, self._fields))


def _message(data: bytes, fields: Fields) -> Any:
    found: dict[int, list[tuple[int, Any]]] = {}
    for number, wire, content in wire_fields(data, 0):
        found.setdefault(number, []).append((wire, content))
    values: dict[str, Any] = {}
    for at, field in enumerate(fields):
        said = [_value(field, wire, content) for wire, content in found.get(field.number, ())]
        if field.many or said or type(field.of) is int:
            absent: Any = "" if field.of == TEXT else 0
            values[field.name or str(at)] = said if field.many else said[-1] if said else absent
    return values if fields[0].name else list(values.values())


def _value(field: Field, wire: int, content: Any) -> Any:
    if wire != (VARINT if field.of == NUMBER else SIZED):
        raise ValueError(f"has a field {field.number} of the wire type {wire}")
    if isinstance(field.of, tuple):
        return _message(content, field.of)
    return content if field.of == NUMBER else content.decode()
