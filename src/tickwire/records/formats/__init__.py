"""The formats of values: JSON, Avro and Protobuf. Pure.

A value is made from the event's JSON text, because the short way from a frame (:mod:`tickwire.events.short_way`) has
that text and no event. Avro and Protobuf values begin with the id of their schema in the schema registry: a writer is
given the id, a reader a function that finds the schema of an id.
"""

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import TypeAlias

from tickwire.errors import RecordRejected
from tickwire.events.types import MarketEvent
from tickwire.records.formats.avro import AvroEncoder, avro_decoder
from tickwire.records.formats.framing import HEAD, MAGIC, Decoder, WriterSchema, read_head
from tickwire.records.formats.json_text import decode_json
from tickwire.records.formats.protobuf import ProtobufEncoder, protobuf_decoder
from tickwire.records.kinds import KINDS
from tickwire.registry_errors import RegistryFailed, RegistryNotSet, SchemaSwapped

Headers: TypeAlias = Sequence[tuple[str, bytes | None]]
WriterSchemas: TypeAlias = Callable[[int], WriterSchema]
"""Gives the schema of an id. Raises an error that is ``retryable`` while the registry cannot answer."""

_MOST_TEXT = 4 << 20  # characters of the schemas whose decoders are kept
CONTENT_TYPES = {"json": b"application/json", "avro": b"application/avro", "protobuf": b"application/protobuf"}
_FORMAT_OF = {content_type: name for name, content_type in CONTENT_TYPES.items()}
_KIND_NAMED = {kind.name.encode(): kind.name for kind in KINDS}


@dataclass(frozen=True, slots=True)
class ValueFormat:
    """How values of one kind are written: *encode* turns an event's JSON text into a value; None: the text is it."""

    content_type: bytes = CONTENT_TYPES["json"]
    encode: Callable[[bytes], bytes] | None = None


JSON = ValueFormat()


def value_format(name: str, kind: str, schema_id: int) -> ValueFormat:
    """The format with this name for events of this *kind*; *schema_id* is the schema's id in the registry."""
    if name == "json":
        return JSON
    encoder = AvroEncoder if name == "avro" else ProtobufEncoder
    return ValueFormat(CONTENT_TYPES[name], encoder(kind, schema_id))


def _no_registry(schema_id: int) -> WriterSchema:
    """Used in place of a registry if none is configured."""
    raise RegistryNotSet(schema_id)


class ValueReader:
    """Reads values of every format: by the header ``content-type``, or else by the first byte.

    Without a registry a value is JSON if no header says otherwise.
    """

    def __init__(self, writer_schema: WriterSchemas | None = None) -> None:
        self._writer_schema = writer_schema or _no_registry
        self._magic = None if writer_schema is None else MAGIC
        # Keyed by the first bytes of values; native/followed.c reads it too.
        self.decoders: dict[bytes, Callable[[bytes], MarketEvent]] = {}
        self._known: dict[bytes, tuple[str, WriterSchema]] = {}  # the kind, and the schema as the registry gave it

    def decode(self, value: bytes, headers: Headers = ()) -> MarketEvent:
        """The event. Raises :exc:`~tickwire.errors.RecordRejected`, and what the registry raises."""
        named = _format(headers)
        if named == "json" or (named is None and value[0] != self._magic):
            return decode_json(value)
        decode = self.decoders.get(value[:HEAD]) or self._open(value, headers)
        return decode(value)

    def prepare(self, value: bytes | None, headers: Headers = ()) -> None:
        """Fetch the schema of a value, so that :meth:`decode` asks no registry. Raises what the registry raises."""
        if not value or value[0] != MAGIC or value[:HEAD] in self.decoders or _format(headers) == "json":
            return
        with suppress(RecordRejected):  # decode raises it again
            self._open(value, headers)

    def look_again(self, value: bytes, headers: Headers = ()) -> None:
        """Ask again for the schema of a value that does not fit it: a registry that lost its data assigns ids anew.

        Raises :exc:`~tickwire.registry_errors.SchemaSwapped` if the id now stands for another schema than before, or
        for one of another kind than the value's. Otherwise the value itself is wrong.
        """
        known = self._known.get(value[:HEAD])
        if known is None or _format(headers) == "json":
            return
        (kind, schema), schema_id = known, read_head(value)
        try:
            swapped = self._writer_schema(schema_id) != schema
        except RegistryFailed:
            return
        if swapped or kind != (_kind(headers) or kind):
            self.decoders.pop(value[:HEAD], None)
            raise SchemaSwapped(schema_id, "it stood for another one before" if swapped else _mismatch(kind))

    def _open(self, value: bytes, headers: Headers) -> Callable[[bytes], MarketEvent]:
        schema_id, named = read_head(value), _kind(headers)
        schema = self._writer_schema(schema_id)
        try:
            kind, decode = _decoder(schema_id, schema)
        except RecordRejected as e:
            if named is not None:  # then tickwire wrote it, with one of its own schemas
                raise SchemaSwapped(schema_id, _mismatch("none of ours")) from e
            raise
        if named not in {None, kind}:
            raise SchemaSwapped(schema_id, _mismatch(kind))
        if sum(len(other.text) for _, other in self._known.values()) + len(schema.text) > _MOST_TEXT:
            self.decoders.clear()
            self._known.clear()
        self.decoders[value[:HEAD]], self._known[value[:HEAD]] = decode, (kind, schema)
        return decode


def _decoder(schema_id: int, schema: WriterSchema) -> Decoder:
    if schema.format == "avro":
        return avro_decoder(schema.text)
    if schema.format == "protobuf":
        return protobuf_decoder(schema.text)
    raise RecordRejected("deserialize", f"the value's schema {schema_id} is {schema.format}, not ours")


def _mismatch(kind: str) -> str:
    return f"its schema is {kind}, which the record's header schema is not"


def _kind(headers: Headers) -> str | None:
    """The kind of event that the header ``schema`` names."""
    for name, said in headers:
        if name == "schema":
            return _KIND_NAMED.get((said or b"").partition(b"/")[0])
    return None


def _format(headers: Headers) -> str | None:
    for name, said in headers:
        if name == "content-type":
            return _FORMAT_OF.get(said or b"")
    return None
