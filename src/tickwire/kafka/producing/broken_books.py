"""Books of which a record was lost: nothing follows but a new start, which is asked for when there is room for it."""

import logging
from collections.abc import Callable

from confluent_kafka import KafkaError
from msgspec.structs import replace

from tickwire.kafka.causes import said
from tickwire.kafka.codes import TOO_LARGE
from tickwire.kafka.producing.in_flight import InFlight
from tickwire.kafka.producing.ledger import Lane
from tickwire.records.codec import Record

logger = logging.getLogger(__name__)

# Least time between two starts of a book because of us: each costs the exchange a snapshot. Twice as long after each
# record that Kafka would not have, up to the longest.
_RESTART_S = 10.0
_LONGEST_RESTART_S = 600.0
_CALM_S = 1200.0  # without one, after which the next one is the first again


class BrokenBooks:
    """Those that the feed has not been asked to start again. Times are seconds of one clock that does not go back."""

    def __init__(self) -> None:
        self._broken: dict[Lane, None] = {}
        self._refusals: set[tuple[str, int]] = set()

    def __bool__(self) -> bool:
        return bool(self._broken)

    def refused(self, entry: InFlight, error: KafkaError, now: float) -> None:
        """Count a record that can never be sent; the others go on."""
        lane, record = entry.lane, entry.record
        entry.stream.failed += 1
        code = error.code()
        lane.refused_times = 1 + (lane.refused_times if now < lane.refused_at + _CALM_S else 0)
        lane.refused_at = now
        if code in TOO_LARGE:
            lane.refused_bytes = len(record.value)
        if record.action == "snapshot" and hash(record.value) == lane.start:
            lane.unstarted = True
        if (record.topic, code) not in self._refusals:
            self._refusals.add((record.topic, code))
            logger.error(
                "publisher.refused topic=%s key=%r bytes=%d code=%s error=%r (logged once)",
                record.topic, record.key, len(record.value), error.name(), said(error),
            )  # fmt: skip
        self.add(lane)

    def dropped(self, entry: InFlight) -> None:
        """Drop what was behind a lost record of its book. Where nothing is on its way to mend it, it begins again.

        Where another producer has the book, readers have what replaces it.
        """
        if entry.lane.gone:
            entry.stream.conflated += 1
            return
        entry.stream.dropped += 1
        if not entry.lane.broken and not entry.lane.mending:
            self.add(entry.lane)

    def lose(self, lane: Lane, record: Record) -> None:
        """Drop the newest record of a lane."""
        lane.stream.dropped += 1
        if record.action == "invalid":
            lane.owed = record
        if lane.is_book:
            lane.broken = True
            self._broken[lane] = None

    def add(self, lane: Lane) -> None:
        """Let nothing of a book follow what was lost on the way to Kafka, on disk or new, until it is whole again."""
        if lane.is_book:
            lane.broken = lane.hole = True
            lane.mending = False
            self._broken[lane] = None

    @staticmethod
    def owed(lane: Lane, record: Record) -> Record | None:
        """What is said before *record* of a broken book: ahead of a snapshot, that the epoch before it is invalid.

        It is said again, as one more event, because it was counted as dropped.
        """
        if record.action != "snapshot" or lane.owed is None:
            return None
        lane.stream.events += 1
        owed, lane.owed = replace(lane.owed, timestamp_ms=record.timestamp_ms), None
        return owed

    def passes(self, lane: Lane, record: Record) -> Record | None:
        """What may follow now that a book is broken: an invalidation, and the snapshot that makes it whole; else None.

        The rest is counted. An invalidation of an epoch that readers never heard of is the one that they wait for
        instead, if they do.
        """
        if record.action == "snapshot":
            if lane.refused_bytes and len(record.value) >= lane.refused_bytes:
                lane.stream.failed += 1  # as the one before it did, at the cost of a producer
                return None
            lane.broken = False
            lane.mending = lane.hole
            self._broken.pop(lane, None)
            return record
        if record.action == "invalid" and not lane.unstarted:
            return record
        if record.action == "invalid" and lane.owed is not None:
            owed, lane.owed = replace(lane.owed, timestamp_ms=record.timestamp_ms), None
            return owed
        lane.stream.dropped += 1
        return None

    @staticmethod
    def began(lane: Lane, value: bytes, *, first: bool) -> None:
        """Take note of the *first* snapshot of an epoch, which is on its way unless the book is broken.

        Where that one was lost, readers begin with the next one that is not.
        """
        if not first and not lane.unstarted:
            return
        lane.unstarted, lane.start = lane.broken, hash(value)

    def due(self, now: float, has_room: Callable[[Lane], bool]) -> list[Lane]:
        """The books to ask for now: those that were not asked for lately, and have room for their snapshots."""
        found = [lane for lane in self._broken if lane.restart_at <= now and has_room(lane)]
        for lane in found:
            del self._broken[lane]
            lane.refused_bytes = 0  # one more may be tried
            lane.restart_at = now + min(_RESTART_S * 2 ** max(0, lane.refused_times - 1), _LONGEST_RESTART_S)
        return found
