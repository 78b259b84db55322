"""What a folder holds besides records: the lock, and the file that says what is done with."""

import fcntl
import os
from pathlib import Path

import google_crc32c
import msgspec

from tickwire.errors import SpillInUse
from tickwire.kafka.spill.numbers import NumberSet, Runs

LOCK = "lock"
DONE = "acknowledged"
_CHECKSUM_BYTES = 4
TEMPORARY = ".tmp"


def lock(folder: Path) -> int:
    """Take the folder for this process and return the open lock file; closing it, or dying, gives it back.

    Raises SpillInUse when somebody has it, this process included, and OSError.
    """
    fd = os.open(folder / LOCK, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        owner = os.pread(fd, 20, 0).decode("ascii", "replace").strip() or "unknown"
        os.close(fd)
        raise SpillInUse(str(folder), owner) from None
    os.ftruncate(fd, 0)
    try:
        os.pwrite(fd, f"{os.getpid()}\n".encode(), 0)
    except OSError:
        # A full disk: the number is only there for people, the lock holds without it.
        os.ftruncate(fd, 0)
    return fd


def sync_folder(folder: Path) -> None:
    """Make created, renamed and deleted names in the folder survive a power loss."""
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def has_room(folder: Path, size: int) -> bool:
    """Whether the disk, or what this user may take of it, has so many bytes left; blocks."""
    path = folder / ("room" + TEMPORARY)
    try:
        with path.open("wb") as file:
            os.posix_fallocate(file.fileno(), 0, size)
    except OSError:
        return False
    finally:
        path.unlink(missing_ok=True)
    return True


def save_done(folder: Path, runs: Runs) -> None:
    """Replace the file that says which records need not be sent again, at once and for good. Raises OSError."""
    body = msgspec.msgpack.encode(runs)
    temporary = folder / (DONE + TEMPORARY)
    with temporary.open("wb") as file:
        file.write(google_crc32c.value(body).to_bytes(_CHECKSUM_BYTES, "little") + body)
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(folder / DONE)
    sync_folder(folder)


def load_done(folder: Path) -> NumberSet | None:
    """Read what :func:`save_done` wrote; None when the file is damaged. Raises OSError."""
    try:
        data = (folder / DONE).read_bytes()
    except FileNotFoundError:
        return NumberSet()
    checksum, body = data[:_CHECKSUM_BYTES], data[_CHECKSUM_BYTES:]
    if checksum != google_crc32c.value(body).to_bytes(_CHECKSUM_BYTES, "little"):
        return None
    try:
        return NumberSet(msgspec.msgpack.decode(body, type=list[tuple[int, int]]))
    except msgspec.DecodeError:  # what a disk makes of a block may have its checksum: four ones and four more have
        return None
