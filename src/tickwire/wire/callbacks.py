"""Handing events to callbacks: plain ones at once, async ones through a queue of their own, all in order."""

import asyncio
import inspect
import logging
from collections import deque
from collections.abc import Awaitable, Callable, Iterable
from typing import Any, TypeAlias, cast

from tickwire.events.spelling import spell_out
from tickwire.events.types import MarketEvent, OrderBook
from tickwire.wire.tally import Tally

logger = logging.getLogger(__name__)

HIGH_WATER = 10_000  # events that wait for one callback; then the sockets are read no more
LOW_WATER = 2_500  # then they are read again

Callback: TypeAlias = Callable[[MarketEvent], None] | Callable[[MarketEvent], Awaitable[None]]
Pause: TypeAlias = Callable[[object], None]  # for what reason; the same value resumes


class Callbacks:
    """The callbacks of one feed.

    A callback that raises is counted, logged once for every kind of error, and called again with the next event.
    Levels that are JSON text still are read before any callback sees them that does not take them as *text*.
    """

    def __init__(self, tally: Tally, pause: Pause, resume: Pause) -> None:
        self._tally, self._pause, self._resume = tally, pause, resume
        self._counts = tally.events
        self._as_text = True  # nobody wants to look at levels
        self._targets: list[Callable[[MarketEvent], Any]] = []
        self._workers: list[_Worker] = []
        self._logged: set[tuple[int, type[BaseException]]] = set()

    def add(self, callback: Callback, *, text: bool = False) -> None:
        """Call *callback* with every event from now on."""
        self._as_text = self._as_text and text
        if _is_async(callback):
            worker = _Worker(cast("Callable[[MarketEvent], Awaitable[None]]", callback), self)
            self._workers.append(worker)
            self._targets.append(worker.put)
        else:
            self._targets.append(callback)

    def emit(self, event: MarketEvent) -> None:
        """Hand out one event."""
        self._counts[type(event)].value += 1
        if not self._as_text and type(event) is OrderBook:
            spell_out(event)
        for target in self._targets:
            try:
                target(event)
            except Exception as e:  # noqa: BLE001 - somebody else's code; counted and logged
                self.failed(target, e)

    def failed(self, callback: object, error: BaseException) -> None:
        """Count an exception of a callback."""
        self._tally.callback_errors.add()
        if (key := (id(callback), type(error))) not in self._logged:
            self._logged.add(key)
            logger.error("feed.callback_error callback=%r", callback, exc_info=error)

    def high(self, worker: object) -> None:
        """Read no more: a queue is full."""
        self._pause(worker)

    def low(self, worker: object) -> None:
        """Read on."""
        self._resume(worker)

    def runs_here(self) -> bool:
        """Whether the caller is one of the async callbacks."""
        return asyncio.current_task() in {worker.task for worker in self._workers}

    async def close(self, seconds: float) -> int:
        """Let the async callbacks finish their queues for at most *seconds*; return how many events they missed."""
        await _all_idle(self._workers, seconds)
        left = sum(worker.stop() for worker in self._workers)
        await asyncio.gather(*(worker.task for worker in self._workers), return_exceptions=True)
        if left:
            logger.error("feed.callbacks_unfinished events=%d seconds=%s", left, seconds)
        return left


class _Worker:
    """One async callback, its queue, and the task that feeds it."""

    def __init__(self, callback: Callable[[MarketEvent], Awaitable[None]], owner: Callbacks) -> None:
        self._callback, self._owner = callback, owner
        self._queue: deque[MarketEvent] = deque()
        self._filled = asyncio.Event()
        self.idle = asyncio.Event()
        self._full = False
        self.task = asyncio.create_task(self._work())

    def put(self, event: MarketEvent) -> None:
        self._queue.append(event)
        if not self._filled.is_set():
            self._filled.set()
            self.idle.clear()
        if len(self._queue) >= HIGH_WATER and not self._full:
            self._full = True
            self._owner.high(self)

    def stop(self) -> int:
        """End the task; return how many events it did not finish."""
        self.task.cancel()
        return len(self._queue)

    async def _work(self) -> None:
        while True:
            if not self._queue:
                self._filled.clear()
                self.idle.set()
                await self._filled.wait()
            try:
                await self._callback(self._queue[0])
            except asyncio.CancelledError as e:
                if self.task.cancelling():
                    raise
                self._owner.failed(self._callback, e)  # the callback cancelled something of its own, not us
            except Exception as e:  # noqa: BLE001 - somebody else's code; counted and logged
                self._owner.failed(self._callback, e)
            self._queue.popleft()
            if self._full and len(self._queue) <= LOW_WATER:
                self._full = False
                self._owner.low(self)


async def _all_idle(workers: Iterable[_Worker], seconds: float) -> None:
    waits = [asyncio.create_task(worker.idle.wait()) for worker in workers]
    if waits:
        _, late = await asyncio.wait(waits, timeout=seconds)
        for wait in late:
            wait.cancel()


def _is_async(callback: Callback) -> bool:
    return inspect.iscoroutinefunction(callback) or inspect.iscoroutinefunction(getattr(callback, "__call__", None))  # noqa: B004 - asks what kind, not whether
