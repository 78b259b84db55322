"""Records and folders for the tests of the spill."""

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tickwire.kafka.spill import SpillLog
from tickwire.records.codec import Record

MEMORY = Path("/dev/shm")


class Clock:
    """A monotonic clock that stands still until told otherwise."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def record(name: int, value: bytes = b"") -> Record:
    headers = [("content-type", b"application/json"), ("schema", b"orderbook/1")]
    key = b"binance|BTC-USDT"
    return Record(
        "events.v1.orderbook", key, b"%d:" % name + value, headers, 1_764_000_000_000 + name, "orderbook", "x"
    )


def open_log(folder: Path, *, max_bytes: int = 1 << 20, clock: Clock | None = None) -> SpillLog:
    return SpillLog.open(folder, max_bytes=max_bytes, fsync_ms=500, monotonic=clock or Clock())


def read_all(log: SpillLog) -> dict[int, Record]:
    """Read to the end; the numbers only ever go up."""
    found: list[tuple[int, Record]] = []
    while batch := log.read(7):
        found += batch
    numbers = [number for number, _ in found]
    assert numbers == sorted(set(numbers))
    return dict(found)


def segment_files(folder: Path) -> list[Path]:
    return sorted(folder.glob("*.spill"))


def bytes_on_disk(folder: Path) -> int:
    """The size of all segments of all folders of records in *folder*."""
    return sum(path.stat().st_size for path in folder.rglob("*.spill"))


@contextmanager
def fast_folder() -> Iterator[Path]:
    """A folder in memory: properties are tried thousands of times, and each time waits for the disk."""
    folder = Path(tempfile.mkdtemp(prefix="spill-", dir=MEMORY if MEMORY.is_dir() else None))
    try:
        yield folder
    finally:
        shutil.rmtree(folder)
