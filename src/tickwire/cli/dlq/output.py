"""Dead letters as readable text, and as JSON for tools."""

import base64
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from tickwire.cli.common import printable, utc

if TYPE_CHECKING:  # the command line works without the Kafka library
    from tickwire.kafka.dead_letters.reader import Range
    from tickwire.kafka.dead_letters.selection import DeadLetter
    from tickwire.kafka.received import ReceivedRecord

_SHOWN_BYTES = 400
_HEX_BYTES = 64


def to_json(letter: "DeadLetter") -> dict[str, Any]:
    """A dead letter as JSON: our headers by name, the record's own as pairs, bytes as base64 and perhaps as text."""
    record = letter.record
    return {
        "partition": record.partition,
        "offset": record.offset,
        "timestamp_ms": record.timestamp_ms,
        **_fields(letter),
        **_bytes("key", record.key),
        "headers": [{"name": name, **_bytes("value", value)} for name, value in letter.original],
        **_bytes("value", record.value),
        "value": _value_text(record),
    }


def _fields(letter: "DeadLetter") -> dict[str, str | None]:
    """Our headers; null for those that another program did not write."""
    from tickwire.kafka.dead_letters.headers import HEADERS  # noqa: PLC0415 - the library may be missing

    return dict.fromkeys(HEADERS) | letter.ours if letter.ours else {}


def _bytes(name: str, data: bytes | None) -> dict[str, str | None]:
    return {name: _text(data), f"{name}_base64": None if data is None else base64.b64encode(data).decode()}


def _value_text(record: "ReceivedRecord") -> str | None:
    """A value as text: as stored, or decoded to JSON."""
    text = _text(record.value)
    if text is None or text.startswith("\0"):  # Avro and Protobuf may happen to be valid text
        return (record.json_text() or b"").decode() or text
    return text


def _text(data: bytes | None) -> str | None:
    try:
        return None if data is None else data.decode()
    except UnicodeDecodeError:
        return None


def readable(letter: "DeadLetter", title: str, *, whole: bool = False) -> str:
    """A dead letter in several lines; *whole*: without shortening."""
    record, ours = letter.record, letter.ours
    lines = [("", f"{title}{record.topic} partition {record.partition} offset {record.offset}")]
    if ours:
        told = defaultdict(lambda: "unknown", ours)
        source = f"{told['source_topic']} partition {told['source_partition']} offset {told['source_offset']}"
        lines += [
            ("source", f"{source}, read by {told['consumer_group']}"),
            ("failed", f"{told['failed_at']}, attempts {told['attempts']}, replays {told['replay_count']}"),
            ("error", f"{told['error_type']} ({told['error_class']}): {_cause(told)}"),
        ]
        if (left_out := ours.get("left_out", "nothing")) != "nothing":
            lines.append(("left out", f"{left_out} (too large for this topic; see the source)"))
    else:
        lines.append(("error", "unknown: the headers source_topic and error_type are missing"))
    lines.append(("key", shown(record.key, whole=whole)))
    lines += [("header", f"{name} = {shown(value, whole=whole)}") for name, value in letter.original]
    lines += [("header", f"{name} = {shown(text.encode(), whole=whole)}") for name, text in letter.others.items()]
    text = _value_text(record)
    lines.append(("value", shown(record.value if text is None else text.encode(), whole=whole)))
    return "\n".join(f"   {name:<9} {printable(text)}" if name else printable(text) for name, text in lines)


def _cause(told: Mapping[str, str]) -> str:
    """The error message without the error's name in front, which is shown separately."""
    return told["error_message"].removeprefix(f"{told['error_class'].rpartition('.')[2]}: ")


def shown(data: bytes | None, *, whole: bool = False) -> str:
    """Bytes as text if possible, else hexadecimal; long ones are cut, with their length."""
    if data is None:
        return "null"
    text = _text(data)
    if text is None:
        more = f"… ({len(data)} bytes)" if len(data) > _HEX_BYTES and not whole else ""
        return f"0x{(data if whole else data[:_HEX_BYTES]).hex()}{more}"
    if not text:
        return "empty"
    return text if whole or len(data) <= _SHOWN_BYTES else f"{text[:_SHOWN_BYTES]}… ({len(data)} bytes)"


def hex_dump(data: bytes) -> str:
    """A hex dump with sixteen bytes a line: offset, hexadecimal, ASCII."""
    lines = []
    for start in range(0, len(data), 16):
        row = data[start : start + 16]
        text = "".join(chr(byte) if 32 <= byte < 127 else "." for byte in row)
        lines.append(f"{start:08x}  {row.hex(' '):<47}  {text}")
    return "\n".join(lines)


def when(time_ms: int | None) -> str:
    """A time as text, in UTC."""
    return "-" if time_ms is None else utc(time_ms)


def scanned(ranges: "Sequence[Range]") -> str:
    """The offsets that were read, e.g. ``0: 12 to 99, 1: none``."""
    parts = (f"{p.partition}: {f'{p.start} to {p.reached - 1}' if p.reached > p.start else 'none'}" for p in ranges)
    return ", ".join(parts)


def no_topic(topic: str) -> str:
    """Say that the topic does not exist, and how it is created."""
    return (
        f"0 dead letters: the topic {printable(topic)} (KAFKA_DLQ_TOPIC) is not in Kafka yet; "
        "a consumer with KAFKA_DLQ_ENABLED=true creates it."
    )


def scanned_facts(ranges: "Sequence[Range]") -> list[dict[str, int]]:
    """The same as JSON: ``from`` is the first offset, ``to`` the one after the last, ``end`` the topic's end."""
    return [{"partition": p.partition, "from": p.start, "to": p.reached, "end": p.end} for p in ranges]


def coverage(ranges: "Sequence[Range]", *, complete: bool) -> dict[str, Any]:
    """The same; unless it is *complete*, the limit stopped the reading."""
    return {"complete": complete, "stopped": None if complete else "limit", "scanned": scanned_facts(ranges)}
