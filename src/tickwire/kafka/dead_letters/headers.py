"""The headers of dead letters, which are the original records with the reason in our headers.

Key, value and headers of the record stay as they are; our headers follow as one block, always all of them in the same
order, so that the block of an earlier failure can be told from other headers of the same names and replaced. The same
holds for the headers that a replay adds (:data:`REPLAY_HEADERS`).
"""

import re
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import NamedTuple, TypeAlias

from tickwire.errors import RecordRejected
from tickwire.kafka.dead_letters.foreign import read_foreign
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
SPECIFIED = ("source_topic", "error_type")  # the minimum that makes a record of another program a dead letter
REPLAY_HEADERS = ("replay_count", "replay_of", "replayed_at", "replay_id")

_MESSAGE_BYTES = 1024

_COUNT = re.compile(r"[0-9]{1,9}")

HeaderList: TypeAlias = list[tuple[str, bytes | None]]


class Failure(NamedTuple):
    """Why a record became a dead letter."""

    error_type: str  # one of ERROR_TYPES
    error_class: str
    message: str
    attempts: int


def describe(error: Exception, attempts: int) -> Failure:
    """The failure for an error that a handler raised."""
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


def failure_headers(record: ReceivedRecord, failure: Failure, group: str, failed_at: float, replays: int) -> HeaderList:
    """Our headers except the last one, which says what was left out. *failed_at* is in Unix seconds."""
    time_ms = record.timestamp_ms
    values = (
        record.topic,
        str(record.partition),
        str(record.offset),
        "" if time_ms is None else str(time_ms),
        group,
        failure.error_type,
        failure.error_class,
        failure.message,
        str(failure.attempts),
        rfc3339(failed_at),
        f"{record.topic}-{record.partition}-{record.offset}",
        str(replays),
    )
    return [(name, shorten(value, _MESSAGE_BYTES)) for name, value in zip(HEADERS[:-1], values, strict=True)]


def split_headers(headers: Sequence[tuple[str, bytes | None]]) -> tuple[HeaderList, dict[str, str]]:
    """Split a dead letter's headers: the original record's, and ours; ours are empty if it is no dead letter."""
    return _take_block(headers, HEADERS)


def split_replay(headers: Sequence[tuple[str, bytes | None]]) -> tuple[HeaderList, dict[str, str]]:
    """Split a replayed record's headers: its own, and those of the replay; these are empty if it is no replay."""
    return _take_block(headers, REPLAY_HEADERS)


def read_headers(headers: Sequence[tuple[str, bytes | None]]) -> tuple[HeaderList, dict[str, str]]:
    """Split the headers of a dead letter, also of one by another program; ours are empty if it is no dead letter.

    A dead letter of another program has :data:`SPECIFIED` and perhaps other headers with our names. Only those two are
    removed from the record's own headers, because it is unknown who wrote the others. Of two headers with the same name
    the last one counts. Or it has the headers that :mod:`~tickwire.kafka.dead_letters.foreign` reads.
    """
    original, ours = split_headers(headers)
    if ours:
        return original, ours
    rest, replayed = split_replay(headers)
    last = {name: number for number, (name, _) in enumerate(rest)}
    known = {name: text for name in HEADERS if name in last and (text := _text(rest[last[name]][1])) is not None}
    if known.keys() >= set(SPECIFIED):
        taken = {last[name] for name in SPECIFIED}
        original = [header for number, header in enumerate(rest) if number not in taken]
    else:
        original, known = read_foreign(rest)
    if not known:
        return list(headers), {}
    if count := replay_count(known, replayed):
        known["replay_count"] = str(count)
    return original, known


def _text(value: bytes | None) -> str | None:
    try:
        return None if value is None else value.decode()
    except UnicodeDecodeError:
        return None


def _take_block(
    headers: Sequence[tuple[str, bytes | None]], block: tuple[str, ...]
) -> tuple[HeaderList, dict[str, str]]:
    """Remove the last run of exactly the names *block*, if its values are text as ours are."""
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
    """How often a record was replayed: the maximum of these headers; an invalid number counts as 0."""
    texts = (block.get("replay_count", "") for block in blocks)
    return max((int(text) for text in texts if _COUNT.fullmatch(text)), default=0)
