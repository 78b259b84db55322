"""Dead letters counted by error type, source topic and exchange."""

import re
from dataclasses import asdict, dataclass
from typing import Any

from tickwire.kafka.dead_letters.selection import DeadLetter

_EXCHANGE = re.compile(rb"([a-z0-9_-]{1,32})\|")  # the first part of our keys
_MOST_GROUPS = 1000  # more can only come from forged headers and keys
UNKNOWN, OTHERS = "?", "(others)"


@dataclass(slots=True)
class Group:
    """The number of dead letters and their first and last time (Unix milliseconds)."""

    error_type: str
    source_topic: str
    exchange: str
    records: int = 0
    first_ms: int | None = None
    last_ms: int | None = None

    def as_dict(self) -> dict[str, Any]:
        """All fields by name."""
        return asdict(self)


class Summary:
    """Counts dead letters by group."""

    def __init__(self) -> None:
        self.total = 0
        self._groups: dict[tuple[str, str, str], Group] = {}

    def add(self, letter: DeadLetter) -> None:
        """Count one."""
        self.total += 1
        match = _EXCHANGE.match(letter.record.key or b"")
        exchange = match[1].decode() if match else UNKNOWN
        names = (letter.ours.get("error_type", UNKNOWN), letter.ours.get("source_topic", UNKNOWN), exchange)
        if names not in self._groups and len(self._groups) >= _MOST_GROUPS:
            names = (OTHERS, OTHERS, OTHERS)
        group = self._groups.setdefault(names, Group(*names))
        group.records += 1
        time_ms = letter.record.timestamp_ms
        if time_ms is not None:
            group.first_ms = time_ms if group.first_ms is None else min(group.first_ms, time_ms)
            group.last_ms = time_ms if group.last_ms is None else max(group.last_ms, time_ms)

    def groups(self) -> list[Group]:
        """All groups, the largest first."""
        return sorted(self._groups.values(), key=lambda g: (-g.records, g.error_type, g.source_topic, g.exchange))
