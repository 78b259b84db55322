"""Look at dead letters: records that could not be processed."""

import base64
import json
import sys
from typing import Annotated, Any

import typer

from tickwire.cli.common import printable, require_kafka
from tickwire.config.kafka_config import KafkaConfig
from tickwire.config.loading import load_kafka
from tickwire.errors import UsageError
from tickwire.kafka.received import ReceivedRecord

_SHOWN_BYTES = 400
_HEX_BYTES = 64

app = typer.Typer(help="Look at dead letters: records that could not be processed.", no_args_is_help=True)


@app.callback()
def root() -> None:
    """Look at dead letters: records that could not be processed."""


@app.command()
def inspect(
    maximum: Annotated[int, typer.Option("--max", min=1, help="Show at most this many, the oldest first.")] = 10,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object a line, with every byte.")] = False,
    brokers: Annotated[str | None, typer.Option(help="KAFKA_BROKERS: host:port, comma-separated.")] = None,
) -> None:
    r"""Show the oldest dead letters and why they are there. Nothing is moved or marked as read.

    \b
    Examples:
      KAFKA_ENABLED=true KAFKA_DLQ_ENABLED=true tickwire dlq inspect --max 5
      KAFKA_ENABLED=true KAFKA_DLQ_ENABLED=true tickwire dlq inspect --json | jq .error_type
    """
    config = load_kafka({"brokers": brokers})
    require_kafka(config)
    require_dlq(config)
    from tickwire.kafka.dead_letter_reader import read_oldest  # noqa: PLC0415 - the library may be missing

    reading = read_oldest(config, config.dlq_topic, maximum)
    for number, record in enumerate(reading.records, 1):
        print(json.dumps(to_json(record)) if as_json else _readable(number, record))
    count = len(reading.records)
    if count == 0:
        end = f"{config.dlq_topic} is empty."
    elif reading.complete:
        end = f"{count} dead letters, all that {config.dlq_topic} holds."
    else:
        end = f"The oldest {count} dead letters; {config.dlq_topic} holds more: raise --max to see them."
    print(end, file=sys.stderr if as_json else sys.stdout)


def require_dlq(config: KafkaConfig) -> None:
    """Refuse to go on while dead letters are off. Raises :exc:`~tickwire.errors.UsageError`."""
    if not config.dlq_enabled:
        raise UsageError(
            "Dead letters are switched off (KAFKA_DLQ_ENABLED is not true): set KAFKA_DLQ_ENABLED=true to look at them."
        )


def to_json(record: ReceivedRecord) -> dict[str, Any]:
    """A dead letter for tools: our headers by name, the record's own as pairs, bytes as base64, text where it is."""
    from tickwire.kafka.dead_letters import split_headers  # noqa: PLC0415 - the library may be missing

    original, ours = split_headers(record.headers)
    return {
        "partition": record.partition,
        "offset": record.offset,
        "timestamp_ms": record.timestamp_ms,
        **ours,
        **_bytes("key", record.key),
        "headers": [{"name": name, **_bytes("value", value)} for name, value in original],
        **_bytes("value", record.value),
    }


def _bytes(name: str, data: bytes | None) -> dict[str, str | None]:
    return {name: _text(data), f"{name}_base64": None if data is None else base64.b64encode(data).decode()}


def _text(data: bytes | None) -> str | None:
    try:
        return None if data is None else data.decode()
    except UnicodeDecodeError:
        return None


def _readable(number: int, record: ReceivedRecord) -> str:
    from tickwire.kafka.dead_letters import split_headers  # noqa: PLC0415 - the library may be missing

    original, ours = split_headers(record.headers)
    lines = [("", f"{number}. {record.topic} partition {record.partition} offset {record.offset}")]
    if ours:
        source = f"{ours['source_topic']} partition {ours['source_partition']} offset {ours['source_offset']}"
        lines += [
            ("source", f"{source}, read by {ours['consumer_group']}"),
            ("failed", f"{ours['failed_at']}, attempts {ours['attempts']}, replays {ours['replay_count']}"),
            ("error", f"{ours['error_type']} ({ours['error_class']}): {ours['error_message']}"),
        ]
        if ours["left_out"] != "nothing":
            lines.append(("left out", f"{ours['left_out']} (too large for this topic; see the source)"))
    else:
        lines.append(("error", "unknown: the headers of a dead letter are missing"))
    lines.append(("key", shown(record.key)))
    lines += [("header", f"{name} = {shown(value)}") for name, value in original]
    lines.append(("value", shown(record.value)))
    return "\n".join(f"   {name:<9} {printable(text)}" if name else printable(text) for name, text in lines) + "\n"


def shown(data: bytes | None) -> str:
    """Bytes for a person: text where it is text, else hexadecimal; long ones are cut and their length is told."""
    if data is None:
        return "null"
    text = _text(data)
    if text is None:
        more = f"… ({len(data)} bytes)" if len(data) > _HEX_BYTES else ""
        return f"0x{data[:_HEX_BYTES].hex()}{more}"
    if not text:
        return "empty"
    return text if len(data) <= _SHOWN_BYTES else f"{text[:_SHOWN_BYTES]}… ({len(data)} bytes)"
