"""The bytes in front of an Avro or Protobuf value, which say what schema it was written with.

https://docs.confluent.io/platform/current/schema-registry/fundamentals/serdes-develop/index.html#wire-format
"""

from collections.abc import Callable
from typing import NamedTuple

from tickwire.errors import RecordRejected
from tickwire.events.types import MarketEvent
from tickwire.records.formats.varints import read_varint, unzigzag

MAGIC = 0
HEAD = 5  # bytes: the magic byte, and the schema's id with its highest byte first
FIRST = [0]  # the first message of a file
_DEEPEST = 16  # message inside message


class WriterSchema(NamedTuple):
    """A schema as the registry has it: its *format* (``avro``, ``protobuf`` or ``json``) and its *text*.

    The text of a Protobuf schema is its ``.proto`` file, or its file descriptor in base64.
    """

    format: str
    text: str


class Decoder(NamedTuple):
    """Decodes a value, including its head, into an event; *kind* is that of such events."""

    kind: str
    decode: Callable[[bytes], MarketEvent]


def avro_head(schema_id: int) -> bytes:
    """The bytes in front of an Avro value."""
    return bytes([MAGIC]) + schema_id.to_bytes(4, "big")


def protobuf_head(schema_id: int) -> bytes:
    """The bytes in front of a Protobuf value; the last one says that its message is the first of the file."""
    return avro_head(schema_id) + b"\x00"


def read_head(value: bytes) -> int:
    """The schema's id. Raises :exc:`~tickwire.errors.RecordRejected`."""
    if value[0] != MAGIC:
        raise RecordRejected("deserialize", f"the value begins with {value[:1]!r}, expected the byte 0 and a schema id")
    if len(value) < HEAD:
        raise RecordRejected("deserialize", "the value ends inside its schema id")
    return int.from_bytes(value[1:HEAD], "big")


def read_index(value: bytes, at: int) -> tuple[list[int], int]:
    """Which message of its file a Protobuf value is: the indexes of the enclosing messages and its own."""
    if value[at : at + 1] == b"\0":
        return FIRST, at + 1
    count, at = read_varint(value, at)
    if not 0 < unzigzag(count) <= _DEEPEST:
        raise RecordRejected("deserialize", f"the value's message index has a length of {unzigzag(count)}")
    index = []
    for _ in range(unzigzag(count)):
        number, at = read_varint(value, at)
        index.append(unzigzag(number))
    return index, at
