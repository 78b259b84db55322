"""Books that lost a record: nothing more of them is published until they start again, which is requested here."""

import logging
from collections.abc import Callable, Iterable

from confluent_kafka import KafkaError
from msgspec.structs import replace

from tickwire.kafka.causes import said
from tickwire.kafka.codes import GONE, TOO_LARGE
from tickwire.kafka.producing.in_flight import InFlight
from tickwire.kafka.producing.ledger import Hole, Lane
from tickwire.records.codec import Record

logger = logging.getLogger(__name__)

# Minimum time between two requested starts of a book, because each costs the exchange a snapshot. It doubles with each
# record that Kafka refuses, up to the longest.
_RESTART_S = 10.0
_LONGEST_RESTART_S = 600.0
_CALM_S = 1200.0  # without a refusal, then the next one counts as the first


class BrokenBooks:
    """The books whose restart has not been requested yet. Times are seconds of a monotonic clock.

    *replaced* takes the ``invalid`` of an epoch that another one replaced while it was valid, if there is one. It was
    not published, because readers of the next snapshot need no such word; but if that is lost, they do.
    """

    def __init__(self, replaced: Callable[[Lane], Record | None] = lambda _: None) -> None:
        self._replaced = replaced
        self._broken: dict[Lane, None] = {}
        self._refusals: set[tuple[str, int | None]] = set()

    def __bool__(self) -> bool:
        return bool(self._broken)

    def refused(self, entry: InFlight, error: KafkaError, now: float) -> None:
        """Count a record that can never be stored, and break its book."""
        lane, record = entry.lane, entry.record
        entry.stream.failed += 1
        code = error.code()
        before = lane.refused_times if now < lane.refused_at + _CALM_S else 0
        lane.refused_times = before + (lane not in self._broken)  # all records until it starts again are one attempt
        lane.refused_at = now
        if code in TOO_LARGE:
            lane.refused_bytes = len(record.value)
        if record.action == "snapshot" and hash(record.value) == lane.start:
            self._owe(lane)
            lane.unstarted = True
        gone = code in GONE
        told = record.topic, None if gone else code  # the codes of a deleted topic count as one
        if told not in self._refusals:
            self._refusals.add(told)
            advice = f"the topic was deleted: tickwire topics --create {record.topic}; " if gone else ""
            logger.error(
                "publisher.refused topic=%s key=%r bytes=%d code=%s error=%r (%slogged once)",
                record.topic, record.key, len(record.value), error.name(), said(error), advice,
            )  # fmt: skip
        self.add(lane)

    def dropped(self, entry: InFlight) -> None:
        """Drop a record behind a lost record of its book. Unless a snapshot is already queued, the book starts again.

        If another producer has the book now, the record counts as conflated: readers have newer ones.
        """
        if entry.lane.gone:
            entry.stream.conflated += 1
            return
        entry.stream.dropped += 1
        if not entry.lane.broken and entry.lane.hole is not Hole.MENDING:
            self.add(entry.lane)

    def lose(self, lane: Lane, record: Record) -> None:
        """Drop the newest record of a lane, and break its book. An ``invalid`` is owed instead, if none is owed yet."""
        if record.action == "invalid" and lane.owed is None:
            lane.owed = record
        else:
            lane.stream.dropped += 1
        if lane.is_book:
            lane.broken = True
            self._broken[lane] = None

    def add(self, lane: Lane) -> None:
        """Break a book that lost a record on the way to Kafka: no record follows until its next snapshot."""
        if lane.is_book:
            lane.broken, lane.hole = True, Hole.OPEN
            self._broken[lane] = None

    def owed(self, lane: Lane, record: Record, *, first: bool) -> Record | None:
        """The record to publish before *record* of a broken book: an ``invalid`` before a snapshot, else None.

        It was lost; or the *first* snapshot of an epoch replaces one that has a hole.
        """
        if first:
            self._owe(lane)
        return _take_owed(lane, record) if record.action == "snapshot" else None

    @staticmethod
    def end(lanes: Iterable[Lane]) -> None:
        """Count what is still owed of *lanes* as dropped: nothing more is published."""
        for lane in lanes:
            lane.stream.dropped += lane.owed is not None
            lane.owed = None

    def passes(self, lane: Lane, record: Record) -> Record | None:
        """What to publish for *record* of a broken book: an ``invalid`` or the snapshot that mends it; else None.

        Everything else is counted as dropped. A lost ``invalid`` is published in place of the next one.
        """
        if record.action == "snapshot":
            if lane.refused_bytes and len(record.value) >= lane.refused_bytes:
                lane.stream.failed += 1  # it is no smaller than one that was refused, and trying costs a producer
                return None
            lane.broken = False
            lane.hole = Hole.MENDING if lane.hole else Hole.NONE
            self._broken.pop(lane, None)
            return record
        if record.action == "invalid" and not lane.unstarted and lane.owed is None:
            return record
        lane.stream.dropped += 1
        return _take_owed(lane, record) if record.action == "invalid" else None

    def began(self, lane: Lane, value: bytes, *, first: bool) -> None:
        """Note a snapshot; the *first* one of an epoch starts it for readers, unless the book is broken.

        If that one was lost, the epoch starts for readers with the next snapshot that is not.
        """
        if not first and not lane.unstarted:
            return
        if first and lane.broken:
            self._owe(lane)
        lane.unstarted, lane.start = lane.broken, hash(value)

    def _owe(self, lane: Lane) -> None:
        """Let the epoch that readers know end with ``invalid``: they miss some of it, or what replaced it."""
        if not lane.unstarted and lane.owed is None and (word := self._replaced(lane)):
            lane.owed = word
            lane.stream.events += 1

    def due(self, now: float, has_room: Callable[[Lane], bool]) -> list[Lane]:
        """The books to restart now: those not restarted lately that have room for their snapshots."""
        found = [lane for lane in self._broken if lane.restart_at <= now and has_room(lane)]
        for lane in found:
            del self._broken[lane]
            lane.refused_bytes = 0  # a snapshot of any size may be tried again
            lane.restart_at = now + min(_RESTART_S * 2 ** max(0, lane.refused_times - 1), _LONGEST_RESTART_S)
        return found


def _take_owed(lane: Lane, record: Record) -> Record | None:
    """The lost ``invalid`` with the time of *record*, with which it is published now; None if none is owed."""
    owed, lane.owed = lane.owed, None
    return None if owed is None else replace(owed, timestamp_ms=record.timestamp_ms)
