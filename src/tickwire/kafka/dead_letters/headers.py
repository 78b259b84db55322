"""Dead letters: records that could not be processed, kept as they were, with the reason in headers of ours.

Key, value and headers of the record stay untouched and in front; our headers follow as one block, always all of them
in the same order, so that the block of an earlier failure can be told from headers of the same names and is replaced.
The same holds for the headers that a replay adds (:data:`REPLAY_HEADERS`).
"""

import re
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import NamedTuple, TypeAlias

from confluent_kafka import KafkaError, KafkaException, Message, Producer

from tickwire import metrics
from tickwire.config.kafka_config import KafkaConfig
from tickwire.errors import DeadLetterNotWritten, RecordRejected
from tickwire.kafka import codes
from tickwire.kafka.clients import make, producer_config
from tickwire.kafka.received import ReceivedRecord

ERROR_TYPES = ("deserialize", "schema", "validate", "process")
HEADERS = (
    "source_topic",
    "source_partition",
    "source_offset",
    "source_timestamp_ms",
    "consumer_group",
    "error_type",
    "error_class",
    "error_message",
    "attempts",
    "failed_at",
    "dlq_id",
    "replay_count",
    "left_out",
)
SPECIFIED = ("source_topic", "error_type")  # what every dead letter has, also one that another program wrote
REPLAY_HEADERS = ("replay_count", "replay_of", "replayed_at", "replay_id")

_MESSAGE_BYTES = 1024
_DELIVERY_S = 10.0
_LARGEST_MESSAGE = 1_000_000_000  # librdkafka's limit; the topic's own is what counts
# What is left out, step by step, while the topic refuses the record as too large.
_LEFT_OUT = ("nothing", "headers", "headers,value", "headers,value,key")

_COUNT = re.compile(r"[0-9]{1,9}")

HeaderList: TypeAlias = list[tuple[str, bytes | None]]


class Failure(NamedTuple):
    """Why a record became a dead letter."""

    error_type: str  # one of ERROR_TYPES
    error_class: str
    message: str
    attempts: int


def describe(error: Exception, attempts: int) -> Failure:
    """Name an error that a handler raised."""
    kind = type(error)
    name = kind.__qualname__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__qualname__}"
    error_type = error.error_type if isinstance(error, RecordRejected) else "process"
    message = str(error)
    if not isinstance(error, RecordRejected):
        message = f"{kind.__name__}: {message}" if message else kind.__name__
    return Failure(error_type if error_type in ERROR_TYPES else "process", name, message, attempts)


def shorten(text: str, limit: int) -> bytes:
    """Encode as UTF-8 in at most *limit* bytes, cut between characters."""
    data = text.encode("utf-8", "backslashreplace")
    return data if len(data) <= limit else data[:limit].decode("utf-8", "ignore").encode()


def rfc3339(time_s: float) -> str:
    """Write Unix seconds as UTC text with milliseconds, e.g. ``2026-01-31T12:00:00.000Z``."""
    return datetime.fromtimestamp(time_s, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def split_headers(headers: Sequence[tuple[str, bytes | None]]) -> tuple[HeaderList, dict[str, str]]:
    """Take a dead letter's headers apart: those of the record that it was, and ours; ours are empty if it is none."""
    return _take_block(headers, HEADERS)


def split_replay(headers: Sequence[tuple[str, bytes | None]]) -> tuple[HeaderList, dict[str, str]]:
    """Take a replayed record's headers apart: its own, and those that the replay added; empty if it is no replay."""
    return _take_block(headers, REPLAY_HEADERS)


def read_headers(headers: Sequence[tuple[str, bytes | None]]) -> tuple[HeaderList, dict[str, str]]:
    """Take the headers of a dead letter apart, also where another program wrote it; ours are empty if it is none.

    Such a one has :data:`SPECIFIED` and perhaps others of our names. Only those two are taken out of the record's own
    headers, as nobody can tell who wrote the others. Of a name that is there twice the last one counts.
    """
    original, ours = split_headers(headers)
    if ours:
        return original, ours
    rest, replayed = split_replay(headers)
    last = {name: number for number, (name, _) in enumerate(rest)}
    known = {name: text for name in HEADERS if name in last and (text := _text(rest[last[name]][1])) is not None}
    if not known.keys() >= set(SPECIFIED):
        return list(headers), {}
    if count := replay_count(known, replayed):
        known["replay_count"] = str(count)
    taken = {last[name] for name in SPECIFIED}
    return [header for number, header in enumerate(rest) if number not in taken], known


def _text(value: bytes | None) -> str | None:
    try:
        return None if value is None else value.decode()
    except UnicodeDecodeError:
        return None


def _take_block(
    headers: Sequence[tuple[str, bytes | None]], block: tuple[str, ...]
) -> tuple[HeaderList, dict[str, str]]:
    """Take out the last run of exactly the names *block* if its values are text, which ours are."""
    names = tuple(name for name, _ in headers)
    size = len(block)
    for start in range(len(names) - size, -1, -1):
        if names[start : start + size] == block and (texts := _texts(headers[start : start + size])) is not None:
            return [*headers[:start], *headers[start + size :]], texts
    return list(headers), {}


def _texts(block: Sequence[tuple[str, bytes | None]]) -> dict[str, str] | None:
    texts = {name: text for name, value in block if (text := _text(value)) is not None}
    return texts if len(texts) == len(block) else None


def replay_count(*blocks: dict[str, str]) -> int:
    """How often a record was replayed, as the highest of these headers says; what is no such number counts as 0."""
    texts = (block.get("replay_count", "") for block in blocks)
    return max((int(text) for text in texts if _COUNT.fullmatch(text)), default=0)


class DeadLetters:
    """Writes dead letters and waits until Kafka has acknowledged each."""

    def __init__(self, config: KafkaConfig, group: str, clock: Callable[[], float] = time.time) -> None:
        self.topic = config.dlq_topic
        self._group = group
        self._clock = clock
        self._stopped = False
        settings = producer_config(config) | {
            "linger.ms": 0,  # each is waited for
            "message.max.bytes": _LARGEST_MESSAGE,
            "message.timeout.ms": int(_DELIVERY_S * 1000),  # the offset is held, so nothing is lost
        }
        self._producer = make(Producer, settings)

    def write(self, record: ReceivedRecord, failure: Failure) -> None:
        """Write one dead letter and wait for its acknowledgement.

        Raises :exc:`~tickwire.errors.DeadLetterNotWritten` when there is none; the record must then not be committed.
        """
        original, copied = split_headers(record.headers)  # by another tool, as it was
        original, replayed = split_replay(original)
        ours = self._headers(record, failure, replay_count(copied, replayed))
        for step, left_out in enumerate(_LEFT_OUT):
            if step == 0 and record.unreadable is not None:
                continue
            headers: HeaderList = [*(original if step < 1 else ()), *ours, ("left_out", left_out.encode())]
            value = record.value if step < 2 else None
            key = record.key if step < 3 else None
            error = self._deliver(key, value, headers)
            if error is None or error.code() != codes.RECORD_TOO_LARGE:
                break
        if error is not None:
            source = (record.topic, record.partition, record.offset)
            raise DeadLetterNotWritten(self.topic, source, error.str(), not codes.refused_for_good(error))
        metrics.DLQ_PUBLISHED.labels(self.topic, record.topic, failure.error_type).inc()

    def stop(self) -> None:
        """Let a write in another thread end without its acknowledgement."""
        self._stopped = True

    def _headers(self, record: ReceivedRecord, failure: Failure, replays: int) -> HeaderList:
        time_ms = record.timestamp_ms
        values = (
            record.topic,
            str(record.partition),
            str(record.offset),
            "" if time_ms is None else str(time_ms),
            self._group,
            failure.error_type,
            failure.error_class,
            failure.message,
            str(failure.attempts),
            rfc3339(self._clock()),
            f"{record.topic}-{record.partition}-{record.offset}",
            str(replays),
        )
        return [(name, shorten(value, _MESSAGE_BYTES)) for name, value in zip(HEADERS[:-1], values, strict=True)]

    def _deliver(self, key: bytes | None, value: bytes | None, headers: HeaderList) -> KafkaError | None:
        """Produce and wait for the report; None is the acknowledgement."""
        reports: list[KafkaError | None] = []

        def delivered(error: KafkaError | None, _message: Message) -> None:
            reports.append(error)

        try:
            self._producer.produce(self.topic, value, key, headers=[*headers], on_delivery=delivered)
            deadline = time.monotonic() + _DELIVERY_S + 5  # librdkafka reports by then; this only guards the loop
            while not reports and not self._stopped and time.monotonic() < deadline:
                self._producer.poll(0.1)
        except KafkaException as e:
            error: KafkaError = e.args[0]
            return error
        return reports[0] if reports else KafkaError(codes.NOT_REPORTED)
