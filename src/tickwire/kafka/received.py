"""One record as a handler gets it."""

from operator import methodcaller
from typing import Any, Self

from msgspec import Struct

from tickwire.events.types import MarketEvent
from tickwire.records.codec import read_event
from tickwire.records.formats import Headers

# Not message.headers(): for a name that is no text, confluent-kafka 2.16.1 returns None with an exception set; a call
# that the interpreter has specialized does not look, and the exception comes out of some later call. This one looks.
_headers = methodcaller("headers")


class ReceivedRecord(Struct, gc=False):
    """A record read from Kafka: the bytes as they are stored, and :attr:`event`, decoded when first asked for."""

    topic: str
    partition: int
    offset: int
    key: bytes | None
    value: bytes | None
    headers: Headers = ()
    timestamp_ms: int | None = None  # Unix milliseconds; None: the record has no time
    unreadable: str | None = None  # why its headers cannot be read; they are empty then
    _event: MarketEvent | None = None

    @classmethod
    def from_message(cls, message: Any) -> Self:
        """Take over a ``confluent_kafka.Message`` that is no error, whose declared types allow for one."""
        kind, timestamp = message.timestamp()
        headers, unreadable = (), None
        try:
            headers = _headers(message) or ()
        except Exception as e:  # noqa: BLE001 - brokers keep any bytes, and the library makes text of the names
            # SystemError in confluent-kafka 2.16.1; its cause says more.
            unreadable = f"its headers cannot be read: {e.__cause__ or e}"
        return cls(
            message.topic(),
            message.partition(),
            message.offset(),
            message.key(),
            message.value(),
            headers,
            timestamp if kind else None,
            unreadable,
        )

    @property
    def event(self) -> MarketEvent:
        """The market event. Raises :exc:`~tickwire.errors.RecordRejected` when the bytes are none."""
        if self._event is None:
            self._event = read_event(self.key, self.value, self.headers)
        return self._event
