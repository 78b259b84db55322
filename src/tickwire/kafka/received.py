"""A record as handlers get it."""

from operator import methodcaller
from typing import Any, Self

import msgspec
from msgspec import Struct

from tickwire.compiled import compiled
from tickwire.config.kafka_config import KafkaConfig
from tickwire.errors import TickwireError
from tickwire.events.types import MarketEvent
from tickwire.records.codec import read_event
from tickwire.records.formats import Headers, ValueReader
from tickwire.registry.client import Registry

# Not message.headers(): for a header name that is not UTF-8, confluent-kafka 2.16.1 returns None with an exception set.
# A call that the interpreter has specialized does not notice, and the exception surfaces in some later call. This way
# of calling notices.
_headers = methodcaller("headers")


_check_json = msgspec.json.Decoder().decode
_encode = msgspec.json.Encoder().encode
_json_reader = ValueReader()


def value_reader(config: KafkaConfig) -> ValueReader:
    """A reader of values, of every format if the settings name a schema registry.

    Raises :exc:`~tickwire.errors.UsageError` for unusable settings of the registry.
    """
    return _json_reader if config.schema_registry_url is None else ValueReader(Registry(config).writer_schema)


class ReceivedRecord(Struct, gc=False):
    """A record read from Kafka: the bytes as they are stored, and :attr:`event`, decoded when first asked for."""

    topic: str
    partition: int
    offset: int
    key: bytes | None
    value: bytes | None
    headers: Headers = ()
    timestamp_ms: int | None = None  # Unix milliseconds; None: the record has no timestamp
    unreadable: str | None = None  # why its headers cannot be read; they are empty then
    _reader: ValueReader = _json_reader
    _event: MarketEvent | None = None

    @classmethod
    def from_message(cls, message: Any, reader: ValueReader = _json_reader) -> Self:
        """Make one of a ``confluent_kafka.Message`` that is no error; the library's types would allow an error here."""
        kind, timestamp = message.timestamp()
        headers, unreadable = (), None
        try:
            headers = tuple(_headers(message) or ())
        except Exception as e:  # noqa: BLE001 - brokers keep any bytes, and the library makes text of the names
            unreadable = why_unreadable(e)
        return cls(
            message.topic(),
            message.partition(),
            message.offset(),
            message.key(),
            message.value(),
            headers,
            timestamp if kind else None,
            unreadable,
            reader,
        )

    def prepare(self) -> None:
        """Fetch the schema of the value, so that :attr:`event` asks no registry.

        Raises :exc:`~tickwire.registry_errors.RegistryFailed`.
        """
        self._reader.prepare(self.value, self.headers)

    @property
    def event(self) -> MarketEvent:
        """The market event.

        Raises :exc:`~tickwire.errors.RecordRejected` if the value is no event, and
        :exc:`~tickwire.registry_errors.RegistryFailed` if the schema registry does not give its schema.
        """
        if self._event is None:
            self._event = read_event(self.key, self.value, self.headers, self._reader)
        return self._event

    def json_text(self) -> bytes | None:
        """The value as JSON text: as stored, or decoded; None if it is neither, or its schema cannot be had."""
        value = self.value or b""
        try:
            _check_json(value)
            value.decode()  # the JSON decoder does not check all strings for UTF-8
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            try:
                return _encode(self._reader.decode(value, self.headers)) if value else None
            except TickwireError:
                return None
        return value


def why_unreadable(error: Exception) -> str:
    """Say why headers cannot be read: confluent-kafka 2.16.1 raises SystemError, whose cause says more."""
    return f"its headers cannot be read: {error.__cause__ or error}"


@compiled
def receive(messages: list[Any], at: int, reader: ValueReader) -> list[ReceivedRecord]:
    """Take messages from the list, from *at* on, up to an error or a message of another partition.

    Records with equal headers may share one object.
    """
    records: list[ReceivedRecord] = []
    place = None
    for number in range(at, len(messages)):
        message = messages[number]
        if message.error() is not None:
            break
        here = message.topic(), message.partition()
        if here != (place or here):
            break
        place = here
        records.append(ReceivedRecord.from_message(message, reader))
        messages[number] = None
    return records
