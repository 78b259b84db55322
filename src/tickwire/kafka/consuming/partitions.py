"""Handles partitions in parallel: each is pinned to one worker thread, which takes its records in order.

The polling thread adds batches and never waits for a handler. While a partition waits (back-off, a dead letter being
written, an unanswered commit), its worker serves others.
"""

import heapq
import threading
import time
from collections import deque
from collections.abc import Callable, Collection, Sequence
from typing import TypeAlias

from tickwire.kafka.consuming.progress import Partition, Progress
from tickwire.kafka.received import ReceivedRecord
from tickwire.registry_errors import RegistryFailed

QUEUE_RECORDS = 2_000  # a partition with this many waiting records is paused
QUEUE_BYTES = 8 << 20  # or with this many bytes, or its share of the limit for all; one poll's records come on top
ALL_QUEUES_BYTES = 32 << 20
_POLL_RECORDS = 500  # at most
_RECORD_BYTES = 256  # memory of a record besides its value
BLOCKED = float("inf")


class AssignedPartition:
    """One partition during one assignment.

    The polling thread writes ``taken*``, ``room_bytes``, ``next`` and ``at_end``, its worker everything else.
    """

    def __init__(self, partition: Partition, progress: Progress) -> None:
        self.partition = partition
        self.progress = progress
        # Batches of records; a number is the offset to continue at, because records before it are gone.
        self.queue: deque[Sequence[ReceivedRecord] | int] = deque()
        self.batch: Sequence[ReceivedRecord] = ()
        self.at = 0  # index of the next record in the batch
        self.prepared = 0  # with a schema registry: the schemas of records before this index are known
        self.attempts = 0  # attempts at that record
        self.waits = 0  # waits of that record for the schema registry
        # For handlers that take batches:
        self.begun = 0  # number of records from there on that are handed over together
        self.singly = False  # hand over one by one, because the batch failed
        self.since = 0.0  # monotonic time at which the first waiting record was seen
        self.letter = False  # a dead letter is being written
        self.taken = self.taken_bytes = 0
        self.room_bytes = QUEUE_BYTES
        self.next = progress.position  # offset after the last record taken from Kafka
        self.at_end = False  # and there was no later record at the last poll
        self.ended = self.ended_bytes = 0
        self.closed = False  # start no more records
        self.scheduled = self.blocked = self.woken = False  # guarded by the worker's lock

    @property
    def waiting(self) -> int:
        """How many records were taken from Kafka and are not done."""
        return self.taken - self.ended

    def holds(self, share: float) -> bool:
        """Whether more than *share* of the room is used."""
        room = self.taken - self.ended <= share * QUEUE_RECORDS
        return not room or self.taken_bytes - self.ended_bytes > share * self.room_bytes

    @property
    def done(self) -> tuple[int, int]:
        """How many records are done, and their bytes."""
        return self.ended, self.ended_bytes

    def frees_much(self, since: tuple[int, int]) -> bool:
        """Whether a tenth of the room was freed since :attr:`done` was *since*."""
        records, size = since
        return self.ended - records >= QUEUE_RECORDS / 10 or self.ended_bytes - size >= self.room_bytes / 10

    def take_next(self) -> bool:
        """Have a record to go on with; False when none waits."""
        while self.at == len(self.batch):
            if self.closed or not self.queue:
                return False
            item = self.queue.popleft()
            if isinstance(item, int):
                self.progress.skip(item)
            else:
                self.batch, self.at, self.prepared = item, 0, 0
        return True

    def take_up_to(self, number: int) -> None:
        """Have so many records, as far as they wait and no offset to go on at is between them."""
        while len(self.batch) - self.at < number and self.queue and not self.closed:
            rest = self.batch[self.at :]
            if isinstance(self.queue[0], int) and rest:
                return  # these first
            item = self.queue.popleft()
            if isinstance(item, int):
                self.progress.skip(item)
                continue
            if not rest:
                self.since = time.monotonic()
            self.batch, self.at, self.prepared = [*rest, *item], 0, 0

    def prepare(self, end: int) -> RegistryFailed | None:
        """Have the schemas of the batch's records up to *end*; else return why not."""
        before, batch = self.prepared, self.batch
        try:
            for record in batch[before:end]:
                record.prepare()
                self.prepared += 1
        except RegistryFailed as e:
            return e
        finally:
            if self.prepared > before:
                self.waits = 0
        return None

    def end(self, records: Sequence[ReceivedRecord]) -> None:
        """Note that these are done: the next ones of the batch."""
        self.at += len(records)
        self.begun = max(0, self.begun - len(records))  # 0 when records come one by one
        self.ended += len(records)
        self.ended_bytes += bytes_of(records)


def bytes_of(records: Sequence[ReceivedRecord]) -> int:
    """How much memory *records* take."""
    return sum([len(record.value or b"") for record in records]) + _RECORD_BYTES * len(records)


def poll_records(room_bytes: int, record_bytes: int) -> int:
    """How many records of this average size one poll may return to fill at most half a partition's room."""
    return max(1, min(_POLL_RECORDS, room_bytes // 2 // record_bytes))


def share_room(partitions: Collection[AssignedPartition]) -> int:
    """Give all partitions the same room, so that a blocked one takes none from the others."""
    room_bytes = min(QUEUE_BYTES, ALL_QUEUES_BYTES // max(1, len(partitions)))
    for assigned in partitions:
        assigned.room_bytes = room_bytes
    return room_bytes


Work: TypeAlias = Callable[[AssignedPartition], float]


class HandlerThread:
    """A thread that takes its partitions in turn.

    *work* does a slice and returns how many seconds the partition must wait; :data:`BLOCKED` means until :meth:`wake`.
    *failed* is called with what it raises.
    """

    def __init__(self, name: str, work: Work, failed: Callable[[BaseException], None]) -> None:
        self._work, self._failed = work, failed
        self._changed = threading.Condition()
        self._ready: deque[AssignedPartition] = deque()
        self._later: list[tuple[float, int, AssignedPartition]] = []
        self._calls: deque[Callable[[], object]] = deque()
        self._running: AssignedPartition | None = None
        self._turn = 0
        self._stopped = False
        self.partitions = 0  # number of partitions pinned to this worker
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    def put(self, assigned: AssignedPartition, item: Sequence[ReceivedRecord] | int) -> None:
        """Add a batch, or an offset to continue at, to a partition."""
        with self._changed:
            assigned.queue.append(item)
            if not assigned.scheduled:
                assigned.scheduled = True
                self._ready.append(assigned)
                self._changed.notify_all()

    def call(self, function: Callable[[], object]) -> None:
        """Call a function between two records."""
        with self._changed:
            self._calls.append(function)
            self._changed.notify_all()

    def wake(self, assigned: AssignedPartition) -> None:
        """Schedule a partition that may be blocked."""
        with self._changed:
            assigned.woken = True
            if assigned.blocked:
                assigned.blocked = False
                self._ready.append(assigned)
            self._changed.notify_all()

    def close(self, these: Collection[AssignedPartition], until: float, hopeless: Callable[[], bool]) -> bool:
        """Start no more records of *these*; wait for started ones. False: not done at the monotonic time *until*.

        A dead letter being written counts as started, unless waiting for it is *hopeless*.
        """
        with self._changed:
            for assigned in these:
                assigned.closed = True
            return self._changed.wait_for(
                lambda: self._running not in these and (hopeless() or not any(assigned.letter for assigned in these)),
                max(0.0, until - time.monotonic()),
            )

    def stop(self) -> None:
        """End the thread after the current record."""
        with self._changed:
            self._stopped = True
            self._changed.notify_all()

    def join(self, seconds: float) -> bool:
        """Wait for the thread's end; False if it still runs after *seconds*."""
        self._thread.join(seconds)
        return not self._thread.is_alive()

    def _run(self) -> None:
        while True:
            with self._changed:
                assigned = self._next()
                self._running = assigned
            if self._stopped:
                return
            try:
                wait = self._call() if assigned is None else self._work(assigned)
            except BaseException as error:  # noqa: BLE001 - the polling thread raises it
                wait = 0.0
                if assigned is not None:
                    assigned.closed = True
                self._failed(error)
            with self._changed:
                self._running = None
                if assigned is not None:
                    self._reschedule(assigned, wait)
                self._changed.notify_all()

    def _next(self) -> AssignedPartition | None:
        """Wait for the next partition; None if there is a function to call, or at the end."""
        while True:
            now = time.monotonic()
            while self._later and self._later[0][0] <= now:
                self._ready.append(heapq.heappop(self._later)[2])
            if self._stopped or self._calls:
                return None
            if self._ready:
                assigned = self._ready.popleft()
                assigned.woken = False
                return assigned
            self._changed.wait(self._later[0][0] - now if self._later else None)

    def _call(self) -> float:
        self._calls.popleft()()
        return 0.0

    def _reschedule(self, assigned: AssignedPartition, wait: float) -> None:
        if assigned.closed:
            assigned.queue.clear()
        elif wait == BLOCKED and not assigned.woken:
            assigned.blocked = True
        elif 0.0 < wait < BLOCKED:
            self._turn += 1  # a tie-breaker, so that partitions are never compared
            heapq.heappush(self._later, (time.monotonic() + wait, self._turn, assigned))
        elif wait or assigned.queue or assigned.at < len(assigned.batch):
            self._ready.append(assigned)
        else:
            assigned.scheduled = False


class HandlerThreads:
    """The worker threads. A partition that is assigned again gets the same worker."""

    def __init__(self, number: int, work: Work, failed: Callable[[BaseException], None]) -> None:
        self._workers = [HandlerThread(f"tickwire-worker-{i}", work, failed) for i in range(number)]
        self._pinned: dict[Partition, HandlerThread] = {}

    def of(self, partition: Partition) -> HandlerThread:
        """The worker of a partition; a new partition gets the worker with the fewest."""
        worker = self._pinned.get(partition)
        if worker is None:
            worker = self._pinned[partition] = min(self._workers, key=lambda worker: worker.partitions)
            worker.partitions += 1
        return worker

    def close(self, these: Collection[AssignedPartition], seconds: float, hopeless: Callable[[], bool]) -> bool:
        """Start no more records of *these*, wait at most *seconds* for started ones; return whether all ended."""
        until = time.monotonic() + seconds
        by_worker: dict[HandlerThread, list[AssignedPartition]] = {}
        for assigned in these:
            assigned.closed = True
            by_worker.setdefault(self.of(assigned.partition), []).append(assigned)
        done = [worker.close(its, until, hopeless) for worker, its in by_worker.items()]
        return all(done)

    def stop(self, seconds: float) -> bool:
        """End the threads; False if one is still busy after *seconds*."""
        for worker in self._workers:
            worker.stop()
        until = time.monotonic() + seconds
        done = [worker.join(max(0.0, until - time.monotonic())) for worker in self._workers]
        return all(done)
