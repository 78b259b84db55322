"""Market events as Kafka records, and back.

The topic follows from the type, the key is ``exchange|symbol``, the value has the format of its kind. The Kafka
timestamp is ``received_us`` in milliseconds; steps back of less than ten minutes are levelled, so that look-ups by time
work. Headers are few and constant: ``content-type`` and ``schema``.
"""

from collections.abc import Callable, Mapping

import msgspec
from msgspec import Struct

from tickwire.errors import RecordRejected
from tickwire.events.types import Action, MarketEvent, Micros
from tickwire.records.formats import JSON, Headers, ValueFormat, ValueReader
from tickwire.records.kinds import KIND_OF, KINDS, Kind

SMALL_STEP_MS = 600_000  # a smaller step back of the clock is levelled; after a larger one it was wrong before


class Record(Struct, gc=False, array_like=True):
    """What is handed to Kafka, and what the publisher needs to know of the event, so that it never decodes values.

    ``kind`` and ``exchange`` are the labels under which it is counted. The order of the fields is that on disk.
    """

    topic: str
    key: bytes
    value: bytes
    headers: list[tuple[str, bytes]]
    timestamp_ms: int
    kind: str
    exchange: str
    action: Action | None = None  # of an order book
    exchange_symbol: str = ""

    @property
    def may_follow_hole(self) -> bool:
        """Whether it holds whatever was lost before it: a snapshot or ``invalid``."""
        return self.action in {"snapshot", "invalid"}


class RecordWriter:
    """Turns events into records for *topics*, by kind. Headers and keys are made once, not per event.

    :attr:`encode` gives the JSON text of an event; :meth:`recode` gives the function that turns that text into the
    value.
    """

    def __init__(self, topics: Mapping[str, str], formats: Mapping[str, ValueFormat] | None = None) -> None:
        self._topics = topics
        self.use(formats or {})
        self._keys: dict[str, dict[str, bytes]] = {}
        self.last_ms = 0  # timestamp of the last record
        self.encode = msgspec.json.Encoder().encode

    def use(self, formats: Mapping[str, ValueFormat]) -> None:
        """Write each kind in its format from now on; kinds without one in JSON."""
        chosen = {kind: formats.get(kind.name, JSON) for kind in KINDS if kind.name in self._topics}
        self._streams = {
            kind.event: (self._topics[kind.name], _headers(kind, form), kind.name, kind.is_book, form.encode)
            for kind, form in chosen.items()
        }

    def recode(self, event: type[MarketEvent]) -> Callable[[bytes], bytes] | None:
        """The function that turns the JSON text of such events into values; None: the text is the value."""
        return self._streams[event][-1]

    def write(self, event: MarketEvent) -> Record:
        """Encode one event."""
        topic, headers, kind, is_book, recode = self._streams[type(event)]
        exchange = event.exchange
        try:
            key = self._keys[exchange][event.symbol]
        except KeyError:
            key = self._keys.setdefault(exchange, {})[event.symbol] = record_key(exchange, event.symbol)
        timestamp_ms = self.timestamp_ms(event.received_us)
        action = event.action if is_book else None  # type: ignore[union-attr]  # every book has one
        value = self.encode(event)
        if recode is not None:
            value = recode(value)
        return Record(topic, key, value, headers, timestamp_ms, kind, exchange, action, event.exchange_symbol)

    def timestamp_ms(self, received_us: Micros) -> int:
        """The timestamp of the next record, in milliseconds."""
        # Deltas that waited for a REST snapshot were received before it, and clocks are set back a little, but look-ups
        # need an order. A clock that is set back far had been ahead, and Kafka refuses times in the future
        # (native/direct_publisher.c).
        timestamp_ms = received_us // 1000
        if timestamp_ms < self.last_ms < timestamp_ms + SMALL_STEP_MS:
            timestamp_ms = self.last_ms
        self.last_ms = timestamp_ms
        return timestamp_ms


def record_key(exchange: str, symbol: str) -> bytes:
    """The key, which keeps all records of one symbol of one exchange in order."""
    return f"{exchange}|{symbol}".encode()


def _headers(kind: Kind, form: ValueFormat) -> list[tuple[str, bytes]]:
    return [("content-type", form.content_type), ("schema", kind.schema.encode())]


class _Head(Struct, gc=False):
    action: Action | None = None
    exchange_symbol: str = ""


_read_head: Callable[[bytes], _Head] = msgspec.json.Decoder(_Head).decode


def complete(record: Record) -> Record:
    """Add fields that earlier versions did not write to disk; they are read from the value, which is not checked."""
    try:
        head = _read_head(record.value)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return record
    return msgspec.structs.replace(record, action=head.action, exchange_symbol=head.exchange_symbol)


_json_reader = ValueReader()


def read_event(
    key: bytes | None, value: bytes | None, headers: Headers = (), reader: ValueReader = _json_reader
) -> MarketEvent:
    """Decode and validate one record's value, of this version or an earlier one.

    Raises :exc:`~tickwire.errors.RecordRejected`: ``deserialize`` for bytes of no known format, ``schema`` for another
    shape or version, ``validate`` for invalid numbers and a key that does not match the event. Errors of *reader*'s
    registry pass through.
    """
    if not value:
        raise RecordRejected("deserialize", "the value is empty" if value == b"" else "the value is null")
    try:
        event = reader.decode(value, headers)
        _check_head(event, key, headers)
        KIND_OF[type(event)].check(event)
    except ValueError as e:
        error = RecordRejected("validate", str(e))
    except RecordRejected as e:
        error = e
    else:
        return event
    reader.look_again(value, headers)
    raise error


def _check_head(event: MarketEvent, key: bytes | None, headers: Headers) -> None:
    expected = KIND_OF[type(event)].read
    for name, said in headers:
        if name == "schema" and said not in expected:
            versions = " or ".join(repr(version) for version in expected)
            raise RecordRejected("schema", f"the header schema is {said!r}, expected {versions}")
    if key != record_key(event.exchange, event.symbol):
        raise RecordRejected("validate", f"the key is not {event.exchange}|{event.symbol}")
