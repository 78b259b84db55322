"""Counts every record once, by its outcome; metrics are updated ten times a second, not per record.

``events = acknowledged + conflated + dropped + failed + spilled + in flight`` holds whenever no method of the publisher
is running. ``spilled`` records wait on disk and leave that count when Kafka acknowledges them. Records that an earlier
run left on disk are counted separately, because their events are not of this run.
"""

import collections
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import TypeAlias

from prometheus_client import Gauge

from tickwire import metrics
from tickwire.kafka.producing.in_flight import IN_MEMORY, Counts, DirectPublisher, InFlight
from tickwire.records.codec import Record
from tickwire.records.kinds import BOOKS

OUTCOMES = metrics.OUTCOMES[:-1]  # all but spilled: final ones


@dataclass(frozen=True, slots=True)
class TopicAccount:
    """The records of one topic by outcome. ``in_flight`` ones are in memory and have none; ``spilled`` are on disk."""

    events: int = 0
    acknowledged: int = 0
    conflated: int = 0
    dropped: int = 0
    failed: int = 0
    spilled: int = 0
    in_flight: int = 0


@dataclass(frozen=True, slots=True)
class RecoveredAccount:
    """Outcomes of the records that an earlier run left on disk; ``lost`` ones were damaged there."""

    records: int = 0
    acknowledged: int = 0
    dropped: int = 0
    failed: int = 0
    lost: int = 0
    waiting: int = 0


Accounting: TypeAlias = dict[str, TopicAccount]  # by topic


class Stream(Counts):
    """Counts of one topic, type and exchange; records of an earlier run (*recovered*) have streams of their own."""

    __slots__ = ("_counters", "_exported", "_published", "_queue", "exchange", "recovered", "topic")

    def __init__(self, topic: str, kind: str, exchange: str, *, recovered: bool = False) -> None:
        super().__init__()
        self.topic, self.exchange, self.recovered = topic, exchange, recovered
        self._exported = (0,) * len(OUTCOMES)
        self._published = metrics.MESSAGES_PUBLISHED.labels(topic, kind, exchange)
        counter = metrics.SPILL_RECOVERED if recovered else metrics.RECORDS
        self._counters = [counter.labels(topic, outcome) for outcome in OUTCOMES]
        self._queue = metrics.QUEUE_DROPS.labels(topic), metrics.DELIVERY_ERRORS.labels(topic)

    @property
    def open(self) -> int:
        """How many records have no final outcome yet, on disk or in memory."""
        return self.events - self.acknowledged - self.conflated - self.dropped - self.failed

    def export(self) -> None:
        """Add the counts since the last call to the metrics."""
        now = (self.acknowledged, self.conflated, self.dropped, self.failed)
        before, self._exported = self._exported, now
        if now == before:
            return
        added = [new - old for new, old in zip(now, before, strict=True)]
        for counter, count in zip(self._counters, added, strict=True):
            counter.inc(count)
        acknowledged, _, dropped, failed = added
        self._published.inc(acknowledged)
        drops, errors = self._queue
        drops.inc(dropped)
        errors.inc(failed)


class Hole(IntEnum):
    """Whether a book's records on the way to Kafka lack one: then only an ``invalid`` and a snapshot may be sent."""

    NONE = 0
    OPEN = 1
    MENDING = 2  # until that snapshot, which was published and waits, is sent


class Lane:
    """All records of one key of one topic, which Kafka keeps in order.

    A book is ``broken`` from the loss of a record until its next snapshot is published: of new records only that
    snapshot may follow. It has a ``hole`` from the loss until a snapshot is sent to Kafka, which is later while records
    wait. It is ``unstarted`` if the first snapshot of its epoch was lost, so that readers never see that epoch.
    ``owed`` is the ``invalid`` of the epoch before, which was lost or not needed until now; it is published as soon as
    there is room. The book is ``gone`` while another producer has it.

    These are facts of their own, not one state: a book can break again while an earlier hole is mended, because its
    records wait between publishing and sending.
    """

    __slots__ = (
        "broken", "exchange_symbol", "gone", "hole", "is_book", "owed", "refused_at", "refused_bytes", "refused_times",
        "restart_at", "start", "stream", "unstarted", "way",
    )  # fmt: skip

    def __init__(self, stream: Stream, exchange_symbol: str, *, is_book: bool) -> None:
        self.stream = stream
        self.exchange_symbol = exchange_symbol
        self.is_book = is_book
        self.broken = self.unstarted = self.gone = False
        self.hole = Hole.NONE
        self.owed: Record | None = None
        self.start = 0  # the hash of the epoch's first value
        self.way: DirectPublisher | None = None  # whose short way knows its events
        self.restart_at = 0.0  # earliest loop time to request the next start
        self.refused_times = 0  # how often Kafka refused a record recently
        self.refused_at = 0.0  # loop time of the last refusal
        self.refused_bytes = 0  # size of a record that was too large; 0: none was


class Ledger:
    """All lanes and streams of a publisher."""

    def __init__(self, topics: Iterable[str]) -> None:
        # Records on disk may be for topics that the settings no longer name.
        self._lanes: dict[str, dict[bytes, Lane]] = collections.defaultdict(dict)
        self._streams: dict[tuple[str, str, bool], Stream] = {}
        self._open: dict[str, Gauge] = {}
        for topic in topics:
            self._see(topic)

    def lane(self, record: Record) -> Lane | None:
        """Find the lane of *record*; None if it is the first of its key."""
        return self._lanes[record.topic].get(record.key)

    def open_lane(self, record: Record) -> Lane:
        """Make the lane of a key's first record."""
        if record.topic not in self._open:
            self._see(record.topic)
        lane = Lane(self.stream(record), record.exchange_symbol, is_book=record.kind in BOOKS)
        self._lanes[record.topic][record.key] = lane
        return lane

    def books(self) -> list[Lane]:
        """Every lane of a book."""
        return [lane for lanes in self._lanes.values() for lane in lanes.values() if lane.is_book]

    def owed(self) -> Iterator[InFlight]:
        """Every ``invalid`` that was lost and is to be published when there is room."""
        return (InFlight(lane.stream, lane, lane.owed) for lane in self.books() if lane.owed is not None)

    def lanes(self, of: Callable[[bytes], bool]) -> list[Lane]:
        """The lanes of all topics whose keys satisfy *of*."""
        return [lane for lanes in self._lanes.values() for key, lane in lanes.items() if of(key)]

    def streams(self) -> list[Stream]:
        """Every stream."""
        return list(self._streams.values())

    def _see(self, topic: str) -> None:
        """Start counting a topic, which exports its zeros."""
        self._open[topic] = metrics.IN_FLIGHT.labels(topic)
        metrics.DELIVERY_ERRORS.labels(topic)
        metrics.QUEUE_DROPS.labels(topic)
        for outcome in metrics.OUTCOMES:
            metrics.RECORDS.labels(topic, outcome)

    def stream(self, record: Record, *, recovered: bool = False) -> Stream:
        """Find or make the stream that counts *record*."""
        name = (record.topic, record.exchange, recovered)
        stream = self._streams.get(name)
        if stream is None:
            stream = Stream(record.topic, record.kind, record.exchange, recovered=recovered)
            self._streams[name] = stream
        return stream

    def accounting(self, in_memory: Iterable[InFlight], exchange: str | None = None) -> Accounting:
        """Count all records, or those of an *exchange*, by outcome; those *in_memory* have none and are not on disk."""
        open_ = collections.Counter(entry.stream for entry in in_memory if entry.place == IN_MEMORY)
        streams = [s for s in self._streams.values() if not s.recovered and exchange in {None, s.exchange}]
        return {topic: _account([s for s in streams if s.topic == topic], open_) for topic in self._open}

    def recovered(self, records: int, lost: int) -> RecoveredAccount:
        """Outcomes of the *records* that were found on disk, of which *lost* were damaged."""
        streams = [stream for stream in self._streams.values() if stream.recovered]
        acknowledged, dropped, failed = (
            sum(getattr(s, name) for s in streams) for name in ("acknowledged", "dropped", "failed")
        )
        waiting = records - lost - acknowledged - dropped - failed
        return RecoveredAccount(records, acknowledged, dropped, failed, lost, waiting)

    def export(self) -> int:
        """Update the metrics; return the total of acknowledged records."""
        open_ = dict.fromkeys(self._open, 0)
        acknowledged = 0
        for stream in self._streams.values():
            stream.export()
            acknowledged += stream.acknowledged
            if not stream.recovered:
                open_[stream.topic] += stream.open
        for topic, gauge in self._open.items():
            gauge.set(open_[topic])
        return acknowledged

    def export_end(self) -> None:
        """Update them at the end of the run, when ``spilled`` is the outcome of records that wait on disk."""
        self.export()
        for topic, gauge in self._open.items():
            spilled = sum(s.spilled for s in self._streams.values() if s.topic == topic and not s.recovered)
            metrics.RECORDS.labels(topic, "spilled").inc(spilled)
            gauge.dec(spilled)


def _account(streams: Sequence[Stream], in_flight: Mapping[Stream, int]) -> TopicAccount:
    counts = {name: sum(getattr(stream, name) for stream in streams) for name in ("events", *OUTCOMES, "spilled")}
    return TopicAccount(**counts, in_flight=sum(in_flight.get(stream, 0) for stream in streams))
