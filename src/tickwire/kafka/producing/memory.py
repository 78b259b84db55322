"""A publisher without Kafka, for tests and experiments: same interface and accounting, records in a list."""

import asyncio
from collections.abc import Iterable, Sequence

from tickwire import metrics
from tickwire.config.kafka_config import KafkaConfig
from tickwire.events.types import MarketEvent
from tickwire.kafka.producing.flow import Flows
from tickwire.kafka.producing.ledger import Accounting, Ledger, RecoveredAccount
from tickwire.records.codec import Record, RecordWriter, read_event
from tickwire.records.kinds import topics_by_kind

_TICK_S = 0.1


class MemoryPlace:
    """In place of :class:`~tickwire.kafka.producing.place.Place`; there is no folder, because nothing waits."""

    folder = epochs = None

    def serve(
        self, exchange: str, kinds: Iterable[str], symbols: Iterable[str], of: Sequence[str], *, names: bool
    ) -> None:
        """Do nothing: no other process can publish the same."""

    def change(self, *_what: object) -> dict[str, str]:
        """Refuse no symbol, for the same reason."""
        return {}


class MemoryPublisher:
    """Keeps every record, in order, and acknowledges it at once.

    ``open``, then ``start``, then ``publish``; ``close`` at the end. Raises :exc:`RuntimeError` for another order.
    Values are JSON whatever the settings say, because no registry is asked.
    """

    def __init__(self, config: KafkaConfig) -> None:
        self.config = config
        self.records: list[Record] = []
        self.place = MemoryPlace()
        self.flows = Flows()  # the feeds; a test can make them pause or fail through it
        self._writer = RecordWriter(topics_by_kind(config))
        self._ledger = Ledger(config.topics)
        self._state = "new"

    def open(self) -> None:
        """Begin; nothing has to be asked."""
        self._go("new", "open")

    def abandon(self) -> None:
        """Undo :meth:`open`, if :meth:`start` was not called."""
        self._go("open", "new")

    def start(self, loop: asyncio.AbstractEventLoop) -> None:
        """Update the metrics on *loop* from now on."""
        self._go("open", "started")
        self._loop = loop
        self._tick()

    @property
    def started(self) -> bool:
        """Whether :meth:`publish` may be called."""
        return self._state == "started"

    def way(self) -> None:
        """There is no short way: every event is kept."""

    def publish(self, event: MarketEvent) -> None:
        """Keep one event's record."""
        self._go("started", "started")
        record = self._writer.write(event)
        stream = (self._ledger.lane(record) or self._ledger.open_lane(record)).stream
        stream.events += 1
        stream.acknowledged += 1
        self.records.append(record)

    @property
    def events(self) -> list[MarketEvent]:
        """What a reader of the topics would get, in the order of publishing."""
        return [read_event(record.key, record.value) for record in self.records]

    def accounting(self, exchange: str | None = None) -> Accounting:
        """The counts by topic, of all exchanges or one."""
        return self._ledger.accounting((), exchange)

    def recovered(self) -> RecoveredAccount:
        """Nothing: there is no earlier run."""
        return RecoveredAccount()

    async def close(self, _seconds: float) -> int:
        """End; no record is ever left."""
        self._go("started", "closed")
        self._timer.cancel()
        self._export()
        return 0

    def _go(self, state: str, to: str) -> None:
        if self._state != state:
            raise RuntimeError(f"this publisher is {self._state}, but should be {state}")
        self._state = to

    def _tick(self) -> None:
        self._timer = self._loop.call_later(_TICK_S, self._tick)
        self._export()

    def _export(self) -> None:
        with metrics.EXPORT:
            self.flows.export()
            self._ledger.export()
