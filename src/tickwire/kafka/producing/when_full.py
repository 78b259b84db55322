"""What happens to records while the producer has no room: one class for each policy.

No record overtakes those that such a class holds: until it is empty, the publisher gives it all new records of the
topic.
"""

import logging
from collections import deque
from collections.abc import Callable, Iterator
from typing import Protocol

from tickwire.config.kafka_config import KafkaConfig
from tickwire.kafka.producing.in_flight import InFlight
from tickwire.kafka.producing.ledger import Lane
from tickwire.records.codec import Record
from tickwire.records.kinds import KINDS

logger = logging.getLogger(__name__)

Send = Callable[[InFlight], bool]  # False: no room
Lose = Callable[[Lane, Record], None]  # a record of this lane is dropped

# A socket that is paused may still deliver one read of its buffer: many thousand small frames.
_MOST_RECORDS = 50_000
_MOST_BYTES = 32 << 20


class WhenFull(Protocol):
    """Holds records for which the producer has no room."""

    def __len__(self) -> int:
        """How many records wait here."""

    def hold(self, lane: Lane, record: Record) -> None:
        """Hold one more, or lose it."""

    def drain(self, send: Send) -> None:
        """Hand over waiting records, the oldest first, while there is room. Called every few milliseconds."""

    def entries(self) -> Iterator[InFlight]:
        """All records that wait in memory, the oldest first."""


class Dropping:
    """Loses records: tickers and trades are dropped, books are invalidated."""

    def __init__(self, lose: Lose) -> None:
        self._lose = lose

    def __len__(self) -> int:
        return 0

    def hold(self, lane: Lane, record: Record) -> None:
        """Lose it."""
        self._lose(lane, record)

    def drain(self, send: Send) -> None:
        """Do nothing."""

    def entries(self) -> Iterator[InFlight]:
        """None: no record waits."""
        return iter(())


class Conflating:
    """Keeps the newest record of each key. A replaced one counts as conflated."""

    def __init__(self) -> None:
        self._newest: dict[Lane, Record] = {}

    def __len__(self) -> int:
        return len(self._newest)

    def hold(self, lane: Lane, record: Record) -> None:
        """Hold *record*, in place of an older one of its key."""
        if lane in self._newest:
            lane.stream.conflated += 1
        self._newest[lane] = record

    def drain(self, send: Send) -> None:
        """Hand over records, beginning with the key that has waited longest."""
        while self._newest:
            lane = next(iter(self._newest))
            if not send(InFlight(lane.stream, lane, self._newest[lane])):
                return
            del self._newest[lane]

    def entries(self) -> Iterator[InFlight]:
        """What waits."""
        return (InFlight(lane.stream, lane, record) for lane, record in self._newest.items())


class Blocking:
    """Holds records and pauses the sockets, for *seconds* at most; then loses new records until there is room.

    Frames that sockets have already delivered still come, so the number of held records is bounded too.
    """

    def __init__(
        self,
        seconds: float,
        clock: Callable[[], float],
        lose: Lose,
        pause: Callable[[], None],
        resume: Callable[[], None],
    ) -> None:
        self._seconds, self._clock, self._lose, self._pause, self._resume = seconds, clock, lose, pause, resume
        self._waiting: deque[InFlight] = deque()
        self._bytes = 0
        self._since = 0.0
        self._given_up = False

    def __len__(self) -> int:
        return len(self._waiting)

    def hold(self, lane: Lane, record: Record) -> None:
        """Hold *record*, and pause the sockets."""
        size = len(record.value)
        if self._given_up or len(self._waiting) >= _MOST_RECORDS or self._bytes + size > _MOST_BYTES:
            self._lose(lane, record)
            return
        if not self._waiting:
            self._since = self._clock()
            self._pause()
        self._waiting.append(InFlight(lane.stream, lane, record))
        self._bytes += size

    def drain(self, send: Send) -> None:
        """Hand over records; resume the sockets when none waits, or after *seconds*."""
        if not self._waiting:
            return
        while self._waiting and send(self._waiting[0]):
            self._bytes -= len(self._waiting.popleft().record.value)
        if not self._waiting:
            if not self._given_up:
                self._resume()
            self._given_up = False
        elif not self._given_up and self._clock() - self._since >= self._seconds:
            self._given_up = True
            logger.error("publisher.dropping blocked_s=%g waiting=%d", self._seconds, len(self._waiting))
            self._resume()  # an exchange whose socket is not read for longer disconnects

    def entries(self) -> Iterator[InFlight]:
        """What waits."""
        return iter(self._waiting)


def places(config: KafkaConfig, spill: WhenFull, blocking: Blocking, lose: Lose) -> dict[str, WhenFull]:
    """The place for each topic, as the settings say; topics with ``block`` share one."""
    dropping = Dropping(lose)
    by_policy: dict[str, WhenFull] = {"spill": spill, "conflate": Conflating(), "block": blocking}
    by_policy |= {"drop": dropping, "invalidate": dropping}
    return {getattr(config, kind.topic): by_policy[getattr(config, kind.when_full)] for kind in KINDS}
