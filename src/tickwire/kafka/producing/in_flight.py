"""Records on their way to Kafka; ``native/in_flight.c`` is the compiled form.

An :class:`InFlight` is one record from the call of the producer to its delivery report, and takes that report.
"""

import sys
from collections.abc import Callable
from typing import Any, TypeAlias

from confluent_kafka import KafkaError, Message

from tickwire.compiled import compiled
from tickwire.events.types import Action, MarketEvent, Micros
from tickwire.records.codec import Record, RecordWriter

# The lane, its stream, the fields that all its records share (exchange, topic, key, headers, kind, exchange symbol),
# whether it is a book's, and its recode.
Recode: TypeAlias = Callable[[bytes], bytes] | None  # turns JSON text into a value; None: the text is the value
RecordRoute: TypeAlias = tuple[Any, Any, str, str, bytes, list[tuple[str, bytes]], str, str, bool, Recode]

SERVE_EVERY = 256  # events
IN_MEMORY = -1  # place of a record that is not on disk


@compiled
class Counts:
    """Outcomes of records. ``spilled`` ones wait on disk and leave this count when Kafka acknowledges them."""

    __slots__ = ("acknowledged", "conflated", "dropped", "events", "failed", "spilled")

    def __init__(self) -> None:
        self.events = self.acknowledged = self.conflated = self.dropped = self.failed = self.spilled = 0


@compiled
class InFlight:
    """A record in flight: the stream that counts it, its lane, the record, its number on disk or :data:`IN_MEMORY`."""

    __slots__ = ("flights", "lane", "place", "record", "stream")

    def __init__(self, stream: Any, lane: Any, record: Record, place: int = IN_MEMORY) -> None:
        self.stream, self.lane, self.record, self.place = stream, lane, record, place
        self.flights: InFlightTable | None = None  # the table that holds it while it is in flight

    def __call__(self, error: KafkaError | None, message: Message) -> None:
        """Take the delivery report."""
        flights = self.flights
        if flights is None:
            return  # it was taken back, and is counted elsewhere
        if error is not None:
            flights.failed(self, error)
            return
        flights.end(self)
        self.stream.acknowledged += 1
        if flights.sampling or self.place != IN_MEMORY:
            flights.sampling = False
            flights.acknowledged(self, message.latency())


@compiled
class InFlightTable:
    """All records that were handed to the producer and have no delivery report yet, in order.

    *acknowledged* is called for entries that are on disk, and for the next one after ``sampling`` was set, with the
    seconds since it was produced, if known; the entry is already counted then. *failed* is called with errors; the
    entry stays until :meth:`end`. ``produce`` is the producer's; ``ready`` says whether it may be called. ``begun`` is
    called when a record is produced while none is in flight. A value of more than ``large`` bytes may be too large for
    a topic.
    """

    def __init__(
        self, acknowledged: Callable[[InFlight, float | None], None], failed: Callable[[InFlight, KafkaError], None]
    ) -> None:
        self.acknowledged, self.failed = acknowledged, failed
        self.produce: Callable[..., None] | None = None
        self.begun: Callable[[], object] | None = None
        self.ready = self.sampling = False
        self.large = sys.maxsize
        self._entries: dict[InFlight, None] = {}

    def __len__(self) -> int:
        return len(self._entries)

    def hand_over(self, entry: InFlight) -> None:
        """Call ``produce``; raises what that raises, and then the entry is not in flight."""
        if entry.flights is not None:
            raise ValueError("the entry is on its way already")
        if not self._entries and self.begun is not None:
            self.begun()
        record = entry.record
        self._entries[entry] = None
        entry.flights = self
        try:
            self.produce(  # type: ignore[misc]  # set before anything is handed over
                record.topic,
                record.value,
                record.key,
                on_delivery=entry,
                timestamp=record.timestamp_ms,
                headers=record.headers,
            )
        except BaseException:
            if entry.flights is not None:
                self.end(entry)
            raise

    def end(self, entry: InFlight) -> None:
        """Remove one. Raises :exc:`KeyError` if it is not in flight."""
        del self._entries[entry]
        entry.flights = None

    def entries(self) -> list[InFlight]:
        """All entries, the oldest first."""
        return list(self._entries)

    def take_back(self) -> list[InFlight]:
        """Remove and return all entries, the oldest first; delivery reports that still come are ignored."""
        entries, self._entries = self.entries(), {}
        for entry in entries:
            entry.flights = None
        return entries


@compiled
class DirectPublisher:
    """The short way to the producer, for records that nothing holds up.

    *long_way* publishes any event. *not_sent* is called with entries that the producer did not take, and the reason;
    also with large ones (:exc:`OverflowError`), which are not offered to it. *serve* takes delivery reports; it is
    called every :data:`SERVE_EVERY` events, because many frames can keep the event loop from its timers. Records take
    the long way if their topic is in *behind*, if their book is broken or starts, and while the producer is not ready.
    """

    def __init__(
        self,
        flights: InFlightTable,
        writer: RecordWriter,
        behind: set[str],
        long_way: Callable[[MarketEvent], None],
        not_sent: Callable[[InFlight, Exception], None],
        serve: Callable[[], None],
    ) -> None:
        self._flights, self._writer, self._behind = flights, writer, behind
        self._long_way, self._not_sent, self._serve, self._unserved = long_way, not_sent, serve, 0
        self._routes: dict[tuple[type, str], RecordRoute] = {}
        self.alone = False  # no other callback wants the events

    def publish(self, event: MarketEvent) -> None:
        """Take one event."""
        ready = self._flights.ready and not self._behind
        route = self.route(type(event), event.symbol) if ready else None
        if route is not None and route[2] == event.exchange and not (route[8] and event.book_seq == 0):  # type: ignore[union-attr]
            action = getattr(event, "action", None)
            self.send(route, self._writer.encode(event), action, event.received_us)
            return
        self._long_way(event)
        self._serve_now_and_then()

    def open(self, kind: type[MarketEvent], symbol: str, route: RecordRoute) -> None:
        """Let events of this type and symbol take the short way."""
        self._routes[kind, symbol] = route

    # Only of the Python form, for that of ShortWayReceiver:

    def is_free(self) -> bool:
        """Whether values may be sent without events."""
        return self.alone and self._flights.ready and not self._behind

    def route(self, kind: type[MarketEvent], symbol: str) -> RecordRoute | None:
        """The route of this type and symbol; None: take the long way."""
        route = self._routes.get((kind, symbol))
        return None if route is None or route[0].broken else route

    def send(self, route: RecordRoute, text: bytes, action: Action | None, received_us: Micros) -> None:
        """Send one record: *text* is its value in JSON; *action* is that of its message, if it is a book's."""
        lane, stream, exchange, topic, key, headers, kind, exchange_symbol, _, recode = route
        value = text if recode is None else recode(text)
        timestamp_ms = self._writer.timestamp_ms(received_us)
        record = Record(topic, key, value, headers, timestamp_ms, kind, exchange, action, exchange_symbol)
        entry = InFlight(stream, lane, record)
        stream.events += 1
        try:
            if len(value) > self._flights.large:
                raise OverflowError("its topic may not take it")  # noqa: TRY301 - told like what the producer says
            self._flights.hand_over(entry)
        except Exception as e:  # noqa: BLE001 - the publisher sorts them
            self._not_sent(entry, e)
        self._serve_now_and_then()

    def _serve_now_and_then(self) -> None:
        self._unserved += 1
        if self._unserved >= SERVE_EVERY:
            self._unserved = 0
            self._serve()
