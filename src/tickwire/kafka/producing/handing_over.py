"""What of a publisher is asked and told when what it publishes goes over to another producer, or comes from one."""

from collections.abc import Callable, Iterable

from tickwire.kafka.producing.in_flight import InFlight
from tickwire.kafka.producing.ledger import Ledger
from tickwire.kafka.producing.outage_buffer import OutageBuffer
from tickwire.kafka.producing.outage_watch import OutageWatch

KeyOf = Callable[[bytes], bool]  # whether a record's key, such as ``binance|BTC-USDT``, is of what is handed over


class HandingOver:
    """Called on the publisher's event loop."""

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
        """Whether Kafka acknowledges nothing now, though there is something to acknowledge."""
        return self._watch.outage

    @property
    def recovering(self) -> bool:
        """Whether records that an earlier run left on disk have not all been sent."""
        return self._buffer.recovering

    def settled(self, of: KeyOf) -> bool:
        """Whether Kafka has acknowledged all records of these keys so far."""
        return not len(self._buffer) and not any(of(entry.record.key) for entry in self._in_memory())

    def overtaken(self, of: KeyOf) -> None:
        """Send no record of these books any more: another producer has begun them anew.

        What waits of them counts as conflated: readers have newer ones.
        """
        for lane in self._ledger.lanes(of):
            if lane.is_book:
                lane.gone = lane.broken = True  # the next one is a new start, as after any hole
                lane.owed = None

    def given_away(self, of: KeyOf) -> None:
        """Let nothing of these take the short way: what is still read of them is not to be sent."""
        for lane in self._ledger.lanes(of):
            lane.broken = True

    def taken_back(self, of: KeyOf) -> None:
        """Send them again, books from their next snapshot on."""
        for lane in self._ledger.lanes(of):
            lane.gone, lane.broken = False, lane.broken and lane.is_book
