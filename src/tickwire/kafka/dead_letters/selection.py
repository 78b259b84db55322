"""Selects dead letters by time, error, source, key and text."""

from dataclasses import dataclass
from typing import Self

from tickwire.kafka.dead_letters.headers import HEADERS, HeaderList, read_headers
from tickwire.kafka.received import ReceivedRecord


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """A record of the dead-letter topic with its headers split.

    ``ours`` has all of :data:`~tickwire.kafka.dead_letters.headers.HEADERS`. If another program wrote it, ``ours`` has
    some of them, at least ``source_topic``, and that program's other headers. It is empty for a record that is no dead
    letter.
    """

    record: ReceivedRecord
    original: HeaderList
    ours: dict[str, str]

    @classmethod
    def of(cls, record: ReceivedRecord) -> Self:
        """Take one record apart."""
        return cls(record, *read_headers(record.headers))

    @property
    def id(self) -> str:
        """Its id: topic, partition and offset of the failed record, or else of itself."""
        record = self.record
        return self.ours.get("dlq_id") or f"{record.topic}-{record.partition}-{record.offset}"

    @property
    def others(self) -> dict[str, str]:
        """Headers of another program that have no equivalent of ours."""
        return {name: text for name, text in self.ours.items() if name not in HEADERS}


@dataclass(frozen=True, slots=True)
class Selection:
    """Conditions that must all hold; None is no condition. Times are Unix milliseconds of the dead letters."""

    since_ms: int | None = None  # at or after
    until_ms: int | None = None  # before
    error_type: str | None = None
    source_topic: str | None = None
    key: str | None = None  # the whole key
    grep: str | None = None  # in the value or in the error message

    def matches(self, letter: DeadLetter) -> bool:
        """Tell whether all conditions hold."""
        record, ours = letter.record, letter.ours
        time_ms = record.timestamp_ms or 0
        return (
            (self.since_ms is None or time_ms >= self.since_ms)
            and (self.until_ms is None or time_ms < self.until_ms)
            and self.error_type in {None, ours.get("error_type")}
            and self.source_topic in {None, ours.get("source_topic")}
            and (self.key is None or record.key == self.key.encode("utf-8", "surrogateescape"))
            and (self.grep is None or self._found(self.grep, letter))
        )

    @staticmethod
    def _found(text: str, letter: DeadLetter) -> bool:
        value = letter.record.value or b""
        return text.encode("utf-8", "surrogateescape") in value or text in letter.ours.get("error_message", "")
