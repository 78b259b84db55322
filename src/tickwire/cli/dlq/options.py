"""Options that several ``dlq`` commands have."""

from typing import TYPE_CHECKING, Annotated

import typer

from tickwire.errors import UsageError
from tickwire.kafka.times import parse_time

if TYPE_CHECKING:  # the command line works without the Kafka library
    from tickwire.kafka.dead_letters.selection import Selection

Since = Annotated[str | None, typer.Option(metavar="TIME", help="From this time: ISO 8601 (UTC), or Unix ms.")]
Until = Annotated[str | None, typer.Option(metavar="TIME", help="Before this time.")]
ErrorType = Annotated[str | None, typer.Option(metavar="TYPE", help="Only this error_type, e.g. schema.")]
SourceTopic = Annotated[str | None, typer.Option(metavar="TOPIC", help="Only from this topic.")]
Key = Annotated[str | None, typer.Option(metavar="TEXT", help="Only with this key, e.g. 'kraken|BTC-USD'.")]
Grep = Annotated[str | None, typer.Option(metavar="TEXT", help="Only with this text in the value or error message.")]


def selection(
    since: str | None,
    until: str | None,
    error_type: str | None,
    source_topic: str | None,
    key: str | None,
    grep: str | None,
) -> "Selection":
    """Make a selection of the options. Raises :exc:`~tickwire.errors.UsageError`."""
    from tickwire.kafka.dead_letters.selection import Selection  # noqa: PLC0415 - the library may be missing

    if error_type == "":
        raise UsageError("--error-type is empty: expected one that `tickwire dlq summary` shows, such as schema.")
    return Selection(
        None if since is None else parse_time("--since", since),
        None if until is None else parse_time("--until", until),
        error_type,
        source_topic,
        key,
        grep,
    )
