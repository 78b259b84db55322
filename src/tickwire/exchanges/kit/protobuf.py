"""Protocol Buffers as exchanges send them, and no more of them than that.

The encoding: https://protobuf.dev/programming-guides/encoding/
"""

from typing import TypeAlias

_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5  # wire types; groups are not written any more
_SKIPPED = {_FIXED64: 8, _FIXED32: 4}  # bytes of what has no reader here
_MORE = 0x80  # and above: a byte of a number that goes on
_MOST_BITS = 63  # of the last part of a number

_Value: TypeAlias = int | bytes


class Message:
    """The fields of one message by their numbers; messages in it are read when they are asked for.

    Raises :exc:`ValueError`, now or then, for what is no message, or is not what the reader asks for.
    """

    __slots__ = ("_fields",)

    def __init__(self, data: bytes) -> None:
        # Numbers of one byte, as most are, do not go through _number: this runs for every field of every level.
        fields: dict[int, list[_Value]] = {}
        self._fields = fields
        at, end = 0, len(data)
        while at < end:
            key = data[at]
            at += 1
            if key >= _MORE:
                key, at = _number(data, at - 1)
            kind = key & 7
            value: _Value
            if kind == _BYTES:
                size = data[at] if at < end else _MORE
                at += 1
                if size >= _MORE:
                    size, at = _number(data, at - 1)
                start = at
                at += size
                value = data[start:at]
            elif kind == _VARINT:
                value, at = _number(data, at)
            elif kind in _SKIPPED:
                at += _SKIPPED[kind]
                continue
            else:
                raise ValueError(f"a field of the wire type {kind}")
            field = key >> 3
            if field in fields:
                fields[field].append(value)
            else:
                fields[field] = [value]
        if at != end:
            raise ValueError("a field that is longer than its message")

    def __contains__(self, field: int) -> bool:
        return field in self._fields

    def text(self, field: int) -> str:
        """A field of text; empty where there is none."""
        values = self._fields.get(field)
        return "" if values is None else _bytes(values[-1]).decode()

    def number(self, field: int) -> int:
        """A field that is a number of 64 bits without a sign; 0 where there is none."""
        value = self._fields.get(field, [0])[-1]
        if type(value) is not int:
            raise ValueError("text instead of a number")
        return value

    def messages(self, field: int) -> "list[Message]":
        """The messages of a field, however many."""
        return [Message(_bytes(value)) for value in self._fields.get(field, ())]


def _bytes(value: _Value) -> bytes:
    if type(value) is not bytes:
        raise ValueError("a number instead of text")
    return value


def _number(data: bytes, at: int) -> tuple[int, int]:
    """Read a number of up to 64 bits; and where what follows begins."""
    value = shift = 0
    while shift <= _MOST_BITS:
        if at >= len(data):
            raise ValueError("a message without its end")
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < _MORE:
            return value, at
        shift += 7
    raise ValueError("a number of more than 64 bits")
