"""A publisher without Kafka, for tests and for trying out feeds: same interface, same accounting, records in a list."""

import asyncio

from tickwire.config.kafka_config import KafkaConfig
from tickwire.events.types import MarketEvent
from tickwire.kafka.producing.ledger import Accounting, DirectPublisher, Ledger
from tickwire.kafka.producing.publisher import Flow
from tickwire.records.codec import Record, RecordWriter
from tickwire.records.kinds import topics_by_kind


class MemoryPublisher:
    """Keeps every record, in order, and acknowledges it at once."""

    def __init__(self, config: KafkaConfig, _flow: Flow | None = None) -> None:
        self.records: list[Record] = []
        self._writer = RecordWriter(topics_by_kind(config))
        self._ledger = Ledger(config.topics)
        self.direct: DirectPublisher | None = None  # every event is wanted as an event

    def open(self) -> None:
        """Do nothing: there is nobody to ask."""

    def start(self, _loop: asyncio.AbstractEventLoop) -> None:
        """Do nothing: nothing is reported later."""

    def publish(self, event: MarketEvent) -> None:
        """Keep one event's record."""
        record = self._writer.write(event)
        stream = (self._ledger.lane(record) or self._ledger.open_lane(record, event.exchange_symbol)).stream
        stream.events += 1
        stream.acknowledged += 1
        self.records.append(record)

    def accounting(self) -> Accounting:
        """Where every event is, by topic."""
        return self._ledger.accounting(())

    async def close(self, _seconds: float) -> int:
        """Nothing is ever left."""
        self._ledger.export()
        return 0
