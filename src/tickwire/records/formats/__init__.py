"""The formats of values, pure: what an event is in JSON, Avro and Protobuf.

A value is written from the event's JSON text, which the short way from a frame has without having an event
(:mod:`tickwire.events.short_way`). Avro and Protobuf values begin with the id that the schema registry gave their
schema; who writes is told it, who reads is told what schema an id stands for.
"""

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import TypeAlias

from tickwire.errors import RecordRejected
from tickwire.events.types import MarketEvent
from tickwire.records.formats.avro import AvroDecoder, AvroEncoder
from tickwire.records.formats.framing import HEAD, MAGIC, WriterSchema, read_head
from tickwire.records.formats.json_text import decode_json
from tickwire.records.formats.protobuf import ProtobufDecoder, ProtobufEncoder
from tickwire.registry_errors import RegistryNotSet

Headers: TypeAlias = Sequence[tuple[str, bytes | None]]
WriterSchemas: TypeAlias = Callable[[int], WriterSchema]
"""Gives the schema of an id. Raises an error that is ``retryable`` while the registry cannot say."""

_MOST_SCHEMAS = 1000  # decoders that are kept
CONTENT_TYPES = {"json": b"application/json", "avro": b"application/avro", "protobuf": b"application/protobuf"}
_FORMAT_OF = {content_type: name for name, content_type in CONTENT_TYPES.items()}


@dataclass(frozen=True, slots=True)
class ValueFormat:
    """How the values of one kind are written: *encode* makes one of an event's JSON text; None: it is that text."""

    content_type: bytes = CONTENT_TYPES["json"]
    encode: Callable[[bytes], bytes] | None = None


JSON = ValueFormat()


def value_format(name: str, kind: str, schema_id: int) -> ValueFormat:
    """The format with this name for events of this *kind*; *schema_id* is what the registry calls the kind's schema."""
    if name == "json":
        return JSON
    encoder = AvroEncoder if name == "avro" else ProtobufEncoder
    return ValueFormat(CONTENT_TYPES[name], encoder(kind, schema_id))


def _no_registry(schema_id: int) -> WriterSchema:
    """Stand in for a registry where none is set."""
    raise RegistryNotSet(schema_id)


class ValueReader:
    """Reads values of every format: by the header ``content-type``, or else by the first byte.

    Without a registry a value is JSON if no header says otherwise.
    """

    def __init__(self, writer_schema: WriterSchemas | None = None) -> None:
        self._writer_schema = writer_schema or _no_registry
        self._magic = None if writer_schema is None else MAGIC
        self._decoders: dict[bytes, AvroDecoder | ProtobufDecoder] = {}  # by what values begin with

    def decode(self, value: bytes, headers: Headers = ()) -> MarketEvent:
        """The event. Raises :exc:`~tickwire.errors.RecordRejected`, and what the registry raises."""
        named = _format(headers)
        if named == "json" or (named is None and value[0] != self._magic):
            return decode_json(value)
        decoder = self._decoders.get(value[:HEAD]) or self._open(value)
        return decoder(value)

    def prepare(self, value: bytes | None, headers: Headers = ()) -> None:
        """Have the schema of a value, so that :meth:`decode` asks nobody. Raises what the registry raises."""
        if not value or value[0] != MAGIC or _format(headers) == "json":
            return
        with suppress(RecordRejected):  # decode says so
            if value[:HEAD] not in self._decoders:
                self._open(value)

    def _open(self, value: bytes) -> AvroDecoder | ProtobufDecoder:
        schema_id = read_head(value)
        schema = self._writer_schema(schema_id)
        if schema.format not in {"avro", "protobuf"}:
            raise RecordRejected("deserialize", f"the value's schema {schema_id} is {schema.format}, not ours")
        if len(self._decoders) >= _MOST_SCHEMAS:
            self._decoders.clear()
        decoder = (AvroDecoder if schema.format == "avro" else ProtobufDecoder)(schema.text)
        self._decoders[value[:HEAD]] = decoder
        return decoder


def _format(headers: Headers) -> str | None:
    for name, said in headers:
        if name == "content-type":
            return _FORMAT_OF.get(said or b"")
    return None
