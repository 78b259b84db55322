"""One record as a handler gets it."""

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

# Not message.headers(): for a name that is no text, confluent-kafka 2.16.1 returns None with an exception set; a call
# that the interpreter has specialized does not look, and the exception comes out of some later call. This one looks.
_headers = methodcaller("headers")


_check_json = msgspec.json.Decoder().decode
_encode = msgspec.json.Encoder().encode
_json_reader = ValueReader()


def value_reader(config: KafkaConfig) -> ValueReader:
    """What reads the values of records: of every format, where the settings name a schema registry.

    Raises :exc:`~tickwire.errors.UsageError` for settings of the registry that cannot be used.
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
    timestamp_ms: int | None = None  # Unix milliseconds; None: the record has no time
    unreadable: str | None = None  # why its headers cannot be read; they are empty then
    _reader: ValueReader = _json_reader
    _event: MarketEvent | None = None

    @classmethod
    def from_message(cls, message: Any, reader: ValueReader = _json_reader) -> Self:
        """Take over a ``confluent_kafka.Message`` that is no error, whose declared types allow for one."""
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
        """Have the schema of the value, so that :attr:`event` asks nobody.

        Raises :exc:`~tickwire.registry_errors.RegistryFailed`.
        """
        self._reader.prepare(self.value, self.headers)

    @property
    def event(self) -> MarketEvent:
        """The market event.

        Raises :exc:`~tickwire.errors.RecordRejected` when the bytes are none, and
        :exc:`~tickwire.registry_errors.RegistryFailed` when the schema registry does not say what they are.
        """
        if self._event is None:
            self._event = read_event(self.key, self.value, self.headers, self._reader)
        return self._event

    def json_text(self) -> bytes | None:
        """The value as JSON text: as it is, or decoded; None: it is neither, or the schema registry does not say."""
        value = self.value or b""
        try:
            _check_json(value)
            value.decode()  # the decoder skips some strings
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            try:
                return _encode(self._reader.decode(value, self.headers)) if value else None
            except TickwireError:
                return None
        return value


def why_unreadable(error: Exception) -> str:
    """Say why headers cannot be read. confluent-kafka 2.16.1 raises SystemError; its cause says more."""
    return f"its headers cannot be read: {error.__cause__ or error}"


@compiled
def receive(messages: list[Any], at: int, reader: ValueReader) -> list[ReceivedRecord]:
    """Take messages of one partition out of their places from *at* on, up to an error or one of another partition.

    Headers that are equal may be one object.
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
