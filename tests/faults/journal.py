"""Journals: what a process did, one JSON array a line, written where it outlives that process.

The kernel has each line before ``write`` returns, so it outlives SIGKILL of the writer; ``sync`` makes it outlive the
machine. Several processes may write to one file: whole lines are appended, and their order is the order of the writes.
"""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec

Entry = list[Any]  # its kind, then its fields

_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(list[Any]).decode


class Journal:
    """Appends entries to a file."""

    def __init__(self, path: str | Path) -> None:
        self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)

    def write(self, *entry: object) -> None:
        """Append one entry."""
        os.write(self._file, _encode(entry) + b"\n")

    def sync(self) -> None:
        """Wait for the disk."""
        os.fsync(self._file)


class Tail:
    """Reads a journal that grows."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.entries: list[Entry] = []
        self._read = 0

    def update(self) -> list[Entry]:
        """Read what is new, and return all entries so far."""
        if self.path.exists():
            with self.path.open("rb") as file:
                file.seek(self._read)
                data = file.read()
            whole = data[: data.rfind(b"\n") + 1]
            self._read += len(whole)
            self.entries += (_decode(line) for line in whole.splitlines())
        return self.entries

    def of(self, *kinds: str) -> Iterator[Entry]:
        """Entries of some kinds, without their kind if it is one alone."""
        for entry in self.update():
            if entry[0] in kinds:
                yield entry[1:] if len(kinds) == 1 else entry
