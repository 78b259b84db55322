"""Parses Protobuf schemas as registries return them: text of a ``.proto`` file, or its descriptor in base64.

https://protobuf.dev/reference/protobuf/proto3-spec/ ,
https://github.com/protocolbuffers/protobuf/blob/main/src/google/protobuf/descriptor.proto

The resulting tree has what the encoding depends on: ``{message: {field: {"number", "type", "label"}}}``, with messages
and enums by full name. Comments, options, reserved names and the grouping of a ``oneof`` are left out.
"""

import base64
import re
from collections.abc import Iterator
from typing import Any, TypeAlias

from tickwire.records.formats.protobuf import wire_fields

Tree: TypeAlias = dict[str, dict[str, dict[str, Any]]]

_TOKEN = re.compile(r'"(?:\\.|[^"\\])*"|\'(?:\\.|[^\'\\])*\'|[\w.]+|[^\s\w]')
_COMMENT = re.compile(r"//[^\n]*|/\*.*?\*/", re.DOTALL)
_DEEPEST = 32
# FieldDescriptorProto.Type and .Label
TYPES = (
    "", "double", "float", "int64", "uint64", "int32", "fixed64", "fixed32", "bool", "string", "group", "message",
    "bytes", "uint32", "enum", "sfixed32", "sfixed64", "sint32", "sint64",
)  # fmt: skip
_LABELS = {1: "", 2: "required", 3: "repeated"}


def tree(text: str) -> Tree:
    """The parts of a schema that the encoding depends on.

    Raises :exc:`ValueError` or :exc:`~tickwire.errors.RecordRejected` for text in neither form.
    """
    try:
        data = base64.b64decode(text, validate=True)
    except ValueError:
        found: Tree = {}
        _read_text(_Tokens(text), found, "", 0)
        return found
    found = {}
    _read_file(data, found)
    return found


class _Tokens:
    """The words and marks of a ``.proto`` file; raises :exc:`ValueError` at its end."""

    def __init__(self, text: str) -> None:
        self._all: list[str] = _TOKEN.findall(_COMMENT.sub(" ", text))
        self._at = 0

    def next(self) -> str:
        if self._at >= len(self._all):
            raise ValueError("it ends too early")
        self._at += 1
        return self._all[self._at - 1]

    def until(self, *ends: str) -> list[str]:
        """The words up to and including one of *ends*; a part in braces counts as one word."""
        words, depth = [], 0
        while True:
            word = self.next()
            words.append(word)
            depth += (word == "[") - (word == "]")
            if word in ends and depth <= 0:
                return words

    @property
    def done(self) -> bool:
        return self._at >= len(self._all)


def _read_text(tokens: _Tokens, found: Tree, around: str, depth: int) -> None:
    """Read the statements of a file, or of the message *around* up to its end."""
    if depth > _DEEPEST:
        raise ValueError("it is nested too deeply")
    package = ""
    while not tokens.done:
        word = tokens.next()
        if word == "}":
            return
        if word == "package":
            package = tokens.next()
        else:
            _read_statement(word, tokens, found, (around, around or package), depth)
    if around:
        raise ValueError("it ends too early")


def _read_statement(word: str, tokens: _Tokens, found: Tree, where: tuple[str, str], depth: int) -> None:
    """Read the statement that begins with *word*; *where* is the enclosing message and the prefix of type names."""
    around, space = where
    if word in {"message", "enum"}:
        name = ".".join(part for part in (space, tokens.next()) if part)
        tokens.until("{")
        found[name] = {}
        if word == "message":
            _read_text(tokens, found, name, depth + 1)
        else:
            found[name] = dict(_enum_text(tokens))
    elif word == "oneof" and around:
        tokens.until("{")
        _read_text(tokens, found, around, depth + 1)
    elif word in {"syntax", "import", "option", "reserved", "extensions"}:
        tokens.until(";")
    elif word != ";":
        if not around:
            raise ValueError(f"{word!r} is no statement of a .proto file")
        name, field = _field_text([word, *tokens.until(";")])
        found[around][name] = field


def _field_text(words: list[str]) -> tuple[str, dict[str, Any]]:
    """Read ``[label] type name = number [options];``."""
    label = words.pop(0) if words[0] in {"optional", "repeated", "required"} else ""
    equals = words.index("=")
    kind, name, number = "".join(words[: equals - 1]), words[equals - 1], int(words[equals + 1], 0)
    return name, {"number": number, "type": kind.rpartition(".")[2] if "<" not in kind else kind, "label": label}


def _enum_text(tokens: _Tokens) -> Iterator[tuple[str, dict[str, Any]]]:
    while (word := tokens.next()) != "}":
        words = tokens.until(";") if word != ";" else []
        if words[:1] == ["="]:
            yield word, {"number": int("".join(words[1:3]) if words[1] == "-" else words[1], 0)}


def _fields(data: bytes) -> list[tuple[int, Any]]:
    """Number and value of every field of a message."""
    return [(number, value) for number, _, value in wire_fields(data, 0)]


def _read_file(data: bytes, found: Tree) -> None:
    file = _fields(data)
    package = next((value.decode() for number, value in file if number == 2), "")
    for number, value in file:
        if number in {4, 5}:
            _read_type(value, found, package, number == 5, 0)
    if not found:
        raise ValueError("it is no file descriptor with a message")


def _read_type(data: bytes, found: Tree, around: str, is_enum: bool, depth: int) -> None:
    """Read a DescriptorProto or an EnumDescriptorProto."""
    if depth > _DEEPEST:
        raise ValueError("it is nested too deeply")
    parts = _fields(data)
    name = ".".join(part for part in (around, _text(parts, 1)) if part)
    found[name] = {}
    for number, value in parts:
        if number == 2 and is_enum:
            entry = _fields(value)
            found[name][_text(entry, 1)] = {"number": next((v for n, v in entry if n == 2), 0)}
        elif number == 2:
            field = dict(_fields(value))
            kind = TYPES[field.get(5, 0)] if field.get(5, 0) < len(TYPES) else ""
            if 6 in field:
                kind = field[6].decode().rpartition(".")[2]
            label = "optional" if field.get(17) else _LABELS.get(field.get(4, 1), "")
            found[name][field[1].decode()] = {"number": field.get(3, 0), "type": kind, "label": label}
        elif number in {3, 4} and not is_enum:
            _read_type(value, found, name, number == 4, depth + 1)


def _text(parts: list[tuple[int, Any]], number: int) -> str:
    return next((str(value, "utf-8") for found, value in parts if found == number), "")
