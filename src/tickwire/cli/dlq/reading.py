"""``tickwire dlq inspect | summary | list | show | export``: read-only commands."""

import json
import sys
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TextIO

import typer

from tickwire.cli.common import AsJson, Brokers, check_writable, kafka_settings, printable, show_table
from tickwire.cli.dlq.options import ErrorType, Grep, Key, Since, SourceTopic, Until, selection
from tickwire.cli.dlq.output import coverage, hex_dump, no_topic, readable, scanned, shown, to_json, when
from tickwire.errors import UsageError

if TYPE_CHECKING:  # the command line works without the Kafka library
    from tickwire.kafka.dead_letters.reader import Range, Reading
    from tickwire.kafka.dead_letters.selection import DeadLetter

_LINE_CHARACTERS = 80
_NO_HEADERS = "the headers source_topic and error_type are missing"

Maximum = Annotated[int, typer.Option("--limit", min=1, help="At most this many, the oldest first.")]
Json = Annotated[bool, typer.Option("--json", help="One JSON object a line, with every byte.")]


def inspect(
    maximum: Annotated[int, typer.Option("--max", min=1, help="Show at most this many, the oldest first.")] = 10,
    as_json: Json = False,
    brokers: Brokers = None,
) -> None:
    """Show the oldest dead letters and their reasons. Nothing is moved or marked as read.

    \b
    Examples:
      tickwire dlq inspect --max 5
      tickwire dlq inspect --json | jq .error_type
    """
    config = kafka_settings(brokers)
    from tickwire.kafka.dead_letters.reader import read_oldest  # noqa: PLC0415 - the library may be missing

    reading = read_oldest(config, config.dlq_topic, maximum)
    for number, letter in enumerate(reading.letters, 1):
        print(json.dumps(to_json(letter)) if as_json else f"{readable(letter, f'{number}. ')}\n")
    _say_end(reading, config.dlq_topic, "--max", as_json=as_json)


def list_(
    since: Since = None,
    until: Until = None,
    error_type: ErrorType = None,
    source_topic: SourceTopic = None,
    key: Key = None,
    grep: Grep = None,
    limit: Maximum = 50,
    as_json: Json = False,
    brokers: Brokers = None,
) -> None:
    """List dead letters, one line each, the oldest first.

    \b
    Examples:
      tickwire dlq list --error-type schema --since 2026-01-31T12:00:00Z
      tickwire dlq list --key 'kraken|BTC-USD' --grep NaN --limit 5
    """
    config = kafka_settings(brokers)
    wanted = selection(since, until, error_type, source_topic, key, grep)
    from tickwire.kafka.dead_letters.reader import read_oldest  # noqa: PLC0415 - the library may be missing

    reading = read_oldest(config, config.dlq_topic, limit, wanted)
    if as_json:
        for letter in reading.letters:
            print(json.dumps(to_json(letter)))
    else:
        show_table([_row(letter) for letter in reading.letters])
    _say_end(reading, config.dlq_topic, "--limit", as_json=as_json)


def summary(
    since: Since = None,
    until: Until = None,
    error_type: ErrorType = None,
    source_topic: SourceTopic = None,
    key: Key = None,
    grep: Grep = None,
    limit: Annotated[int | None, typer.Option(min=1, help="Stop after this many.")] = None,
    as_json: AsJson = False,
    brokers: Brokers = None,
) -> None:
    """Count dead letters by error type, source topic and exchange.

    \b
    Examples:
      tickwire dlq summary
      tickwire dlq summary --since 2026-01-31T12:00:00Z --json
    """
    config = kafka_settings(brokers)
    wanted = selection(since, until, error_type, source_topic, key, grep)
    from tickwire.kafka.dead_letters.reader import DeadLetterReader  # noqa: PLC0415 - the library may be missing
    from tickwire.kafka.dead_letters.summary import Summary  # noqa: PLC0415

    counts = Summary()
    with DeadLetterReader(config, config.dlq_topic) as reader:
        for letter in reader.select_all(wanted, limit):
            counts.add(letter)
    ranges, complete = list(reader.ranges.values()), reader.complete
    if as_json:
        groups = [group.as_dict() for group in counts.groups()]
        print(json.dumps({"groups": groups, **coverage(ranges, complete=complete)}, indent=1))
        return
    rows = [group.as_dict() for group in counts.groups()]
    for row in rows:
        row |= {"source_topic": printable(row["source_topic"]), "error_type": printable(row["error_type"])}
        row |= {"first": when(row.pop("first_ms")), "last": when(row.pop("last_ms"))}
    show_table(rows)
    print(_end(counts.total, ranges, config.dlq_topic, complete=complete, option="--limit"))


def show(
    place: Annotated[str, typer.Argument(metavar="P:O", help="Partition and offset, as shown by list.")],
    raw: Annotated[bool, typer.Option("--raw", help="Write the value's bytes and nothing else.")] = False,
    as_hex: Annotated[bool, typer.Option("--hex", help="Show the value as hexadecimal numbers.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Write JSON, with every byte.")] = False,
    brokers: Brokers = None,
) -> None:
    """Show one dead letter completely.

    \b
    Examples:
      tickwire dlq show 0:17
      tickwire dlq show 0:17 --raw > value.bin
    """
    if raw + as_hex + as_json > 1:
        raise UsageError("--raw, --hex and --json exclude each other: choose one.")
    if raw and sys.stdout.isatty():
        raise UsageError("--raw could steer this terminal: write it to a file (> value.bin), or use --hex.")
    partition, _, offset = place.partition(":")
    if not all(part.isascii() and part.isdigit() and len(part) < 19 for part in (partition, offset)):
        raise UsageError(f"{place!r} is no place: expected PARTITION:OFFSET such as 0:17.")
    config = kafka_settings(brokers)
    from tickwire.kafka.dead_letters.reader import read_one  # noqa: PLC0415 - the library may be missing

    letter = read_one(config, config.dlq_topic, int(partition), int(offset))
    if raw:
        sys.stdout.buffer.write(letter.record.value or b"")
        sys.stdout.buffer.flush()
    elif as_json:
        print(json.dumps(to_json(letter), indent=1))
    elif as_hex:
        value = letter.record.value
        print(shown(value) if not value else hex_dump(value))
    else:
        print(readable(letter, "", whole=True))


def export(
    since: Since = None,
    until: Until = None,
    error_type: ErrorType = None,
    source_topic: SourceTopic = None,
    key: Key = None,
    grep: Grep = None,
    limit: Annotated[int | None, typer.Option(min=1, help="Stop after this many.")] = None,
    out: Annotated[Path | None, typer.Option(metavar="FILE", help="Write there instead of standard output.")] = None,
    brokers: Brokers = None,
) -> None:
    """Write dead letters as JSON Lines with every byte, partition by partition, each in order.

    \b
    Examples:
      tickwire dlq export --out dead-letters.jsonl
      tickwire dlq export --error-type schema | jq -r .error_message | sort | uniq -c
    """
    config = kafka_settings(brokers)
    wanted = selection(since, until, error_type, source_topic, key, grep)
    from tickwire.kafka.dead_letters.reader import DeadLetterReader  # noqa: PLC0415 - the library may be missing

    count = 0
    with ExitStack() as stack:
        file: TextIO = sys.stdout
        if out is not None:
            check_writable(out, "--out")
            file = stack.enter_context(out.open("w", encoding="utf-8"))
        reader = stack.enter_context(DeadLetterReader(config, config.dlq_topic))
        for letter in reader.select_all(wanted, limit):
            file.write(json.dumps(to_json(letter)) + "\n")
            count += 1
    end = _end(count, list(reader.ranges.values()), config.dlq_topic, complete=reader.complete, option="--limit")
    print(end, file=sys.stderr)


def _row(letter: "DeadLetter") -> dict[str, object]:
    record, ours = letter.record, letter.ours
    source = ":".join(ours.get(f"source_{name}", "?") for name in ("topic", "partition", "offset")) if ours else "?"
    facts = {
        "place": f"{record.partition}:{record.offset}",
        "time": when(record.timestamp_ms),
        "error": ours.get("error_type", "?"),
        "source": source,
        "key": _short(shown(record.key), 40),
        "replays": ours.get("replay_count", "?"),
        "message": _short(ours.get("error_message", "unknown" if ours else _NO_HEADERS), _LINE_CHARACTERS),
    }
    return {name: printable(text) for name, text in facts.items()}


def _short(text: str, limit: int) -> str:
    return text if len(text) <= limit else f"{text[: limit - 1]}…"


def _say_end(reading: "Reading", topic: str, option: str, *, as_json: bool) -> None:
    end = _end(len(reading.letters), reading.ranges, topic, complete=reading.complete, option=option)
    print(end, file=sys.stderr if as_json else sys.stdout)


def _end(count: int, ranges: "Sequence[Range]", topic: str, *, complete: bool, option: str) -> str:
    """Say whether everything was read, so that "nothing found" differs from "not read to the end"."""
    if not ranges:
        return no_topic(topic)
    places = f"offsets looked at: {scanned(ranges)}"
    if complete:
        return f"{count} dead letters, all that match in {topic} ({places})."
    return f"{count} dead letters; {topic} holds more: raise {option} to see them ({places})."
