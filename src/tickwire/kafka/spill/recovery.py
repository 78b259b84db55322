"""Opens a folder in whatever state an earlier process left it."""

import os
import re
from itertools import pairwise
from pathlib import Path

from msgspec import Struct

from tickwire.kafka.spill.folder import TEMPORARY, load_done, sync_folder
from tickwire.kafka.spill.numbers import NumberSet
from tickwire.kafka.spill.segment import FRAME_BYTES, HEADER_BYTES, SUFFIX, Segment, count_marks, frames, read_header

_NAME = re.compile(r"\d{20}" + re.escape(SUFFIX))
# The first number of a new log, far from zero because records may also be prepended.
_ORIGIN = 10**15


class Recovery(Struct, frozen=True, kw_only=True):
    """What opening a folder found.

    Losses are counted exactly by the numbers of records, except at the end of the newest file, where a record that a
    crash cut off and a damaged one look alike: there they are given in bytes. A file cut exactly between two records
    leaves no trace.
    """

    records: int  # that wait to be sent
    torn_bytes: int  # that were cut off the end of the newest file
    torn_records: int  # that began there
    lost_records: int  # damaged and not acknowledged
    damaged_bytes: int  # before that end, of damaged records
    done_damaged: bool  # the list of acknowledgements is lost: records are sent a second time
    sentences: tuple[str, ...]  # the same in words, for the log; empty if all is well


class Found(Struct):
    """A folder's contents, ready to be used."""

    segments: list[Segment]  # lowest numbers first, none of them growing
    done: NumberSet  # acknowledged or lost
    next: int  # number of the next record
    recovery: Recovery


class _Damage(Struct):
    torn_bytes: int = 0
    torn_records: int = 0
    lost_records: int = 0
    damaged_bytes: int = 0


def path_of(folder: Path, first: int) -> Path:
    """Name the file that begins with this record; names sort like the numbers."""
    return folder / f"{first:020d}{SUFFIX}"


def recover(folder: Path) -> Found:
    """Read all files once and cut off a torn end. Raises SpillUnusable and OSError."""
    for leftover in folder.glob("*" + TEMPORARY):
        leftover.unlink()
    stored = load_done(folder)
    done = NumberSet() if stored is None else stored
    names = sorted(path.name for path in folder.iterdir() if _NAME.fullmatch(path.name))
    segments = [read_header(folder / name) for name in names]
    damage = _Damage()
    # Files are removed only at the front, so each one ends where the next begins.
    for segment, later in pairwise(segments):
        segment.end = later.first
    for segment in segments[:-1]:
        end, damaged = _check(segment, done, damage, stop=segment.end)
        damage.damaged_bytes += damaged + max(0, segment.size - end)
    following = _check_newest(segments, done, damage) if segments else done.end or _ORIGIN
    if done.end is not None and done.end > following:
        # Acknowledged records are missing at the end. A number must never be used twice.
        damage.lost_records += done.add(following, done.end)
        following = done.end
        if segments:
            segments[-1].end = following
    first = segments[0].first if segments else following
    done.discard_below(first)
    waiting = following - first - done.count(first, following)
    return Found(segments, done, following, _report(waiting, damage, stored is None))


def _check(segment: Segment, done: NumberSet, damage: _Damage, stop: int | None = None) -> tuple[int, int]:
    """Read a whole file and count lost records; records from *stop* on, which the next file has, are cut off.

    Returns the offset behind its last intact record, and how many bytes before it are damaged.
    """
    expected, end, intact = segment.first, HEADER_BYTES, HEADER_BYTES
    fd = os.open(segment.path, os.O_RDONLY)
    try:
        for frame in frames(fd, segment, HEADER_BYTES, segment.size):
            if stop is not None and frame.number >= stop:  # a crash between copying and cutting
                segment.cut(frame.end - FRAME_BYTES - len(frame.body), stop)
                break
            damage.lost_records += done.add(expected, frame.number)
            expected, end = frame.number + 1, frame.end
            intact += FRAME_BYTES + len(frame.body)
    finally:
        os.close(fd)
    damage.lost_records += done.add(expected, segment.end)
    segment.end = max(segment.end, expected)
    return end, end - intact


def _check_newest(segments: list[Segment], done: NumberSet, damage: _Damage) -> int:
    """Do the same for the newest file, cut off its torn end, and return the number behind it."""
    newest = segments[-1]
    end, damaged = _check(newest, done, damage)
    torn = newest.size - end if newest.size >= end else newest.size  # the file may be shorter than its header
    damage.damaged_bytes += damaged
    damage.torn_bytes += torn
    if torn:
        damage.torn_records += count_marks(newest, end)
    if newest.end == newest.first:
        # No record: a crash during creation, or all damaged. Its name is needed for the next record.
        segments.pop().remove()
        sync_folder(newest.path.parent)
    elif torn:
        newest.size = end
        with newest.path.open("r+b") as file:
            file.truncate(end)
            os.fsync(file.fileno())
    return newest.end


def _report(records: int, damage: _Damage, done_damaged: bool) -> Recovery:
    sentences = []
    if damage.torn_bytes:
        sentences.append(
            f"{damage.torn_bytes} bytes at the end of the spill were cut off: unfinished when the last process ended, "
            "or damaged since."
        )
    if damage.lost_records:
        sentences.append(f"{damage.lost_records} spilled records are lost: their bytes on disk are damaged or missing.")
    if done_damaged:
        sentences.append("The list of acknowledged records is damaged: records may be sent a second time.")
    return Recovery(
        records=records,
        torn_bytes=damage.torn_bytes,
        torn_records=damage.torn_records,
        lost_records=damage.lost_records,
        damaged_bytes=damage.damaged_bytes,
        done_damaged=done_damaged,
        sentences=tuple(sentences),
    )
