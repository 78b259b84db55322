"""The file descriptor of a ``.proto`` text, which a registry returns for ``format=serialized``. Pure.

https://github.com/protocolbuffers/protobuf/blob/main/src/google/protobuf/descriptor.proto
"""

import base64
import re

from tickwire.records.formats.varints import put_varint
from tickwire.registry.protobuf import TYPES, Tree, tree

_PACKAGE = re.compile(r"^\s*package\s+([\w.]+)\s*;", re.MULTILINE)
_LABELS = {"": 1, "optional": 1, "required": 2, "repeated": 3}
_MESSAGE, _ENUM = 11, 14


def serialized(text: str) -> str:
    """The descriptor in base64; a *text* that is one already stays as it is. Raises :exc:`ValueError`."""
    try:
        base64.b64decode(text, validate=True)
    except ValueError:
        found, package = tree(text), _PACKAGE.search(text)
        inside = package[1] if package else ""
        parts = _text(1, "default") + (_text(2, inside) if inside else b"")
        parts += _types(found, inside, 4, 5) + _text(12, "proto3")
        return base64.b64encode(parts).decode()
    return text


def _types(found: Tree, around: str, message: int, enum: int) -> bytes:
    """The types directly inside *around*, with the field numbers *message* and *enum*."""
    return b"".join(
        _sized(enum, _enum(name, found)) if _is_enum(name, found) else _sized(message, _message(name, found))
        for name in found
        if name.rpartition(".")[0] == around
    )


def _is_enum(name: str, found: Tree) -> bool:
    return bool(found[name]) and all("type" not in entry for entry in found[name].values())


def _enum(name: str, found: Tree) -> bytes:
    values = (_text(1, value) + _number(2, entry["number"]) for value, entry in found[name].items())
    return _text(1, name.rpartition(".")[2]) + b"".join(_sized(2, value) for value in values)


def _message(name: str, found: Tree) -> bytes:
    parts, alone = _text(1, name.rpartition(".")[2]), b""
    optional = 0
    for field, entry in found[name].items():
        said = _text(1, field) + _number(3, entry["number"]) + _number(4, _LABELS[entry["label"]])
        said += _kind(name, entry["type"], found)
        if entry["label"] == "optional":  # each has a oneof of its own, which come last
            said += _number(9, optional) + _number(17, 1)
            alone += _sized(8, _text(1, f"_{field}"))
            optional += 1
        parts += _sized(2, said)
    return parts + _types(found, name, 3, 4) + alone


def _kind(around: str, kind: str, found: Tree) -> bytes:
    if kind in TYPES:
        return _number(5, TYPES.index(kind))
    while f"{around}.{kind}" not in found:
        if not around:
            raise ValueError(f"it has no type {kind}")
        around = around.rpartition(".")[0]
    name = f"{around}.{kind}"
    return _number(5, _ENUM if _is_enum(name, found) else _MESSAGE) + _text(6, f".{name}")


def _number(field: int, value: int) -> bytes:
    to = bytearray()
    put_varint(to, field << 3)
    put_varint(to, value & (2**64 - 1))
    return bytes(to)


def _sized(field: int, data: bytes) -> bytes:
    to = bytearray()
    put_varint(to, field << 3 | 2)
    put_varint(to, len(data))
    return bytes(to) + data


def _text(field: int, text: str) -> bytes:
    return _sized(field, text.encode())
