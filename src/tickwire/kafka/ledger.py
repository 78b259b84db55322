"""What became of every record: counted once, as it ends, and exported a few hundred times a second, not per record.

``events = acknowledged + failed + dropped + in flight`` holds whenever no method of the publisher is running.
"""

import collections
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TypeAlias

from prometheus_client import Counter

from tickwire import metrics
from tickwire.records.codec import Record


@dataclass(frozen=True, slots=True)
class TopicAccount:
    """Where the records of one topic are. ``in_flight`` are those that have not ended."""

    events: int = 0
    acknowledged: int = 0
    failed: int = 0
    dropped: int = 0
    in_flight: int = 0


Accounting: TypeAlias = dict[str, TopicAccount]  # by topic


@dataclass(frozen=True, slots=True)
class TopicCounters:
    """A topic's counters with their labels bound."""

    acknowledged: Counter
    failed: Counter
    dropped: Counter
    delivery_errors: Counter
    queue_drops: Counter


def topic_counters(topic: str) -> TopicCounters:
    """Bind a topic's counters, which makes their zeros visible."""
    return TopicCounters(
        metrics.RECORDS.labels(topic, "acknowledged"),
        metrics.RECORDS.labels(topic, "failed"),
        metrics.RECORDS.labels(topic, "dropped"),
        metrics.DELIVERY_ERRORS.labels(topic),
        metrics.QUEUE_DROPS.labels(topic),
    )


class Stream:
    """Counts of one topic, type and exchange."""

    __slots__ = ("_exported", "_outcomes", "_published", "acknowledged", "dropped", "events", "failed", "topic")

    def __init__(self, topic: str, kind: str, exchange: str) -> None:
        self.topic = topic
        self.events = self.acknowledged = self.failed = self.dropped = 0
        self._exported = (0, 0, 0)
        self._published = metrics.MESSAGES_PUBLISHED.labels(topic, kind, exchange)
        self._outcomes = topic_counters(topic)

    def export(self) -> None:
        """Add to the metrics what was counted since the last call."""
        now = (self.acknowledged, self.failed, self.dropped)
        before, self._exported = self._exported, now
        if now == before:
            return
        acknowledged, failed, dropped = (new - old for new, old in zip(now, before, strict=True))
        self._published.inc(acknowledged)
        self._outcomes.acknowledged.inc(acknowledged)
        self._outcomes.failed.inc(failed)
        self._outcomes.delivery_errors.inc(failed)
        self._outcomes.dropped.inc(dropped)
        self._outcomes.queue_drops.inc(dropped)


class Lane:
    """All records of one key of one topic, which Kafka keeps in order.

    A book is ``broken`` from the loss of one of its records until its next snapshot.
    """

    __slots__ = ("broken", "exchange_symbol", "is_book", "restart_at", "stream")

    def __init__(self, stream: Stream, exchange_symbol: str, *, is_book: bool) -> None:
        self.stream = stream
        self.exchange_symbol = exchange_symbol
        self.is_book = is_book
        self.broken = False
        self.restart_at = 0.0  # the earliest time to ask for the next start, in the loop's seconds


class Ledger:
    """Lanes, streams, and the records that were handed to the producer and not yet reported on."""

    def __init__(self, topics: Iterable[str]) -> None:
        self.in_flight: dict[int, tuple[Lane, Record]] = {}  # in the order in which they were handed over
        self._lanes: dict[str, dict[bytes, Lane]] = {topic: {} for topic in topics}
        self._streams: dict[tuple[str, str], Stream] = {}
        self._open = {topic: metrics.IN_FLIGHT.labels(topic) for topic in self._lanes}
        for topic in self._lanes:
            topic_counters(topic)

    def lane(self, record: Record) -> Lane | None:
        """Find the lane of *record*; None if it is the first of its key."""
        return self._lanes[record.topic].get(record.key)

    def open_lane(self, record: Record, exchange_symbol: str) -> Lane:
        """Make the lane of a key's first record."""
        name = (record.topic, record.exchange)
        stream = self._streams.get(name)
        if stream is None:
            stream = self._streams[name] = Stream(record.topic, record.kind, record.exchange)
        lane = Lane(stream, exchange_symbol, is_book=record.kind == "orderbook")
        self._lanes[record.topic][record.key] = lane
        return lane

    def accounting(self, waiting: Iterable[tuple[Lane, Record]]) -> Accounting:
        """Count where everything is; *waiting* has not been handed over yet."""
        open_ = collections.Counter(record.topic for _, record in (*self.in_flight.values(), *waiting))
        return {topic: self._account(topic, open_[topic]) for topic in self._lanes}

    def export(self) -> int:
        """Bring the metrics up to date. Returns how many records were acknowledged in all."""
        for stream in self._streams.values():
            stream.export()
        for topic, gauge in self._open.items():
            account = self._account(topic, 0)
            gauge.set(account.events - account.acknowledged - account.failed - account.dropped)
        return sum(stream.acknowledged for stream in self._streams.values())

    def _account(self, topic: str, in_flight: int) -> TopicAccount:
        streams = [stream for stream in self._streams.values() if stream.topic == topic]
        return TopicAccount(
            sum(stream.events for stream in streams),
            sum(stream.acknowledged for stream in streams),
            sum(stream.failed for stream in streams),
            sum(stream.dropped for stream in streams),
            in_flight,
        )
