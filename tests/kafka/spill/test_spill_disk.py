"""Real file systems in the way: full, read-only, forbidden, not a folder."""

import os
import subprocess
from pathlib import Path

import pytest

from kafka.spill.spill_support import Clock, open_log, read_all, record, segment_files
from tickwire.errors import SpillFull, SpillUnusable
from tickwire.kafka.spill import SpillLog


def fill_disk(log: SpillLog) -> list[int]:
    numbers: list[int] = []
    with pytest.raises(SpillFull) as caught:  # noqa: PT012 - until it is full
        while True:
            numbers.append(log.append(record(len(numbers), bytes(300))))
    assert caught.value.reason == "disk"
    return numbers


@pytest.mark.parametrize("max_bytes", [64 << 20, 2 << 20], ids=["within a file", "between files"])
def test_a_full_disk_refuses_keeps_everything_and_goes_on_when_there_is_room(small_disk: Path, max_bytes: int) -> None:
    clock = Clock()
    log = open_log(small_disk / "spill", max_bytes=max_bytes, clock=clock)
    numbers = fill_disk(log)
    assert log.bytes == sum(f.stat().st_size for f in segment_files(small_disk / "spill"))
    assert log.bytes > 900_000
    assert list(read_all(log)) == numbers
    for number in numbers[:10]:
        log.acknowledge(number)
    clock.now += 1
    log.sync()  # the list of acknowledged numbers may not fit; that is no reason to stop
    log.close()

    log = open_log(small_disk / "spill", max_bytes=max_bytes, clock=clock)
    assert log.recovered.sentences == ()
    found = list(read_all(log))
    assert numbers[10:] == found[-len(numbers) + 10 :]
    for number in numbers:
        log.acknowledge(number)
    clock.now += 1
    log.sync()
    assert log.bytes == 0
    new = log.append(record(1))
    assert list(read_all(log)) == [new]
    log.close()


def test_the_bytes_that_still_fit_are_used_by_a_smaller_record(small_disk: Path) -> None:
    """The part of a record that a full disk took is cut off again, and nothing of it is ever read."""
    log = open_log(small_disk / "spill", max_bytes=64 << 20)
    large = 0
    with pytest.raises(SpillFull):  # noqa: PT012 - until it is full
        while True:
            log.append(record(large, os.urandom(150_000)))
            large += 1
    small = log.append(record(99))
    assert len(read_all(log)) == large + 1
    log.close()
    log = open_log(small_disk / "spill", max_bytes=64 << 20)
    assert log.recovered.sentences == ()
    assert read_all(log)[small] == record(99)
    log.close()


def test_a_prepend_on_a_full_disk_leaves_the_log_as_it_was(small_disk: Path) -> None:
    log = open_log(small_disk / "spill", max_bytes=2 << 20)
    numbers = fill_disk(log)
    files = segment_files(small_disk / "spill")
    with pytest.raises(SpillFull):
        log.prepend([record(n, bytes(300)) for n in range(50)])
    assert segment_files(small_disk / "spill") == files
    assert list(read_all(log)) == numbers
    log.close()


def test_a_read_only_file_system_is_refused_in_one_sentence(small_disk: Path) -> None:
    open_log(small_disk / "spill").close()
    subprocess.run(["mount", "-o", "remount,ro", str(small_disk)], check=True)
    for folder in (small_disk / "spill", small_disk / "new"):
        with pytest.raises(SpillUnusable) as caught:
            open_log(folder)
        assert "read-only" in str(caught.value)
        assert str(folder) in str(caught.value)


def test_a_file_in_the_place_of_the_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("not yours")
    for folder in (tmp_path / "file", tmp_path / "file" / "below"):
        with pytest.raises(SpillUnusable) as caught:
            open_log(folder)
        assert caught.value.exit_code == 2
    assert (tmp_path / "file").read_text() == "not yours"


def test_a_folder_of_another_user_is_refused(tmp_path: Path) -> None:
    folder = tmp_path / "spill"
    folder.mkdir()
    folder.chmod(0o500)
    root = os.geteuid() == 0
    if root:
        os.seteuid(65534)  # root may write everywhere
    try:
        with pytest.raises(SpillUnusable) as caught:
            open_log(folder)
    finally:
        if root:
            os.seteuid(0)
    assert "permission denied" in str(caught.value)


def test_foreign_files_in_the_folder_are_left_alone(tmp_path: Path) -> None:
    names = ["notes.txt", "1.spill", "x" * 20 + ".spill"]
    for name in names:
        (tmp_path / name).write_text("not yours")
    log = open_log(tmp_path)
    log.acknowledge(log.append(record(1)))
    log.close()
    assert [(tmp_path / name).read_text() for name in names] == ["not yours"] * 3
