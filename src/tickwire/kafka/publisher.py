"""Publishes market events: each ends once, as acknowledged, failed or dropped, and no book's records have a hole.

Everything happens on the event loop's thread: a timer serves the delivery reports, so the accounting needs no locks.
The plain ``Producer`` is wrapped, because the library's asyncio producer and its batches lose headers.
"""

import asyncio
import logging
import time
from collections import deque
from collections.abc import Callable
from functools import partial
from typing import Protocol

from confluent_kafka import KafkaError, KafkaException, Message, Producer

from tickwire import metrics
from tickwire.config.kafka_config import KafkaConfig
from tickwire.errors import KafkaFailed, TickwireError
from tickwire.events.types import MarketEvent, OrderBook
from tickwire.kafka.clients import producer_config, said, unusable
from tickwire.kafka.ledger import Accounting, Lane, Ledger
from tickwire.kafka.topics import ensure_topics
from tickwire.records.codec import Record, RecordWriter

logger = logging.getLogger(__name__)

_TICK_S = 0.005
_WAITING_RECORDS = 10_000
_WAITING_BYTES = 16 << 20
_RESTART_S = 10.0  # least time between two starts of a book because of us: each costs the exchange a snapshot

# Public constants of the library, in spite of their names.
_ALL_DOWN = KafkaError._ALL_BROKERS_DOWN  # noqa: SLF001
# Our own purge at the end; says nothing about what became of the record.
_PURGED = frozenset({KafkaError._PURGE_QUEUE, KafkaError._PURGE_INFLIGHT})  # noqa: SLF001
# The producer's place in its sequence is lost, so it is at its end, not the record. librdkafka calls only some of these
# fatal, and would go on behind the hole after the others.
_PRODUCER_LOST = frozenset(
    {
        KafkaError._FATAL,  # noqa: SLF001
        KafkaError._FENCED,  # noqa: SLF001
        KafkaError.OUT_OF_ORDER_SEQUENCE_NUMBER,
        KafkaError.UNKNOWN_PRODUCER_ID,
        KafkaError.INVALID_PRODUCER_EPOCH,
        KafkaError.INVALID_PRODUCER_ID_MAPPING,
        KafkaError.PRODUCER_FENCED,
    }
)


class Flow(Protocol):
    """What the publisher asks of the feed that calls it, always on the event loop."""

    def pause(self) -> None:
        """Stop reading sockets: there is no room for more."""

    def resume(self) -> None:
        """Read again."""

    def overflow(self, exchange_symbol: str) -> None:
        """Declare this book invalid (``overflow``) and start it again: one of its records could not be stored."""

    def failed(self, error: TickwireError) -> None:
        """End the run with *error*: nothing can be published any more. Called once."""


class Publisher:
    """Takes events now, sees to their fate later. ``open``, then ``start``, then ``publish``; ``close`` at the end."""

    def __init__(self, config: KafkaConfig, flow: Flow) -> None:
        self._config, self._flow = config, flow
        self._writer = RecordWriter(config.ticker_topic, config.orderbook_topic)
        self._ledger = Ledger(config.topics)
        self._in_flight = self._ledger.in_flight
        self._number = 0  # of the last record that was handed over
        self._block_s = config.max_block_ms / 1000

        # Records that found no room, oldest first; nothing overtakes them.
        self._waiting: deque[tuple[Lane, Record]] = deque()
        self._waiting_bytes = 0
        self._blocked_since = 0.0
        self._paused = False
        self._dropping = False  # blocked for too long: sockets are read again, and what has no room is dropped
        self._broken: dict[Lane, None] = {}  # books that the feed has not been asked to start again

        self._error: KafkaFailed | None = None
        self._latency_seen = False
        self._complaints: set[int] = set()
        self._acknowledged_before = 0
        self._refusals: set[tuple[str, int]] = set()

    def open(self) -> None:
        """Make sure that Kafka answers and that the topics exist; blocks, so call it in a thread.

        Raises :exc:`~tickwire.errors.KafkaFailed`.
        """
        ensure_topics(self._config, self._config.topics)
        try:
            self._producer = Producer(producer_config(self._config) | {"error_cb": self._heard})
        except KafkaException as e:
            raise unusable(e) from e
        self._produce = self._producer.produce

    def start(self, loop: asyncio.AbstractEventLoop) -> None:
        """Serve delivery reports on *loop* from now on."""
        self._loop = loop
        self._timer = loop.call_later(_TICK_S, self._tick)

    def publish(self, event: MarketEvent) -> None:
        """Take one event; never waits, never raises because of Kafka."""
        record = self._writer.write(event)
        lane = self._ledger.lane(record) or self._ledger.open_lane(record, event.exchange_symbol)
        lane.stream.events += 1
        if self._error is not None:
            lane.stream.failed += 1
        elif lane.broken and not self._continues(lane, event):
            lane.stream.dropped += 1
        elif self._waiting:
            self._hold(lane, record)
        elif not self._send(lane, record):
            self._block(lane, record)

    def accounting(self) -> Accounting:
        """Where every event is, by topic."""
        return self._ledger.accounting(self._waiting)

    async def close(self, seconds: float) -> int:
        """Deliver what is left for at most *seconds*; return how many records are still undelivered."""
        self._timer.cancel()
        deadline = time.monotonic() + seconds
        while self._error is None and (self._waiting or self._in_flight) and time.monotonic() < deadline:
            self._send_waiting()
            # Only while flush runs does the producer not linger; a slice is as long as the loop can do without us.
            self._serve(self._producer.flush)
            await asyncio.sleep(0)
        left = len(self._waiting) + len(self._in_flight)
        if left:
            logger.error("publisher.undelivered records=%d", left)
            self._producer.purge(blocking=False)
        self._serve(self._producer.poll, 0.0)
        self._export()
        return left

    def _send(self, lane: Lane, record: Record) -> bool:
        """Hand one record to the producer; False when it has no room."""
        self._number = number = self._number + 1
        try:
            self._produce(
                record.topic,
                record.value,
                record.key,
                on_delivery=partial(self._reported, number),
                timestamp=record.timestamp_ms,
                headers=record.headers,  # type: ignore[arg-type]  # lists are invariant
            )
        except BufferError:
            return False
        except KafkaException as e:
            if _lost(e.args[0]):
                self._fail(f"{e.args[0].name()}: {said(e)}")
            self._refused(lane, record, e.args[0])
            return True
        self._in_flight[number] = lane, record
        return True

    def _reported(self, number: int, error: KafkaError | None, message: Message) -> None:
        try:
            if error is None:
                lane, _ = self._in_flight.pop(number)
                lane.stream.acknowledged += 1
                if not self._latency_seen:  # one a tick: enough for a histogram, and next to nothing a record
                    self._latency_seen = True
                    metrics.DELIVERY_SECONDS.observe(message.latency() or 0.0)
            elif _lost(error):
                self._fail(f"{error.name()}: {said(error)}")
            elif self._error is None and error.code() not in _PURGED:
                self._refused(*self._in_flight.pop(number), error)
        except Exception as e:  # the library would carry it into whatever call serves the next report
            logger.exception("publisher.report_failed")
            self._fail(repr(e))

    def _refused(self, lane: Lane, record: Record, error: KafkaError) -> None:
        """Count a record that can never be sent; the others go on."""
        lane.stream.failed += 1
        code = error.code()
        if (record.topic, code) not in self._refusals:
            self._refusals.add((record.topic, code))
            logger.error(
                "publisher.refused topic=%s key=%r bytes=%d code=%s error=%r (logged once)",
                record.topic,
                record.key,
                len(record.value),
                error.name(),
                said(error),
            )
        self._break(lane)

    def _break(self, lane: Lane) -> None:
        if lane.is_book:
            lane.broken = True
            self._broken[lane] = None

    def _continues(self, lane: Lane, event: MarketEvent) -> bool:
        """Whether *event* may follow what a broken book lost: an invalidation may, and a snapshot makes it whole."""
        if type(event) is not OrderBook or event.action == "delta":
            return False
        if event.action == "snapshot":
            lane.broken = False
            self._broken.pop(lane, None)
        return True

    def _block(self, lane: Lane, record: Record) -> None:
        metrics.QUEUE_FULL.labels(record.topic).inc()
        self._blocked_since = self._loop.time()
        self._hold(lane, record)
        self._paused = True
        self._flow.pause()

    def _hold(self, lane: Lane, record: Record) -> None:
        """Queue behind what waits already, or drop where that may grow no more."""
        size = len(record.value)
        if self._dropping or len(self._waiting) >= _WAITING_RECORDS or self._waiting_bytes + size > _WAITING_BYTES:
            lane.stream.dropped += 1
            self._break(lane)
            return
        self._waiting.append((lane, record))
        self._waiting_bytes += size

    def _send_waiting(self) -> None:
        """Hand over what waits, the oldest first, as far as there is room."""
        waiting = self._waiting
        while waiting:
            lane, record = waiting[0]
            if not self._send(lane, record):
                return
            waiting.popleft()
            self._waiting_bytes -= len(record.value)

    def _tick(self) -> None:
        self._latency_seen = False
        self._serve(self._producer.poll, 0.0)
        if self._waiting:
            self._unblock()
        elif self._broken:
            self._restart_books()
        self._export()
        self._timer = self._loop.call_later(_TICK_S, self._tick)

    def _unblock(self) -> None:
        self._send_waiting()
        if not self._waiting:
            self._dropping = False
            self._read_again()
        elif not self._dropping and self._loop.time() - self._blocked_since >= self._block_s:
            logger.error("publisher.dropping blocked_s=%g waiting=%d", self._block_s, len(self._waiting))
            self._dropping = True
            self._read_again()  # an exchange that is not read for longer hangs up

    def _read_again(self) -> None:
        if self._paused:
            self._paused = False
            self._flow.resume()

    def _restart_books(self) -> None:
        """Ask for new starts, now that there is room for their snapshots."""
        now = self._loop.time()
        for lane in [lane for lane in self._broken if lane.restart_at <= now]:
            del self._broken[lane]
            lane.restart_at = now + _RESTART_S
            self._flow.overflow(lane.exchange_symbol)

    def _serve(self, call: Callable[[float], object], seconds: float = 0.01) -> None:
        """Let the library run our callbacks; its fatal errors come out here and nowhere else."""
        try:
            call(seconds)
        except KafkaException as e:
            self._fail(f"{e.args[0].name()}: {said(e)}")
        except SystemError as e:  # a fatal error while a callback was being called
            self._fail(str(e.__cause__ or e))

    def _fail(self, cause: str) -> None:
        if self._error is None:
            self._error = KafkaFailed(
                f"The Kafka producer failed for good ({cause}), so nothing can be published: run again."
            )
            logger.error("publisher.failed cause=%r in_flight=%d", cause, len(self._in_flight))
            self._flow.failed(self._error)

    def _heard(self, error: KafkaError) -> None:
        """Log what the client says about its connections, each kind once until Kafka is back; it goes on by itself."""
        if error.code() not in self._complaints:
            self._complaints.add(error.code())
            logger.warning("publisher.trouble code=%s error=%r", error.name(), said(error))

    def _export(self) -> None:
        acknowledged = self._ledger.export()
        metrics.PRODUCER_QUEUE.set(len(self._producer))
        if _ALL_DOWN in self._complaints and acknowledged > self._acknowledged_before:
            self._complaints.clear()
            logger.info("publisher.recovered in_flight=%d", len(self._in_flight))
        self._acknowledged_before = acknowledged


def _lost(error: KafkaError) -> bool:
    return error.fatal() or error.code() in _PRODUCER_LOST
