"""Reads which records wait in a folder, without changing it, while a process may be using it."""

import collections
import os
from pathlib import Path

import msgspec
from msgspec import Struct

from tickwire.kafka.spill.folder import load_done
from tickwire.kafka.spill.log import decode
from tickwire.kafka.spill.numbers import NumberSet
from tickwire.kafka.spill.segment import HEADER_BYTES, SUFFIX, frames, read_header


class Contents(Struct):
    """The readable unacknowledged records of a folder; *times* are their Kafka timestamps in milliseconds."""

    bytes: int = 0
    topics: collections.Counter[str] = msgspec.field(default_factory=collections.Counter)
    oldest_ms: int | None = None
    newest_ms: int | None = None

    @property
    def records(self) -> int:
        """How many there are."""
        return self.topics.total()


def look(folder: Path) -> Contents:
    """Read a folder. Raises SpillUnusable and OSError."""
    contents = Contents()
    done = load_done(folder) or NumberSet()
    for path in sorted(folder.glob(f"*{SUFFIX}")):
        try:
            _look_at(path, done, contents)
        except FileNotFoundError:  # all its records were acknowledged meanwhile
            continue
    return contents


def _look_at(path: Path, done: NumberSet, contents: Contents) -> None:
    segment = read_header(path)
    contents.bytes += segment.size
    fd = os.open(path, os.O_RDONLY)
    try:
        for frame in frames(fd, segment, HEADER_BYTES, segment.size):
            if frame.number in done:
                continue
            try:
                record = decode(frame.body)
            except msgspec.DecodeError:
                continue
            contents.topics[record.topic] += 1
            time = record.timestamp_ms
            contents.oldest_ms = time if contents.oldest_ms is None else min(time, contents.oldest_ms)
            contents.newest_ms = time if contents.newest_ms is None else max(time, contents.newest_ms)
    finally:
        os.close(fd)
