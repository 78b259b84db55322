"""Decides about the records of a refused batch. Kafka refuses whole batches, whichever record is at fault.

A batch that is too large is sent again in smaller ones. A record with a time far from the present gets the present
time, because that may be the cause. Other suspects are sent again one by one. Only a record that is refused alone has
failed.
"""

import logging
import time
from collections import deque
from collections.abc import Callable, Iterable

import msgspec
from confluent_kafka import KafkaError

from tickwire.kafka import codes
from tickwire.kafka.causes import said
from tickwire.kafka.producing.in_flight import InFlight
from tickwire.kafka.producing.ledger import Lane
from tickwire.records.codec import SMALL_STEP_MS

logger = logging.getLogger(__name__)


class RefusedBatches:
    """The records of refused batches, until the next producer sends them again."""

    def __init__(self, batch_size: int) -> None:
        self.batch_size = batch_size  # bytes, for the next producer
        self._errors: dict[InFlight, KafkaError] = {}
        self._lanes: set[Lane] = set()  # the lanes of these records
        self._overtaken: set[Lane] = set()

    def __len__(self) -> int:
        return len(self._errors)

    def add(self, entry: InFlight, error: KafkaError) -> None:
        """Add a record of a refused batch."""
        self._errors[entry] = error
        self._lanes.add(entry.lane)

    def acknowledged(self, entry: InFlight) -> None:
        """Note a stored record: a refused record of the same lane is older, and must not follow it.

        Kafka accepts later batches although it refused the first one of a producer.
        """
        if entry.lane in self._lanes:
            self._overtaken.add(entry.lane)

    def sort_out(
        self, entries: Iterable[InFlight], failed: Callable[[InFlight, KafkaError], None]
    ) -> tuple[deque[InFlight], int]:
        """Return the records to send again, in the order of *entries*, and how many at the head go one by one.

        *failed* is called with the records that can never be stored.
        """
        errors, overtaken = self._errors, self._overtaken
        self._errors, self._lanes, self._overtaken = {}, set(), set()
        again: deque[InFlight] = deque()
        one_by_one, too_large = 0, False
        for entry in entries:
            error = errors.get(entry)
            if error is None:
                again.append(entry)
            elif entry.lane in overtaken or self._was_alone(entry, error, len(errors)):
                failed(entry, error)
            elif is_from_another_time(entry):
                again.append(at_present(entry))
            else:
                again.append(entry)
                if error.code() in codes.TOO_LARGE:
                    too_large = True
                elif error.code() != codes.NEIGHBOUR_REFUSED:
                    one_by_one = len(again)
        if too_large:
            self.batch_size = max(1, self.batch_size // 2)
            logger.warning("producer.smaller_batches bytes=%d (a topic takes no larger ones)", self.batch_size)
        return again, one_by_one

    def _was_alone(self, entry: InFlight, error: KafkaError, refused: int) -> bool:
        """Whether it is certain that this record itself was refused."""
        if error.code() in codes.TOO_LARGE:
            return refused == 1 or len(entry.record.value) >= self.batch_size
        return refused == 1 and error.code() == codes.RECORD_REFUSED and not is_from_another_time(entry)


class KafkasClock:
    """Whether Kafka refuses the present time, because this machine's clock or its own is wrong."""

    _WAIT_S = 1.0

    def __init__(self) -> None:
        self.disagrees = False
        self._look_at = 0.0

    @property
    def is_time_to_look(self) -> bool:
        """Whether it is time to send a record to find out."""
        return time.monotonic() >= self._look_at

    def refused(self, error: KafkaError) -> None:
        """Note that a single record was refused for its time."""
        self._look_at = time.monotonic() + self._WAIT_S
        if not self.disagrees:
            self.disagrees = True
            logger.error(
                "producer.time_refused error=%r (records wait: compare the clocks of this machine and of the brokers, "
                "and see message.timestamp.after.max.ms of the topic)",
                said(error),
            )

    def agreed(self) -> None:
        """Note that a record was stored."""
        if self.disagrees:
            self.disagrees = False
            logger.info("producer.time_accepted")


def is_from_another_time(entry: InFlight) -> bool:
    """Whether a record's time is so far from the present that Kafka may refuse it for that."""
    return abs(entry.record.timestamp_ms - _now_ms()) >= SMALL_STEP_MS


def is_from_the_future(entry: InFlight) -> bool:
    """Whether a record's time is later than a correct clock could have shown."""
    return entry.record.timestamp_ms >= _now_ms() + SMALL_STEP_MS


def at_present(entry: InFlight) -> InFlight:
    """The same record with the present time, not in flight."""
    record = msgspec.structs.replace(entry.record, timestamp_ms=_now_ms())
    return type(entry)(entry.stream, entry.lane, record, entry.place)


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
