"""Market events as Kafka records, and back.

topic by type, key ``exchange|symbol``, value JSON, Kafka timestamp = ``received_us`` in milliseconds, which goes back
by nothing less than ten minutes, so that look-ups by time work. Headers are few and constant: ``content-type`` and
``schema``.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import TypeAlias

import msgspec
from msgspec import Struct

from tickwire.errors import RecordRejected
from tickwire.events.types import MarketEvent, Micros
from tickwire.records.kinds import KIND_OF, KINDS

Headers: TypeAlias = Sequence[tuple[str, bytes | None]]

_NAMES = " or ".join(kind.name for kind in KINDS)
_MAX_TEXT = 200  # characters of a decoder's complaint that are worth repeating

_decode: Callable[[bytes], MarketEvent] = msgspec.json.Decoder(MarketEvent).decode


SMALL_STEP_MS = 600_000  # back by less than this is waited out, a larger step is taken, as in wire/clock.py


class Record(Struct, gc=False):
    """What is handed to Kafka. ``kind`` and ``exchange`` are the labels under which it is counted."""

    topic: str
    key: bytes
    value: bytes
    headers: list[tuple[str, bytes]]
    timestamp_ms: int
    kind: str
    exchange: str


class RecordWriter:
    """Turns events into records for *topics*, by kind. Headers and keys are worked out once, not per event."""

    def __init__(self, topics: Mapping[str, str]) -> None:
        self._streams = {
            kind.event: (topics[kind.name], _headers(kind.schema), kind.name) for kind in KINDS if kind.name in topics
        }
        self._keys: dict[tuple[str, str], bytes] = {}
        self.last_ms = 0  # of the last record
        self.encode = msgspec.json.Encoder().encode

    def write(self, event: MarketEvent) -> Record:
        """Encode one event."""
        topic, headers, kind = self._streams[type(event)]
        exchange = event.exchange
        names = (exchange, event.symbol)
        key = self._keys.get(names)
        if key is None:
            key = self._keys[names] = record_key(*names)
        timestamp_ms = self.timestamp_ms(event.received_us)
        return Record(topic, key, self.encode(event), headers, timestamp_ms, kind, exchange)

    def timestamp_ms(self, received_us: Micros) -> int:
        """The timestamp of the next record, in milliseconds."""
        # Deltas that waited for their snapshot arrived before it, and clocks are set back a little; look-ups need an
        # order. A clock that is set back far was ahead, and Kafka refuses times from the future
        # (native/direct_publisher.c).
        timestamp_ms = received_us // 1000
        if timestamp_ms < self.last_ms < timestamp_ms + SMALL_STEP_MS:
            timestamp_ms = self.last_ms
        self.last_ms = timestamp_ms
        return timestamp_ms


def record_key(exchange: str, symbol: str) -> bytes:
    """Key that keeps everything of one symbol of one exchange in order."""
    return f"{exchange}|{symbol}".encode()


def _headers(schema: str) -> list[tuple[str, bytes]]:
    return [("content-type", b"application/json"), ("schema", schema.encode())]


class Head(Struct, gc=False):
    """What a record that waited says of itself; empty where it does not."""

    action: str = ""
    exchange_symbol: str = ""


_read_head: Callable[[bytes], Head] = msgspec.json.Decoder(Head).decode


def read_head(value: bytes) -> Head:
    """Read little of a value, and check nothing: it is our own, or that of another version of ours."""
    try:
        return _read_head(value)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return Head()


def read_event(key: bytes | None, value: bytes | None, headers: Headers = ()) -> MarketEvent:
    """Decode and validate one record's value, of this version or an earlier one.

    Raises :exc:`~tickwire.errors.RecordRejected`: ``deserialize`` for bytes that are no JSON, ``schema`` for JSON of
    another shape or version, ``validate`` for numbers that are none and a key that is not the event's.
    """
    if not value:
        raise RecordRejected("deserialize", "the value is empty" if value == b"" else "the value is null")
    try:
        event = _decode(value)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as e:
        raise _unreadable(value, e) from None
    _check_schema(event, headers)
    if key != record_key(event.exchange, event.symbol):
        raise RecordRejected("validate", f"the key is not {event.exchange}|{event.symbol}")
    try:
        KIND_OF[type(event)].check(event)
    except ValueError as e:
        raise RecordRejected("validate", str(e)) from None
    return event


def _unreadable(value: bytes, error: Exception) -> RecordRejected:
    """Tell JSON of another shape from what is no JSON: the decoder stops at the first of both."""
    try:
        msgspec.json.decode(value)
    except RecursionError:
        return RecordRejected("deserialize", "the value is nested too deeply")
    except (msgspec.DecodeError, UnicodeDecodeError) as e:
        return RecordRejected("deserialize", f"the value is no JSON: {str(e)[:_MAX_TEXT]}")
    return RecordRejected("schema", f"the value is no {_NAMES} message: {str(error)[:_MAX_TEXT]}")


def _check_schema(event: MarketEvent, headers: Headers) -> None:
    expected = KIND_OF[type(event)].read
    for name, said in headers:
        if name == "schema" and said not in expected:
            versions = " or ".join(repr(version) for version in expected)
            raise RecordRejected("schema", f"the header schema is {said!r}, expected {versions}")
