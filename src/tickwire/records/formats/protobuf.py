"""Protobuf: https://protobuf.dev/programming-guides/encoding/ .

Order and presence of fields are as the stock libraries write them. ``received_us`` is always written, and last, so a
value that was cut off anywhere lacks it.
"""

import base64
import binascii
import re
from typing import Any, NamedTuple, get_args

from tickwire.compiled import compiled
from tickwire.errors import RecordRejected
from tickwire.events import protobuf
from tickwire.events.protobuf import SIZED, VARINT
from tickwire.events.types import Action, MarketEvent, TakerSide
from tickwire.records.formats.framing import FIRST, HEAD, Decoder, protobuf_head, read_index
from tickwire.records.formats.json_text import convert_fields, decode_text
from tickwire.records.formats.varints import check_long, put_varint
from tickwire.records.kinds import KINDS
from tickwire.schemas import schema_text

_ALL = (1 << 64) - 1
_TOP = 1 << 63
_ALWAYS = "received_us"

_FIELD = re.compile(r"^  (optional |repeated |)(string|int64|Level|Action|Side) (\w+) = (\d+);$", re.MULTILINE)
_PACKAGE = re.compile(r"^\s*package\s+([\w.]+)\s*;", re.MULTILINE)
_MESSAGE = re.compile(r"^\s*message\s+(\w+)", re.MULTILINE)
_NAMES: dict[str, tuple[str, ...]] = {"Action": get_args(Action), "Side": get_args(TakerSide)}  # from number 1 on


class _Field(NamedTuple):
    name: str
    number: int
    type: str
    optional: bool

    @property
    def wire(self) -> int:
        return SIZED if self.type in {"string", "Level"} else VARINT

    @property
    def absent(self) -> Any:
        """The value of a field that a message lacks."""
        if self.type == "Level":
            return []
        return None if self.optional else "" if self.type == "string" else 0


_FIELDS = {
    kind.name: [
        _Field(name, int(number), of, how == "optional ")
        for how, of, name, number in _FIELD.findall(schema_text(kind.name, "protobuf"))
    ]
    for kind in KINDS
}


def _message(text: str) -> str:
    """The full name of the first message of a ``.proto`` file."""
    package, message = _PACKAGE.search(text), _MESSAGE.search(text)
    return f"{package[1]}.{message[1]}" if package and message else ""


_KINDS = {kind.name: kind for kind in KINDS}
_KIND_OF = {_message(schema_text(kind.name, "protobuf")): kind for kind in KINDS}


def _put_sized(to: bytearray, number: int, data: bytes | bytearray) -> None:
    put_varint(to, number << 3 | SIZED)
    put_varint(to, len(data))
    to += data


def _put_field(to: bytearray, field: _Field, value: Any) -> None:
    """Write a field by the rules of proto3: null, empty or zero is left out, an optional field only if null."""
    if value is None:
        return
    if field.type == "Level":
        for price, size in value:
            level = bytearray()
            for number, text in ((1, price), (2, size)):
                if text:
                    _put_sized(level, number, text.encode())
            _put_sized(to, field.number, level)
    elif field.type == "string":
        if value or field.optional:
            _put_sized(to, field.number, value.encode())
    else:
        number = 1 + _NAMES[field.type].index(value) if field.type in _NAMES else check_long(value) & _ALL
        if number or field.optional or field.name == _ALWAYS:
            put_varint(to, field.number << 3 | VARINT)
            put_varint(to, number)


@compiled
class ProtobufEncoder:
    """Writes events of a *kind* from their JSON text; *schema_id* is that of its schema in the registry."""

    def __init__(self, kind: str, schema_id: int, /) -> None:
        self._head = protobuf_head(schema_id)
        self._fields = _FIELDS[kind]

    def __call__(self, text: bytes, /) -> bytes:
        """The value of one event. Raises :exc:`OverflowError` for a number of more than 64 bits."""
        event = decode_text(text)
        value = bytearray(self._head)
        for field in self._fields:
            _put_field(value, field, getattr(event, field.name))
        return bytes(value)


def protobuf_decoder(text: str) -> Decoder:
    """A decoder of values that were written with the schema *text*, or its file descriptor in base64.

    Raises :exc:`~tickwire.errors.RecordRejected` if its first message is none of ours. Unknown fields are skipped, as
    by every Protobuf reader.
    """
    kind = _KIND_OF.get(_message(text) or _described(text))
    if kind is None:
        raise RecordRejected("deserialize", f"the value's schema is none of ours: {text[:80]!r}")
    return Decoder(kind.name, ProtobufReader(kind.name))


@compiled
class ProtobufReader:
    """Reads values of a *kind*."""

    def __init__(self, kind: str, /) -> None:
        self._kind = kind
        self._known = {field.number: field for field in _FIELDS[kind]}

    def __call__(self, value: bytes, /) -> MarketEvent:
        """The event of a value. Raises :exc:`~tickwire.errors.RecordRejected`."""
        index, at = read_index(value, HEAD)
        if index != FIRST:
            raise RecordRejected("deserialize", f"the value is message {index} of its schema, expected {FIRST}")
        fields = {field.name: field.absent for field in self._known.values() if field.name != _ALWAYS}
        for number, wire, content in wire_fields(value, at):
            field = self._known.get(number)
            if field is None:
                continue
            if wire != field.wire:
                raise RecordRejected("deserialize", f"the value's field {field.name} has the wire type {wire}")
            if field.type == "Level":
                fields[field.name].append(_level(content))
            else:
                fields[field.name] = _text(content) if field.type == "string" else _signed(content)
        if _ALWAYS not in fields:
            raise RecordRejected("deserialize", f"the value has no {_ALWAYS}, which every message has: it was cut off")
        for field in self._known.values():
            if field.type in _NAMES:
                fields[field.name] = _name(field, fields[field.name])
        return convert_fields(fields, _KINDS[self._kind].event)


def wire_fields(data: bytes, at: int) -> list[tuple[int, int, Any]]:
    """Number, wire type and content of every field of the message from *at* on: a number, or bytes.

    Raises :exc:`~tickwire.errors.RecordRejected`.
    """
    try:
        return protobuf.wire_fields(data, at)
    except ValueError as e:
        raise RecordRejected("deserialize", f"the value {e}") from None


def _signed(number: int) -> int:
    return number - (1 << 64) if number & _TOP else number


def _name(field: _Field, number: int) -> str:
    names = _NAMES[field.type]
    if not 0 < number <= len(names):
        raise RecordRejected("schema", f"the value's {field.name} is number {number}, which has no meaning here")
    return names[number - 1]


def _text(data: bytes) -> str:
    try:
        return data.decode()
    except UnicodeDecodeError:
        raise RecordRejected("deserialize", "the value has text that is not UTF-8") from None


def _level(data: bytes) -> tuple[str, str]:
    level = {1: b"", 2: b""}
    for number, wire, content in wire_fields(data, 0):
        if number in level:
            if wire != SIZED:
                raise RecordRejected("deserialize", f"the value's level has a field with the wire type {wire}")
            level[number] = content
    return _text(level[1]), _text(level[2])


def _described(text: str) -> str:
    """The full name of the first message of a file descriptor in base64: package is 2, message_type 4, its name 1.

    https://github.com/protocolbuffers/protobuf/blob/v33.0/src/google/protobuf/descriptor.proto
    """
    try:
        fields = wire_fields(base64.b64decode(text, validate=True), 0)
        package = next(content for number, _, content in fields if number == 2)
        message = next(content for number, _, content in fields if number == 4)
        name = next(content for number, _, content in wire_fields(message, 0) if number == 1)
        return f"{package.decode()}.{name.decode()}"
    except (binascii.Error, RecordRejected, StopIteration, ValueError, AttributeError, TypeError):
        return ""
