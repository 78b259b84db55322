"""One record as a handler gets it."""

from typing import Any, Self

from msgspec import Struct

from tickwire.events.types import MarketEvent
from tickwire.records.codec import Headers, read_event


class ReceivedRecord(Struct, gc=False):
    """A record read from Kafka: the bytes as they are stored, and :attr:`event`, decoded when first asked for."""

    topic: str
    partition: int
    offset: int
    key: bytes | None
    value: bytes | None
    headers: Headers = ()
    timestamp_ms: int | None = None  # Unix milliseconds; None: the record has no time
    _event: MarketEvent | None = None

    @classmethod
    def from_message(cls, message: Any) -> Self:
        """Take over a ``confluent_kafka.Message`` that is no error, whose declared types allow for one."""
        kind, timestamp = message.timestamp()
        return cls(
            message.topic(),
            message.partition(),
            message.offset(),
            message.key(),
            message.value(),
            message.headers() or (),
            timestamp if kind else None,
        )

    @property
    def event(self) -> MarketEvent:
        """The market event. Raises :exc:`~tickwire.errors.RecordRejected` when the bytes are none."""
        if self._event is None:
            self._event = read_event(self.key, self.value, self.headers)
        return self._event
