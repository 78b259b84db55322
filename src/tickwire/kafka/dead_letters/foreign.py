"""The headers with which other programs say why a record is a dead letter, read as if they were ours.

Kafka Connect (KIP-298; with ``errors.deadletterqueue.context.headers.enable``) writes text below ``__connect.errors.``,
Spring (``DeadLetterPublishingRecoverer``) text and big-endian numbers below ``kafka_dlt-``. Both append: of a name that
is there twice the last one counts.
"""

from collections.abc import Sequence
from typing import NamedTuple

_NUMBERS = frozenset({"original-partition", "original-offset", "original-timestamp"})


class _Dialect(NamedTuple):
    """How one program names what we have a name for; a later row counts more. Without ``source`` it is not its letter.

    ``reason`` names what tells whether the record could not be read, and ``unread`` how that ends then.
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
    """Take the headers of another program's dead letter apart: the record's own, and what is told by our names.

    What has no name of ours is told by its own. Nothing is told by a record that is no such dead letter.
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
