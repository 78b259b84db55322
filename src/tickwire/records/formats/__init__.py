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
from tickwire.records.formats.avro import AvroEncoder, avro_decoder
from tickwire.records.formats.framing import HEAD, MAGIC, Decoder, WriterSchema, read_head
from tickwire.records.formats.json_text import decode_json
from tickwire.records.formats.protobuf import ProtobufEncoder, protobuf_decoder
from tickwire.records.kinds import KINDS
from tickwire.registry_errors import RegistryFailed, RegistryNotSet, SchemaSwapped

Headers: TypeAlias = Sequence[tuple[str, bytes | None]]
WriterSchemas: TypeAlias = Callable[[int], WriterSchema]
"""Gives the schema of an id. Raises an error that is ``retryable`` while the registry cannot say."""

_MOST_TEXT = 4 << 20  # characters of the schemas whose decoders are kept
CONTENT_TYPES = {"json": b"application/json", "avro": b"application/avro", "protobuf": b"application/protobuf"}
_FORMAT_OF = {content_type: name for name, content_type in CONTENT_TYPES.items()}
_KIND_NAMED = {kind.name.encode(): kind.name for kind in KINDS}


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
        # By what values begin with; native/followed.c looks there, too:
        self.decoders: dict[bytes, Callable[[bytes], MarketEvent]] = {}
        self._known: dict[bytes, tuple[str, WriterSchema]] = {}  # the kind, and the schema as the registry had it

    def decode(self, value: bytes, headers: Headers = ()) -> MarketEvent:
        """The event. Raises :exc:`~tickwire.errors.RecordRejected`, and what the registry raises."""
        named = _format(headers)
        if named == "json" or (named is None and value[0] != self._magic):
            return decode_json(value)
        decode = self.decoders.get(value[:HEAD]) or self._open(value, headers)
        return decode(value)

    def prepare(self, value: bytes | None, headers: Headers = ()) -> None:
        """Have the schema of a value, so that :meth:`decode` asks nobody. Raises what the registry raises."""
        if not value or value[0] != MAGIC or value[:HEAD] in self.decoders or _format(headers) == "json":
            return
        with suppress(RecordRejected):  # decode says so
            self._open(value, headers)

    def look_again(self, value: bytes, headers: Headers = ()) -> None:
        """Ask anew for the schema of a value that did not fit it: a registry that lost what it had gives ids anew.

        Raises :exc:`~tickwire.registry_errors.SchemaSwapped` where the id stands for another schema than before, or
        than that of the value; else the value is wrong, as far as the registry says.
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
            if named is not None:  # then it was written by tickwire, with a schema of ours
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
