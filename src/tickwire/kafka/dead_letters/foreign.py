"""Reads the dead-letter headers of other programs as if they were ours.

Kafka Connect (KIP-298; with ``errors.deadletterqueue.context.headers.enable``) writes text below ``__connect.errors.``,
Spring (``DeadLetterPublishingRecoverer``) text and big-endian numbers below ``kafka_dlt-``. Both append: of two headers
with the same name the last one counts.
"""

from collections.abc import Sequence
from typing import NamedTuple

_NUMBERS = frozenset({"original-partition", "original-offset", "original-timestamp"})


class _Dialect(NamedTuple):
    """How one program names our headers; later rows take precedence. A record without ``source`` is not its letter.

    ``reason`` is the header that shows whether the record was unreadable: its value then ends with ``unread``.
    """

    prefix: str
    source: str
    names: dict[str, str]
    reason: tuple[str, ...]
    unread: str


_DIALECTS = (
    _Dialect(
        "__connect.errors.",
        "topic",
        {
            "topic": "source_topic",
            "partition": "source_partition",
            "offset": "source_offset",
            "exception.class.name": "error_class",
            "exception.message": "error_message",
        },
        ("stage",),
        "_CONVERTER",  # of the key, the value or a header
    ),
    _Dialect(
        "kafka_dlt-",
        "original-topic",
        {
            "original-topic": "source_topic",
            "original-partition": "source_partition",
            "original-offset": "source_offset",
            "original-timestamp": "source_timestamp_ms",
            "original-consumer-group": "consumer_group",
            "key-exception-fqcn": "error_class",
            "exception-fqcn": "error_class",
            "exception-cause-fqcn": "error_class",
            "key-exception-message": "error_message",
            "exception-message": "error_message",
        },
        ("exception-fqcn", "key-exception-fqcn"),
        ".DeserializationException",
    ),
)


def read_foreign(headers: Sequence[tuple[str, bytes | None]]) -> tuple[list[tuple[str, bytes | None]], dict[str, str]]:
    """Split the headers of another program's dead letter: the record's own, and the others under our names.

    Headers without an equivalent of ours keep their names. For other records the second part is empty.
    """
    names = {name for name, value in headers if value is not None}
    dialect = next((each for each in _DIALECTS if each.prefix + each.source in names), None)
    if dialect is None:
        return list(headers), {}
    prefix = dialect.prefix
    theirs = {
        short: _text(short, value)
        for name, value in headers
        if value is not None and (short := name.removeprefix(prefix)) != name
    }
    told = {ours: theirs[short] for short, ours in dialect.names.items() if short in theirs}
    if reasons := [theirs[short] for short in dialect.reason if short in theirs]:
        unread = any(reason.endswith(dialect.unread) for reason in reasons)
        told["error_type"] = "deserialize" if unread else "process"
    told |= {prefix + short: text for short, text in theirs.items() if short not in dialect.names}
    return [header for header in headers if not header[0].startswith(prefix)], told


def _text(name: str, value: bytes) -> str:
    if name in _NUMBERS:
        return str(int.from_bytes(value, "big", signed=True))
    return value.decode("utf-8", "backslashreplace")
