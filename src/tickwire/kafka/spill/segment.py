"""One file of the log: its format, writing, and finding intact records.

A file is a header, written twice so that no single damage loses it, and frames::

    header = magic 8 | version u16 | first number u64 | mark 4 | CRC32C of these
    frame  = mark 4 | CRC32C u32 of all that follows | length of the body u32 | index in this file u32 | body

Integers are little-endian. The mark is random for each file and begins every frame: after damage the reader finds the
next mark, and bytes inside a value cannot pass for a frame. A frame's number is the header's first number plus its
index, so the numbers of missing records are known.
"""

import os
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import google_crc32c

from tickwire.errors import SpillUnusable

SUFFIX = ".spill"
VERSION = 2
_READ = frozenset({1, VERSION})  # in format 1, a body has the first seven fields of a record
_MAGIC = b"TWSPILL\n"
_HEADER = struct.Struct("<8sHQ4s")
_CHECKSUM = struct.Struct("<I")
_HEADER_COPY = _HEADER.size + _CHECKSUM.size
HEADER_BYTES = 2 * _HEADER_COPY
_MARK_BYTES = 4
_FRAME = struct.Struct("<4sIII")
FRAME_BYTES = _FRAME.size
_CHECKED_FROM = _MARK_BYTES + _CHECKSUM.size  # offset in a frame from which the checksum covers it
_CHUNK = 1 << 18  # bytes read at once


class Frame(NamedTuple):
    """One intact record, still encoded."""

    number: int
    end: int  # file offset behind it
    body: bytes


class Segment:
    """A file that holds the records ``first`` to ``end - 1``; only the process that created it appends to it.

    ``mark`` is empty if the header is damaged: then the file cannot be read. Methods raise OSError.
    """

    __slots__ = ("_fd", "end", "first", "mark", "path", "size")

    def __init__(self, path: Path, first: int, mark: bytes, size: int) -> None:
        self.path, self.first, self.mark, self.size = path, first, mark, size
        self.end = first
        self._fd = -1

    @classmethod
    def create(cls, path: Path, first: int, *, synced: bool = True) -> "Segment":
        """Create the file with its header, fsynced if *synced*; leave no file behind on failure."""
        mark = os.urandom(_MARK_BYTES)
        segment = cls(path, first, mark, HEADER_BYTES)
        fields = _HEADER.pack(_MAGIC, VERSION, first, mark)
        segment._fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
        try:
            _write(segment._fd, 2 * (fields + _CHECKSUM.pack(google_crc32c.value(fields))), 0)
            if synced:
                segment.sync()
        except OSError:
            segment.remove()
            raise
        return segment

    def append(self, body: bytes) -> None:
        """Write one record; on failure nothing of it stays in the file."""
        checked = struct.pack("<II", len(body), self.end - self.first) + body
        frame = self.mark + _CHECKSUM.pack(google_crc32c.value(checked)) + checked
        _write(self._fd, frame, self.size)
        self.size += len(frame)
        self.end += 1

    def sync(self) -> None:
        """Wait until the disk has the whole file."""
        os.fsync(self._fd)

    def carry(self, offset: int, into: "Segment") -> None:
        """Copy the frames from *offset* on to the end of another file."""
        for frame in frames(self._fd, self, offset, self.size):
            into.append(frame.body)

    def cut(self, offset: int, end: int) -> None:
        """Cut the file at *offset*, which takes off the records from *end* on."""
        os.truncate(self.path, offset)
        self.size, self.end = offset, end

    def close(self) -> None:
        """Close the file; closing twice does nothing."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    def remove(self) -> None:
        """Close and delete the file."""
        self.close()
        self.path.unlink(missing_ok=True)


def read_header(path: Path) -> Segment:
    """Describe a file found in the folder. Raises SpillUnusable for one of another version, and OSError."""
    first = int(path.name.removesuffix(SUFFIX))
    with path.open("rb") as file:
        header = file.read(HEADER_BYTES)
        size = os.fstat(file.fileno()).st_size
    for start in (0, _HEADER_COPY):
        fields, checksum = header[start : start + _HEADER.size], header[start + _HEADER.size : start + _HEADER_COPY]
        if checksum != _CHECKSUM.pack(google_crc32c.value(fields)):
            continue
        _, version, stored, mark = _HEADER.unpack(fields)
        if version not in _READ:
            reason = f"{path.name} has format {version}, this version reads up to {VERSION}"
            raise SpillUnusable(str(path.parent), reason, "drain it with the version that wrote it")
        if stored != first:
            reason = f"{path.name} was renamed, it begins with record {stored}"
            raise SpillUnusable(str(path.parent), reason, "give the file its old name back or move it away")
        return Segment(path, first, mark, size)
    return Segment(path, first, b"", size)


def frames(fd: int, segment: Segment, start: int, stop: int) -> Iterator[Frame]:
    """Yield the intact frames between two offsets of a file, in order; skip damaged ones.

    *start* is where a frame begins. Reads about 256 KiB at once, more for a longer record. Raises OSError.
    """
    offset, index = start, 0
    while offset < stop:
        data = os.pread(fd, min(_CHUNK, stop - offset), offset)
        wanted = _length(data, 0, segment.mark)
        if len(data) < wanted <= stop - offset:
            data = os.pread(fd, wanted, offset)
        position = 0
        while (end := position + _length(data, position, segment.mark)) > position and _intact(data, position, end):
            found = _FRAME.unpack_from(data, position)[3]
            if found < index:  # a stale copy of an earlier frame: never go back
                break
            index = found + 1
            yield Frame(segment.first + found, offset + end, data[position + FRAME_BYTES : end])
            position = end
        if position == 0:
            position = _next_mark(fd, segment.mark, offset + 1, stop) - offset
        offset += position


def count_marks(segment: Segment, offset: int) -> int:
    """How many frames begin at or after an offset, intact or not. Raises OSError."""
    if not segment.mark:
        return 0
    with segment.path.open("rb") as file:
        file.seek(offset)
        return file.read().count(segment.mark)


def _length(data: bytes, position: int, mark: bytes) -> int:
    """The length of the frame at *position* by its header, header included; 0 if no frame begins there."""
    if not mark or len(data) < position + FRAME_BYTES:
        return 0
    found, _, length, _ = _FRAME.unpack_from(data, position)
    return FRAME_BYTES + length if found == mark else 0


def _intact(data: bytes, position: int, end: int) -> bool:
    checksum = _FRAME.unpack_from(data, position)[1]
    return end <= len(data) and bool(google_crc32c.value(data[position + _CHECKED_FROM : end]) == checksum)


def _next_mark(fd: int, mark: bytes, offset: int, stop: int) -> int:
    """Find the next offset at which a frame may begin, or *stop*."""
    while mark and offset < stop:
        data = os.pread(fd, min(_CHUNK, stop - offset), offset)
        at = data.find(mark)
        if at >= 0:
            return offset + at
        if len(data) < _CHUNK:
            break
        offset += len(data) - len(mark) + 1  # a mark may lie across two chunks
    return stop


def _write(fd: int, data: bytes, offset: int) -> None:
    """Write all at the offset, or nothing: a part that a full disk took is cut off again."""
    done = 0
    try:
        while done < len(data):
            done += os.pwrite(fd, data[done:], offset + done)
    except OSError:
        os.ftruncate(fd, offset)
        raise
