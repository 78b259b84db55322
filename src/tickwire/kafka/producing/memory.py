"""A publisher without Kafka, for tests and for trying out feeds: same interface, same accounting, records in a list."""

import asyncio
from collections.abc import Callable, Iterable, Sequence

from tickwire import metrics
from tickwire.config.kafka_config import KafkaConfig
from tickwire.events.types import MarketEvent
from tickwire.kafka.producing.flow import Flow
from tickwire.kafka.producing.ledger import Accounting, DirectPublisher, Ledger, RecoveredAccount
from tickwire.records.codec import Record, RecordWriter, read_event
from tickwire.records.kinds import topics_by_kind

_TICK_S = 0.1


class MemoryPlace:
    """No folder, because nothing waits."""

    folder = epochs = None

    def serve(self, kinds: Iterable[str], symbols: Iterable[str], of: Sequence[str], *, names: bool) -> None:
        """Do nothing: nobody else serves the same."""


class MemoryPublisher:
    """Keeps every record, in order, and acknowledges it at once.

    ``open``, then ``start``, then ``publish``; ``close`` at the end. Raises :exc:`RuntimeError` for another order.
    """

    def __init__(self, config: KafkaConfig) -> None:
        self.config = config
        self.records: list[Record] = []
        self.place = MemoryPlace()
        self.direct: DirectPublisher | None = None  # every event is wanted as an event
        self.flow: Flow | None = None  # of the feed, from the start on; for whoever wants it to pause or to fail
        self._writer = RecordWriter(topics_by_kind(config))
        self._ledger = Ledger(config.topics)
        self._state = "new"

    def open(self) -> None:
        """Ask nobody."""
        self._go("new", "open")

    def abandon(self) -> None:
        """Undo :meth:`open`, where nothing was started."""
        self._go("open", "new")

    def start(self, loop: asyncio.AbstractEventLoop, flow: Flow, export: Callable[[], None] = lambda: None) -> None:
        """Bring metrics up to date on *loop* from now on, with *export* those that are to agree with ours."""
        self._go("open", "started")
        self._loop, self.flow, self._export_more = loop, flow, export
        self._tick()

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
        """What a reader of the topics would have, in the order in which it was published."""
        return [read_event(record.key, record.value) for record in self.records]

    def accounting(self) -> Accounting:
        """Where every event is, by topic."""
        return self._ledger.accounting(())

    def recovered(self) -> RecoveredAccount:
        """Nothing was left by an earlier run."""
        return RecoveredAccount()

    async def close(self, _seconds: float) -> int:
        """Nothing is ever left."""
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
            self._export_more()
            self._ledger.export()
