"""Epochs only grow, over runs, lists, kills and disks that stand or are full: no Kafka needed."""

import os
import subprocess
import sys
import threading
import time
from errno import ENOSPC
from pathlib import Path

import pytest

from kafka.spill.home_support import start, stop
from support import eventually
from tickwire.events.sequencer import Sequencer
from tickwire.events.types import OrderBook
from tickwire.kafka.spill.epochs import Epochs, read_epoch


def test_epochs_grow_over_runs_lists_and_crashes(root: Path) -> None:
    first = start(root, "AB")
    assert first.epochs.last == 0
    first.epochs.given(1_700_000_000_000)
    first.epochs.given(1_700_000_000_007)
    first.log.close()  # and nothing more, as in a crash
    second = start(root, "AC")
    assert second.epochs.last >= 1_700_000_000_007
    second.epochs.given(second.epochs.last + 5)
    stop(second)
    assert start(root, "D").epochs.last == second.epochs.last


def test_many_producers_side_by_side_do_not_drive_epochs_far_ahead_of_the_clock(root: Path) -> None:
    homes = [start(root, chr(ord("A") + n)) for n in range(20)]
    assert homes[-1].epochs.last < time.time() * 1000 + 60_000


def test_a_process_that_is_killed_right_after_it_gave_an_epoch_out_has_it_on_disk(tmp_path: Path) -> None:
    program = """
import os, signal, sys, time
from pathlib import Path
from tickwire.events.sequencer import Sequencer
from tickwire.events.types import OrderBook
from tickwire.kafka.spill import epochs

quick = epochs.replace
epochs.replace = lambda path, content: (time.sleep(0.05), quick(path, content))  # a disk with much to do
kept = epochs.Epochs(Path(sys.argv[1]), 0)
kept.open()
book = Sequencer(0, lambda: kept.most)
message = OrderBook(action="snapshot", exchange="x", symbol="A-B", exchange_symbol="AB", depth=None, bids=[], asks=[],
                    reason="initial", received_us=time.time_ns() // 1000)
for later_us in (0, 1000, 900_000_000):
    message.received_us += later_us
    kept.look()
    epoch = book.stamp(message).epoch
    kept.given(epoch)
    print(epoch, flush=True)
os.kill(os.getpid(), signal.SIGKILL)
"""
    killed = subprocess.run([sys.executable, "-c", program, tmp_path], stdout=subprocess.PIPE, check=False)
    given_out = [int(epoch) for epoch in killed.stdout.split()]
    assert (killed.returncode, len(set(given_out))) == (-9, 3)
    assert read_epoch(tmp_path) >= max(given_out)


def test_few_epochs_are_written_to_the_disk(tmp_path: Path) -> None:
    now = [1_000.0]
    epochs = Epochs(tmp_path, 0, lambda: now[0])
    epochs.open()
    written = set[int]()
    for _ in range(4800):
        now[0] += 0.125
        epochs.look()
        epochs.given(int(now[0] * 1000))
        eventually(lambda: epochs.most >= now[0] * 1000, "the disk has it")
        written.add(epochs.most)
    assert len(written) <= 62  # in ten minutes
    epochs.close()
    assert read_epoch(tmp_path) == epochs.last == 1_600_000


def test_while_the_disk_stands_epochs_grow_within_what_it_has_and_nobody_waits(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    now, moves, fsync = [1_000.0], threading.Event(), os.fsync
    epochs = Epochs(tmp_path, 0, lambda: now[0])
    epochs.open()

    def standing(fd: int) -> None:
        moves.wait(20)
        fsync(fd)

    monkeypatch.setattr(os, "fsync", standing)
    book, given_out = Sequencer(0, lambda: epochs.most), list[int]()
    for at in (1_010, 5_000, 5_001, 9_000):
        now[0] = float(at)
        epochs.look()
        message = book.stamp(snapshot(at))
        assert message is not None
        epochs.given(message.epoch)
        given_out.append(message.epoch)
        assert read_epoch(tmp_path) >= message.epoch
    assert given_out == [1_010_000, 1_010_001, 1_010_002, 1_010_003]
    moves.set()
    eventually(lambda: epochs.most >= 9_000_000, "the disk has more")
    after = book.stamp(snapshot(9_001))
    assert after is not None
    assert after.epoch == 9_001_000
    epochs.close()


def test_a_disk_that_takes_no_epoch_leaves_them_to_the_clock(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tickwire.kafka.spill.epochs.replace", _full)
    epochs = Epochs(tmp_path, 0, lambda: 1_000.0)
    epochs.open()
    message = Sequencer(epochs.last, lambda: epochs.most).stamp(snapshot(1_000))
    assert message is not None
    assert message.epoch == 1_000_000


def test_a_disk_that_takes_no_epoch_is_tried_once_a_second_and_takes_one_when_it_can(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    now, tried = [1_000.0], list[float]()
    epochs = Epochs(tmp_path, 0, lambda: now[0])
    epochs.open()

    def full(path: Path, content: bytes) -> None:
        tried.append(now[0])
        _full(path, content)

    with monkeypatch.context() as disk:
        disk.setattr("tickwire.kafka.spill.epochs.replace", full)
        for at in (5_000.0, 5_000.5, 5_001.0, 5_001.9, 1_400.0):  # set back, for an hour
            now[0] = at
            epochs.look()
            epochs._disk.submit(int).result()  # what was asked of the disk is done
        assert tried == [5_000.0, 5_001.0, 1_400.0]
    now[0] += 1
    epochs.look()
    eventually(lambda: epochs.most >= 1_401_000, "the disk has it")
    epochs.close()


def _full(_path: Path, _content: bytes) -> None:
    raise OSError(ENOSPC, "No space left on device")


def snapshot(at_s: int) -> OrderBook:
    return OrderBook(
        action="snapshot", exchange="binance", symbol="A-USD", exchange_symbol="AUSD", depth=None, bids=[], asks=[],
        reason="initial", received_us=at_s * 1_000_000,
    )  # fmt: skip
