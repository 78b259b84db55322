"""What happens to records for which the producer has no room: one class a policy, all of the same form.

Nothing overtakes what such a class holds: the publisher sends to the class of a topic until that is empty.
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

# A socket that is told to stop has delivered up to one read of its buffer: many thousand small frames.
_MOST_RECORDS = 50_000
_MOST_BYTES = 32 << 20


class WhenFull(Protocol):
    """A place for records that found no room."""

    def __len__(self) -> int:
        """How many records wait here."""

    def hold(self, lane: Lane, record: Record) -> None:
        """Take one more, or lose it."""

    def drain(self, send: Send) -> None:
        """Hand over what waits, the oldest first, as far as there is room. Called every few milliseconds."""

    def entries(self) -> Iterator[InFlight]:
        """Everything that waits in memory, the oldest first."""


class Dropping:
    """Loses it: tickers and trades are dropped, books are invalidated."""

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
        """Nothing ever waits."""
        return iter(())


class Conflating:
    """Keeps the newest record a key. What is replaced counts as conflated."""

    def __init__(self) -> None:
        self._newest: dict[Lane, Record] = {}

    def __len__(self) -> int:
        return len(self._newest)

    def hold(self, lane: Lane, record: Record) -> None:
        """Take it instead of an older one of its key."""
        if lane in self._newest:
            lane.stream.conflated += 1
        self._newest[lane] = record

    def drain(self, send: Send) -> None:
        """Hand over, the key that has waited longest first."""
        while self._newest:
            lane = next(iter(self._newest))
            if not send(InFlight(lane.stream, lane, self._newest[lane])):
                return
            del self._newest[lane]

    def entries(self) -> Iterator[InFlight]:
        """What waits."""
        return (InFlight(lane.stream, lane, record) for lane, record in self._newest.items())


class Blocking:
    """Keeps it and lets nobody read sockets, for *seconds* at most; then loses what is new until there is room.

    What sockets had delivered already still comes, so what waits is bounded as well.
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
        """Take it, and stop the reading."""
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
        """Hand over; read again when nothing waits any more, or after the longest time."""
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
            self._resume()  # an exchange that is not read for longer hangs up

    def entries(self) -> Iterator[InFlight]:
        """What waits."""
        return iter(self._waiting)


def places(config: KafkaConfig, spill: WhenFull, blocking: Blocking, lose: Lose) -> dict[str, WhenFull]:
    """Choose where the records of each topic wait, as the settings say; topics that block wait in one line."""
    dropping = Dropping(lose)
    by_policy: dict[str, WhenFull] = {"spill": spill, "conflate": Conflating(), "block": blocking}
    by_policy |= {"drop": dropping, "invalidate": dropping}
    return {getattr(config, kind.topic): by_policy[getattr(config, kind.when_full)] for kind in KINDS}
