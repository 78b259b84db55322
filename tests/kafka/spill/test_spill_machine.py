"""The log against a model, with crashes between and within its steps."""

import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest import mock

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from kafka.spill.spill_support import Clock, fast_folder, open_log, record, segment_files
from tickwire.errors import SpillFull
from tickwire.kafka.spill.segment import FRAME_BYTES, HEADER_BYTES
from tickwire.records.codec import Record

MAX_BYTES = 6000
SYSCALLS = ("pwrite", "fsync", "ftruncate", "truncate", "unlink", "rename", "replace")
VALUES = st.binary(max_size=250)


class Snapshot:
    """Copies the folder just before the *nth* change to it: what a crash at that moment leaves behind."""

    def __init__(self, folder: Path, copy: Path, nth: int) -> None:
        self._folder, self._copy, self._left = folder, copy, nth
        self._patches = [mock.patch.object(os, name, self._wrap(getattr(os, name))) for name in SYSCALLS]

    def _wrap(self, real: Callable[..., Any]) -> Callable[..., Any]:
        def call(*args: Any, **kwargs: Any) -> Any:
            self._left -= 1
            if self._left == 0:
                shutil.copytree(self._folder, self._copy)
            return real(*args, **kwargs)

        return call

    def __enter__(self) -> None:
        for patch in self._patches:
            patch.start()

    def __exit__(self, *_: object) -> None:
        for patch in self._patches:
            patch.stop()
        if not self._copy.exists():
            shutil.copytree(self._folder, self._copy)


class SpillMachine(RuleBasedStateMachine):
    """``records`` is what the log holds by number; ``saved`` of the ``acked`` are known to be on disk."""

    def __init__(self) -> None:
        super().__init__()
        self.context = fast_folder()
        self.base = self.context.__enter__()
        self.generation = 0
        self.clock = Clock()
        self.records: dict[int, Record] = {}
        self.acked: set[int] = set()
        self.saved: set[int] = set()
        self.unread = 0  # the number from which reading goes on
        self.names = 0

    @property
    def folder(self) -> Path:
        return self.base / str(self.generation)

    @initialize()
    def start(self) -> None:
        self.log = open_log(self.folder, max_bytes=MAX_BYTES, clock=self.clock)

    def new_record(self, value: bytes) -> Record:
        self.names += 1
        return record(self.names, value)

    def waiting(self) -> list[int]:
        return sorted(self.records.keys() - self.acked)

    @rule(value=VALUES)
    def append(self, value: bytes) -> None:
        r = self.new_record(value)
        before = self.log.bytes
        try:
            number = self.log.append(r)
        except SpillFull:
            assert before + len(value) + 300 > MAX_BYTES
            assert self.log.bytes == before
        else:
            assert not self.records or number > max(self.records)
            self.records[number] = r

    @rule(values=st.lists(VALUES, min_size=1, max_size=6))
    def prepend(self, values: list[bytes]) -> None:
        before = [self.new_record(v) for v in values]
        try:
            self.log.prepend(before)
        except SpillFull:
            return
        self.note_prepended(before)
        self.saved |= self.acked

    def note_prepended(self, before: list[Record]) -> None:
        first = int(segment_files(self.folder)[0].stem)
        # Numbers of removed files come back: what stood there is acknowledged and gone.
        for number, r in enumerate(before, first):
            self.records[number] = r
            self.acked.discard(number)
            self.saved.discard(number)
        for gone in [n for n in self.records if n < first]:
            del self.records[gone]
        self.unread = 0

    @rule(limit=st.integers(1, 12))
    def read(self, limit: int) -> None:
        expected = [n for n in self.waiting() if n >= self.unread][:limit]
        assert self.log.read(limit) == [(n, self.records[n]) for n in expected]
        if len(expected) == limit:
            self.unread = expected[-1] + 1
        elif self.records:
            self.unread = max(max(self.records) + 1, self.unread)

    @rule()
    def rewind(self) -> None:
        self.log.rewind()
        self.unread = 0

    def pick(self, data: st.DataObject) -> list[int]:
        """Some that are acknowledged: neighbours, because files must be filled for anything to happen."""
        waiting = self.waiting()
        start = data.draw(st.integers(0, min(len(waiting) - 1, 12)))
        return data.draw(st.permutations(waiting[start : start + data.draw(st.integers(1, 12))]))

    @precondition(lambda self: self.waiting())
    @rule(data=st.data())
    def acknowledge(self, data: st.DataObject) -> None:
        for number in self.pick(data):
            self.log.acknowledge(number)
            self.acked.add(number)

    @rule(seconds=st.sampled_from([0.1, 1.0]))
    def sync(self, seconds: float) -> None:
        self.clock.now += seconds
        self.log.sync()
        if seconds == 1.0:
            self.saved |= self.acked

    @rule(values=st.lists(VALUES, max_size=8))
    def sync_elsewhere(self, values: list[bytes]) -> None:
        """The disk works while records come in, and no step of the log's own waits for it."""
        self.log.waits = False
        self.clock.now += 1
        sync, acked = self.log.begin_sync(), set(self.acked)
        assert sync is not None
        for value in values:
            self.append(value)
        outcome = sync.run()
        self.log.end_sync(sync, lambda: outcome)
        self.log.waits = True
        self.saved |= acked

    @rule()
    def restart(self) -> None:
        self.log.close()
        self.reopen(must=set(self.waiting()), may=set(self.waiting()))
        assert self.log.recovered.sentences == ()

    @rule(data=st.data())
    def crash(self, data: st.DataObject) -> None:
        """The process dies between two steps; the last bytes of the newest file may be missing."""
        shutil.copytree(self.folder, self.base / str(self.generation + 1))
        self.log.close()
        self.generation += 1
        files = segment_files(self.folder)
        cut: set[int] = set()
        torn = 0
        if files:
            size = files[-1].stat().st_size
            keep = data.draw(st.integers(max(0, size - 400), size) | st.integers(0, size))
            cut, torn = self.cut(files[-1], keep)
        self.reopen(must=set(self.waiting()) - cut, may=self.records.keys() - self.saved - cut)
        assert self.log.recovered.torn_bytes == torn
        assert self.log.recovered.lost_records <= len(cut)
        for number in cut:  # gone; their numbers may be given to others, if none of them was acknowledged
            self.records.pop(number, None)

    def cut(self, newest: Path, keep: int) -> tuple[set[int], int]:
        """Truncate a file and work out which records that costs, and how many bytes of a record remain."""
        cut, end, last = int(newest.stem), HEADER_BYTES, HEADER_BYTES
        data = newest.read_bytes()
        while end < len(data):
            end += FRAME_BYTES + int.from_bytes(data[end + 8 : end + 12], "little")
            if end <= keep:
                cut, last = cut + 1, end
        os.truncate(newest, keep)
        return {n for n in self.records if n >= cut}, keep - last if keep >= last else keep

    @rule(
        nth=st.integers(1, 20),
        step=st.sampled_from(["append", "prepend", "acknowledge", "sync", "elsewhere"]),
        data=st.data(),
    )
    def crash_within(self, nth: int, step: str, data: st.DataObject) -> None:
        """The process dies within a step: that step counts wholly or not at all, all others count."""
        if step == "prepend":  # which does this first, and then gives out numbers again that were in use before
            self.log.flush()
            self.saved |= self.acked
        records_before, waiting_before, saved_before = dict(self.records), self.waiting(), set(self.saved)
        if step == "acknowledge" and not waiting_before:
            return
        with Snapshot(self.folder, self.base / str(self.generation + 1), nth):
            if step == "append":
                self.append(data.draw(VALUES))
            elif step == "prepend":
                self.prepend([data.draw(VALUES) for _ in range(3)])
            elif step == "acknowledge":
                self.acknowledge(data)
            elif step == "elsewhere":
                self.sync_elsewhere([data.draw(VALUES) for _ in range(6)])
            else:
                self.sync(1.0)
        self.log.close()
        self.generation += 1
        must = set(waiting_before) - self.acked
        new = {n for n, r in self.records.items() if records_before.get(n) != r}
        may = (set(records_before) - saved_before) | new
        self.reopen(must=must, may=may)
        assert self.log.recovered.lost_records == 0
        if step == "prepend":
            assert len(new & self.records.keys()) in {0, len(new)}

    def reopen(self, *, must: set[int], may: set[int]) -> None:
        self.log = open_log(self.folder, max_bytes=MAX_BYTES, clock=self.clock)
        assert self.log.recovered.damaged_bytes == 0
        found = self.log.read(10**6)
        assert [n for n, _ in found] == sorted({n for n, _ in found})
        assert must <= {n for n, _ in found} <= may
        assert all(self.records[n] == r for n, r in found)
        assert self.log.records == self.log.recovered.records == len(found)
        self.log.rewind()
        self.records = dict(found)
        self.acked, self.saved, self.unread = set(), set(), 0

    @invariant()
    def what_it_says_about_itself_is_true(self) -> None:
        if not hasattr(self, "log"):
            return
        assert self.log.records == len(self.waiting())
        assert self.log.empty == (not self.waiting())
        assert self.log.bytes == sum(f.stat().st_size for f in segment_files(self.folder))
        assert self.log.bytes + self.log.room_bytes == MAX_BYTES
        assert self.log.damaged == 0

    def teardown(self) -> None:
        if hasattr(self, "log"):
            self.log.close()
        self.context.__exit__(None, None, None)


TestSpillMachine = SpillMachine.TestCase
TestSpillMachine.settings = settings(
    max_examples=150, stateful_step_count=40, suppress_health_check=[HealthCheck.too_slow]
)
