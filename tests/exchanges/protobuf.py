"""Protocol Buffers: writes a message of fields, each a number, a text, or a message that was written; reads one."""

from typing import Any

from tickwire.events.protobuf import wire_fields


def number(value: int) -> bytes:
    """A number without a sign."""
    low, rest = value & 0x7F, value >> 7
    return bytes([low | 0x80]) + number(rest) if rest else bytes([low])


def message(*fields: tuple[int, int | str | bytes]) -> bytes:
    """Fields in this order; one may come several times."""
    written = b""
    for name, value in fields:
        if isinstance(value, int):
            written += number(name << 3) + number(value)
        else:
            content = value.encode() if isinstance(value, str) else value
            written += number(name << 3 | 2) + number(len(content)) + content
    return written


class Read:
    """The fields of a message."""

    def __init__(self, data: bytes) -> None:
        self._fields: dict[int, list[Any]] = {}
        for name, _, value in wire_fields(data, 0):
            self._fields.setdefault(name, []).append(value)

    def __contains__(self, name: int) -> bool:
        return name in self._fields

    def text(self, name: int) -> str:
        return str(self._fields[name][-1].decode())

    def number(self, name: int) -> int:
        return int(self._fields[name][-1])

    def messages(self, name: int) -> "list[Read]":
        return [Read(value) for value in self._fields.get(name, ())]
