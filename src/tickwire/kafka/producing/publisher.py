"""Publishes market events: each gets exactly one outcome in the ledger, and no book has a hidden hole.

Everything but waiting for the disk happens on the event loop's thread: a timer serves the delivery reports, so the
accounting needs no locks.
"""

import asyncio
import logging
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from confluent_kafka import KafkaError

from tickwire import metrics
from tickwire.config.kafka_config import KafkaConfig
from tickwire.daemon_pool import to_its_end
from tickwire.errors import KafkaFailed, TickwireError
from tickwire.events.types import MarketEvent, OrderBook
from tickwire.kafka.admin.topics import ensure_topics
from tickwire.kafka.clients import CONNECT_SECONDS
from tickwire.kafka.codes import TOO_LARGE
from tickwire.kafka.producing.broken_books import BrokenBooks
from tickwire.kafka.producing.flow import Flows
from tickwire.kafka.producing.handing_over import HandingOver
from tickwire.kafka.producing.in_flight import DirectPublisher, InFlight
from tickwire.kafka.producing.late_start import ANSWER_S, until_reached
from tickwire.kafka.producing.ledger import Accounting, Lane, Ledger, RecoveredAccount
from tickwire.kafka.producing.outage_buffer import OutageBuffer
from tickwire.kafka.producing.outage_watch import OutageWatch
from tickwire.kafka.producing.partition_watch import PartitionWatch
from tickwire.kafka.producing.place import Place
from tickwire.kafka.producing.producer_link import ProducerLink
from tickwire.kafka.producing.rights_watch import RightsWatch
from tickwire.kafka.producing.schema_ids import SchemaIds
from tickwire.kafka.producing.size_limits import SizeLimits
from tickwire.kafka.producing.when_full import Blocking, places
from tickwire.records.codec import Record, RecordWriter
from tickwire.records.kinds import topics_by_kind

logger = logging.getLogger(__name__)

_DRAIN_S = 0.005  # between two ticks while records wait or a producer is replaced
_TICK_S = 0.01  # while delivery reports are due
_IDLE_S = 0.25  # otherwise
_EXPORT_S = 0.1  # between two exports


class Publisher:
    """Takes events and delivers them later. Call ``open``, then ``start``, then ``publish``; ``close`` at the end.

    Feeds join :attr:`flows`, and each gets its own :meth:`way`. *source* names the exchanges; ``place.serve`` adds the
    symbols. From these :class:`~tickwire.kafka.producing.place.Place` finds the folder for records that wait on disk,
    unless *folder* is given or it belongs to a *group*. With *offline_start* Kafka may be unreachable at the start.
    """

    def __init__(
        self,
        config: KafkaConfig,
        *,
        source: str = "feed",
        offline_start: bool = False,
        folder: Path | None = None,
        group: str | None = None,
    ) -> None:
        self.config, self._offline_start = config, offline_start
        self.place = Place(config, source, folder, group)
        self.flows = Flows()
        self.started = False
        self._writer = RecordWriter(topics_by_kind(config))
        self._schemas = SchemaIds(config)
        self._ledger = Ledger(config.topics)
        self._books = BrokenBooks(self._replaced)
        self._buffer = OutageBuffer(
            config, self._ledger, time.monotonic, lose=self._books.lose, broke=self._books.add, failed=self._fail
        )
        self._watch = OutageWatch(config, self._buffer)
        self._behind: set[str] = set()  # topics whose new records must wait, behind older ones or for a right
        self._sizes = SizeLimits(config, self._limit)
        self._link = ProducerLink(
            config,
            stored=self._buffer.ended,
            refused=self._refused,
            dropped=self._dropped,
            failed=self._fail,
            heard=self._watch.heard,
            denied=self._behind.add,
            sizes=self._sizes.refusal,
        )
        self._send = self._link.send
        self.publish: Callable[[MarketEvent], None] = self.way().publish
        """Takes one event; never blocks, never raises because of Kafka."""
        blocking = Blocking(
            config.max_block_ms / 1000, time.monotonic, self._books.lose, self.flows.pause, self.flows.resume
        )
        self.handing_over = HandingOver(self._ledger, self._buffer, self._watch, self._in_memory)
        self._waits = places(config, self._buffer, blocking, self._books.lose)
        self._left: list[InFlight] | None = None  # after the end: records neither acknowledged nor on disk
        self._connecting: asyncio.Task[None] | None = None
        self._failed = False
        self._export_at = 0.0
        self._tell: Callable[[TickwireError], object] = self.flows.failed

    def open(self) -> None:
        """Make sure that Kafka answers and the topics exist, and take the folder; blocks, so call it in a thread.

        Raises :exc:`~tickwire.errors.KafkaFailed`, :exc:`~tickwire.errors.SpillUnusable`,
        :exc:`~tickwire.errors.SpillOfAnotherCluster` and :exc:`~tickwire.registry_errors.RegistryFailed`.
        """
        cluster = self._ask()
        self._writer.use(self._schemas.formats(self.place.topics))
        home = self.place.settle(cluster)
        self._buffer.open(home.log, home.lost)
        if cluster is not None:
            try:
                self._begin_sending()
            except KafkaFailed as e:
                if not self._offline_start:
                    self.abandon()
                    raise
                logger.warning("publisher.offline error=%r", str(e))

    def _ask(self) -> str | None:
        try:
            return self.place.ask(CONNECT_SECONDS)
        except KafkaFailed as e:
            if not self._offline_start:
                raise
            logger.warning("publisher.offline error=%r", str(e))
            return None

    def _begin_sending(self) -> None:
        self._ask_topics()
        self._link.open()

    def _ask_topics(self) -> None:
        self._sizes.learn(ensure_topics(self.config, self.place.topics))

    def _limit(self, largest: int) -> None:
        self._link.flights.large = largest

    def abandon(self) -> None:
        """Undo :meth:`open`, if :meth:`start` was not called."""
        self._link.close()
        self._keep([], [])

    def start(self, loop: asyncio.AbstractEventLoop) -> None:
        """Serve delivery reports on *loop* from now on."""
        self._loop, self.started = loop, True
        self._watch.begin(time.monotonic())
        if self._buffer.recovering:
            self._behind.update(self.config.topics)
        if not self._link.opened:
            self._connecting = loop.create_task(self._connect())
        self._partitions = PartitionWatch(
            self.place.topics, self._link.partitions, lambda *found: self._carefully(lambda: self._moved(*found))
        )
        self._rights = RightsWatch(
            self.config, self._link.denied, lambda topic: self._carefully(lambda: self._link.allow(topic))
        )
        self._looking = loop.create_task(self._look())
        self._timer = loop.call_later(_TICK_S, self._tick)
        self._link.flights.begun = self._wake

    async def _look(self) -> None:
        watches = self._partitions.run(), self._rights.run(), self._sizes.watch(self.place.topics)
        await asyncio.gather(*watches, self._schemas.watch(self._fail))

    def way(self) -> DirectPublisher:
        """The short way for the events of one feed; each feed has its own, because exchanges share symbol names."""
        way = DirectPublisher(
            self._link.flights, self._writer, self._behind, lambda event: self._publish(way, event),
            self._not_sent, self._link.poll,
        )  # fmt: skip
        return way

    def _publish(self, way: DirectPublisher, event: MarketEvent) -> None:
        record = self._writer.write(event)
        lane = self._ledger.lane(record) or self._ledger.open_lane(record)
        if lane.way is not way:
            self._open_route(way, lane, event, record)
        lane.stream.events += 1
        first = isinstance(event, OrderBook) and event.book_seq == 0
        if lane.broken and (owed := self._books.owed(lane, record, first=first)):
            self._take(lane, owed)
        if passing := self._books.passes(lane, record) if lane.broken else record:
            self._take(lane, passing)
        if record.action == "snapshot":
            self._books.began(lane, record.value, first=first)

    def _replaced(self, lane: Lane) -> Record | None:
        message = self.flows.replaced(lane.stream.exchange, lane.exchange_symbol)
        return None if message is None else self._writer.write(message)

    def _take(self, lane: Lane, record: Record) -> None:
        if record.topic in self._behind:
            self._waits[record.topic].hold(lane, record)
        elif not self._send(InFlight(lane.stream, lane, record)):
            self._wait(lane, record)

    def _open_route(self, way: DirectPublisher, lane: Lane, event: MarketEvent, record: Record) -> None:
        """Let later events of this lane take the short way."""
        lane.way = way
        names = record.exchange, record.topic, record.key, record.headers, record.kind, record.exchange_symbol
        recode = self._writer.recode(type(event))
        way.open(type(event), event.symbol, (lane, lane.stream, *names, lane.is_book, recode))

    def _not_sent(self, entry: InFlight, error: Exception) -> None:
        if not self._link.not_taken(entry, error):
            self._wait(entry.lane, entry.record)

    def accounting(self, exchange: str | None = None) -> Accounting:
        """The counts of events by topic, of all exchanges or one."""
        return self._ledger.accounting(self._in_memory(), exchange)

    def recovered(self) -> RecoveredAccount:
        """Outcomes of the records that an earlier run left on disk."""
        return self._buffer.recovered()

    async def close(self, seconds: float) -> int:
        """Deliver for at most *seconds*, write the remaining records to disk; return how many are lost."""
        self.started = False
        self._timer.cancel()
        self._link.flights.begun = None
        if self._connecting is not None:
            self._connecting.cancel()
        self._looking.cancel()
        deadline = time.monotonic() + seconds
        while self._can_deliver() and time.monotonic() < deadline:
            self._carefully(self._finish)
            await asyncio.sleep(0)
        self._link.close()
        self._books.end(self._ledger.books())
        handed_over, waiting = list(self._link.entries()), list(self._waiting())
        self._tell = lambda error: self._loop.call_soon_threadsafe(self.flows.failed, error)
        self._left = await to_its_end(lambda: self._keep(handed_over, waiting))  # without blocking the event loop
        with metrics.EXPORT:
            self.flows.export()
            self._ledger.export_end()
        if self._left:
            logger.error("publisher.lost records=%d", len(self._left))
        return len(self._left)

    def _keep(self, handed_over: list[InFlight], waiting: list[InFlight]) -> list[InFlight]:
        self.place.close()
        return self._buffer.close(handed_over, waiting)

    def _finish(self) -> None:
        self._drain()
        # Only flush keeps the producer from lingering; short slices leave the event loop its turns.
        self._link.flush(0.01)

    def _in_memory(self) -> Iterator[InFlight]:
        if self._left is not None:
            yield from self._left
        else:
            yield from self._link.entries()
            yield from self._waiting()
            yield from self._ledger.owed()

    def _waiting(self) -> Iterator[InFlight]:
        for place in dict.fromkeys(self._waits.values()):
            yield from place.entries()

    def _can_deliver(self) -> bool:
        left = self._link.busy or len(self._buffer) or any(map(len, self._waits.values()))
        return bool(left) and self._link.opened and not self._failed

    async def _connect(self) -> None:
        try:
            await until_reached(self._attempt, self.config)
        except TickwireError as e:
            self._fail(e)

    async def _attempt(self) -> None:
        self.place.agree(await asyncio.to_thread(self.place.ask, ANSWER_S))
        await asyncio.to_thread(self._ask_topics)
        self._link.open()

    def _wait(self, lane: Lane, record: Record) -> None:
        """Hold the first record for which the producer has no room."""
        metrics.QUEUE_FULL.labels(record.topic).inc()
        place = self._waits[record.topic]
        place.hold(lane, record)
        if len(place):
            self._behind.update(topic for topic, other in self._waits.items() if other is place)

    def _refused(self, entry: InFlight, error: KafkaError) -> None:
        self._buffer.ended(entry)
        self._books.refused(entry, error, self._loop.time())
        if error.code() in TOO_LARGE:
            self._sizes.doubt()

    def _dropped(self, entry: InFlight) -> None:
        self._buffer.ended(entry)
        self._books.dropped(entry)

    def _wake(self) -> None:
        """Tick soon, because a delivery report is due."""
        if self._timer.when() > self._loop.time() + _TICK_S:
            self._timer.cancel()
            self._timer = self._loop.call_later(_TICK_S, self._tick)

    def _tick(self) -> None:
        self._carefully(self._serve)
        if self._behind or self._books or not self._link.flights.ready:
            wait = _DRAIN_S
        else:
            wait = _TICK_S if self._link.busy else _IDLE_S
        self._timer = self._loop.call_later(wait, self._tick)

    def _carefully(self, work: Callable[[], None]) -> None:
        """Do *work*; an unexpected exception ends the run instead of silently ending the timer."""
        try:
            work()
        except Exception as e:
            if not self._failed:
                logger.exception("publisher.defect")
            self._fail(KafkaFailed(f"A defect stopped publishing ({e!r}), so nothing can be published: run again."))

    def _serve(self) -> None:
        self._link.poll()
        if self._behind:
            self._drain()
        if self._books:
            self._restart_books()
        self._buffer.sync()
        self.place.look()
        if self._loop.time() >= self._export_at:
            self._export_at = self._loop.time() + _EXPORT_S
            self._export()

    def _drain(self) -> None:
        """Hand over waiting records: first those of an earlier run, then the others."""
        self._buffer.drain(self._send)
        older = self._buffer.recovering
        for place in dict.fromkeys(self._waits.values()):
            if place is not self._buffer:
                place.drain(_no_room if older else self._send)
        if not older:
            waiting = [topic for topic, place in self._waits.items() if len(place)]
            self._behind.clear()
            self._behind.update(waiting, self._through_the_disk(), self._link.denied.topics)

    def _may_be_on_disk(self) -> Iterator[InFlight]:
        return (entry for entry in self._link.entries() if self._waits.get(entry.record.topic) is self._buffer)

    def _through_the_disk(self) -> list[str]:
        """The topics whose records go through the disk in an outage, and until it is made up for."""
        return [topic for topic, place in self._waits.items() if place is self._buffer] if self._watch.unsafe else []

    def _restart_books(self) -> None:
        """Restart broken books when there is room for their snapshots."""
        for lane in self._books.due(self._loop.time(), self._has_room):
            self.flows.restart(lane.stream.exchange, lane.exchange_symbol, "overflow")

    def _has_room(self, lane: Lane) -> bool:
        topic = lane.stream.topic
        place = self._waits.get(topic, self._buffer)  # records on disk may be for topics that are not configured
        if len(place) or topic in self._behind:
            return place is self._buffer and self._buffer.has_room
        return self._link.roomy

    def _moved(self, topic: str, partitions: int) -> None:
        """Restart every book of *topic*: its key may now go to another partition."""
        books = [lane for lane in self._ledger.books() if lane.stream.topic == topic]
        logger.warning("publisher.partitions topic=%s now=%d restarted_books=%d", topic, partitions, len(books))
        for lane in books:
            self.flows.restart(lane.stream.exchange, lane.exchange_symbol, "moved")

    def _fail(self, error: TickwireError) -> None:
        if not self._failed:
            self._failed = True
            self._tell(error)

    def _export(self) -> None:
        with metrics.EXPORT:
            self.flows.export()
            acknowledged = self._ledger.export()
        metrics.PRODUCER_QUEUE.set(self._link.queued)
        self._buffer.export()
        waiting = sum(map(len, {p for p in self._waits.values() if p is not self._buffer})) - self._buffer.sent
        if self._watch.look(time.monotonic(), acknowledged, self._link.busy + waiting):
            self._buffer.shelter(self._may_be_on_disk)
            self._behind.update(self._through_the_disk())


def _no_room(_entry: InFlight) -> bool:
    return False
