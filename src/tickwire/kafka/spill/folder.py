"""A folder's files besides the records: how they are written, the lock, and the list of acknowledged records."""

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

    Raises SpillInUse if a process has it, this one included, and OSError.
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
        # A full disk: the process number is only informative, the lock holds without it.
        os.ftruncate(fd, 0)
    return fd


def sync_folder(folder: Path) -> None:
    """Make created, renamed and deleted names in the folder survive a power loss."""
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def replace(path: Path, content: bytes) -> None:
    """Replace the content of *path*, atomically and durably. Raises OSError."""
    temporary = path.with_name(path.name + TEMPORARY)
    with temporary.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)
    sync_folder(path.parent)


def has_room(folder: Path, size: int) -> bool:
    """Whether the disk, or this user's quota, has *size* bytes left; blocks."""
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
    """Replace the list of records that need not be sent again, atomically and durably. Raises OSError."""
    body = msgspec.msgpack.encode(runs)
    replace(folder / DONE, google_crc32c.value(body).to_bytes(_CHECKSUM_BYTES, "little") + body)


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
    except msgspec.DecodeError:  # a damaged block may have a valid checksum: eight bytes of ones have
        return None
