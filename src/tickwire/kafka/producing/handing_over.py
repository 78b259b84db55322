"""What a member of a group asks and tells its publisher when symbols move to another member or come from one."""

from collections.abc import Callable, Iterable

from tickwire.kafka.producing.in_flight import InFlight
from tickwire.kafka.producing.ledger import Ledger
from tickwire.kafka.producing.outage_buffer import OutageBuffer
from tickwire.kafka.producing.outage_watch import OutageWatch

KeyOf = Callable[[bytes], bool]  # whether a record's key, such as ``binance|BTC-USDT``, is among the symbols that move


class HandingOver:
    """For one publisher; call it on that publisher's event loop."""

    def __init__(
        self,
        ledger: Ledger,
        buffer: OutageBuffer,
        watch: OutageWatch,
        in_memory: Callable[[], Iterable[InFlight]],
    ) -> None:
        self._ledger, self._buffer, self._watch, self._in_memory = ledger, buffer, watch, in_memory

    @property
    def outage(self) -> bool:
        """Whether Kafka acknowledges nothing now although records wait."""
        return self._watch.outage

    @property
    def recovering(self) -> bool:
        """Whether records that an earlier run left on disk still wait."""
        return self._buffer.recovering

    def settled(self, of: KeyOf) -> bool:
        """Whether Kafka has acknowledged all records of these keys, but for an ``invalid`` that was lost."""
        waiting = (entry for entry in self._in_memory() if entry.record is not entry.lane.owed)
        return not len(self._buffer) and not any(of(entry.record.key) for entry in waiting)

    def overtaken(self, of: KeyOf) -> None:
        """Stop sending records of these books: another producer has started them anew.

        Those that wait count as conflated: readers have newer ones.
        """
        for lane in self._ledger.lanes(of):
            if lane.is_book:
                lane.gone = lane.broken = True  # only a new snapshot may follow, as after any hole
                lane.stream.conflated += lane.owed is not None
                lane.owed = None

    def given_away(self, of: KeyOf) -> None:
        """Keep these off the short way: frames that still arrive for them must not be sent."""
        for lane in self._ledger.lanes(of):
            lane.broken = True

    def taken_back(self, of: KeyOf) -> None:
        """Send these again, books from their next snapshot on."""
        for lane in self._ledger.lanes(of):
            lane.gone, lane.broken = False, lane.broken and lane.is_book
