"""Passes events to callbacks in order: to plain functions at once, to async ones through a queue each.

A plain function runs on the event loop. The loop still gets its turns if it is slow (:meth:`.FlowControl.turn`), and
the log names a function that is slower than the stream.
"""

import asyncio
import inspect
import logging
from collections import deque
from collections.abc import Awaitable, Callable, Iterable
from functools import partial
from time import monotonic
from typing import Any, TypeAlias, cast

from tickwire.events.levels import decode_levels
from tickwire.events.types import MarketEvent, OrderBook
from tickwire.wire.flow_control import FlowControl
from tickwire.wire.tally import Tally

logger = logging.getLogger(__name__)

HIGH_WATER = 10_000  # events waiting for one callback at which sockets are paused
LOW_WATER = 2_500  # events at which they are resumed
TURN_S = 0.01  # time in callbacks after which the event loop gets a turn
_LOOK_S = 1.0  # least time between two checks of the callbacks' times
_SLOW = 0.5  # share of the time above which a callback is named in the log
_SAY_S = 60.0  # least time between two warnings
_CANCEL_S = 1.0  # for cancelled async callbacks to end

Callback: TypeAlias = Callable[[MarketEvent], None] | Callable[[MarketEvent], Awaitable[None]]


class Callbacks:
    """The callbacks of one feed.

    An exception of a callback is counted, logged once for each type, and the callback is called again with the next
    event. Levels that are still JSON text are decoded, except for callbacks that take *text*.
    """

    def __init__(self, tally: Tally, flow: FlowControl) -> None:
        self._tally, self._flow = tally, flow
        self._counts = tally.events
        self._as_text = True  # no callback needs decoded levels
        self._targets: list[Callable[[MarketEvent], Any]] = []  # our own fast ones
        self._plain: list[_Plain] = []
        self._workers: list[_Worker] = []
        self._logged: set[tuple[int, type[BaseException]]] = set()
        self._looked_at, self._events_then = monotonic(), 0
        self._say_at = float("-inf")
        self._left_s = 0.0  # time left for plain callbacks at the end
        self._missed = 0

    def add(self, callback: Callback, *, text: bool = False) -> None:
        """Call *callback* with every event from now on; one that takes *text* is our own, and fast."""
        self._as_text = self._as_text and text
        if text:
            self._targets.append(callback)
        elif _is_async(callback):
            self._targets.append(self._new_worker(callback).put)
        else:
            self._plain = [*self._plain, _Plain(callback)]  # a new list, because a callback may be adding another one

    def emit(self, event: MarketEvent) -> None:
        """Hand out one event."""
        self._counts[type(event)].value += 1
        if not self._as_text and type(event) is OrderBook:
            decode_levels(event)
        for target in self._targets:
            try:
                target(event)
            except Exception as e:  # noqa: BLE001 - counted and logged
                self.failed(target, e)
        if self._plain:
            at = monotonic()
            for plain in self._plain:
                try:
                    answer: object = plain.callback(event)
                except Exception as e:  # noqa: BLE001 - somebody else's code; counted and logged
                    self.failed(plain.callback, e)
                else:
                    if answer is not None:
                        self._answered(plain, event, answer)
                before, at = at, monotonic()
                plain.seconds += at - before
                if plain.seconds >= plain.turn_at:
                    self._give_turn(plain, event, at)

    def failed(self, callback: object, error: BaseException) -> None:
        """Count an exception of a callback."""
        self._tally.callback_errors.add()
        if (key := (id(callback), type(error))) not in self._logged:
            self._logged.add(key)
            logger.error("feed.callback_error callback=%r", callback, exc_info=error)

    def high(self, worker: object) -> None:
        """Pause the sockets: a queue is full."""
        self._flow.pause(worker)

    def low(self, worker: object) -> None:
        """Read on."""
        self._flow.resume(worker)

    def runs_here(self) -> bool:
        """Whether the caller is one of the async callbacks."""
        return asyncio.current_task() in {worker.task for worker in self._workers}

    def end_within(self, seconds: float) -> None:
        """Limit the time of plain callbacks for the remaining events to *seconds* in all."""
        self._left_s = seconds
        self._plain = [_Plain(partial(self._call_within, plain.callback)) for plain in self._plain]

    async def close(self, seconds: float) -> int:
        """Let the async callbacks finish their queues for at most *seconds*; return how many events were missed."""
        await _all_idle(self._workers, seconds)
        left = sum(worker.stop() for worker in self._workers) + self._missed
        if self._workers:
            _, deaf = await asyncio.wait([worker.task for worker in self._workers], timeout=_CANCEL_S)
            for worker in self._workers:
                if worker.task in deaf:
                    logger.error("feed.callback_deaf callback=%r (it goes on although it was cancelled)", worker)
        if left:
            logger.error("feed.callbacks_unfinished events=%d seconds=%s", left, seconds)
        return left

    def _new_worker(self, callback: Callback, first: Awaitable[None] | None = None) -> "_Worker":
        worker = _Worker(cast("Callable[[MarketEvent], Awaitable[None]]", callback), self, first)
        self._workers.append(worker)
        return worker

    def _call_within(self, callback: Callback, event: MarketEvent) -> None:
        """Call one with one of the last events, if time is left."""
        if self._left_s <= 0:
            self._missed += 1
            return
        began = monotonic()
        try:
            callback(event)
        except Exception as e:  # noqa: BLE001 - as in emit
            self.failed(callback, e)
        self._left_s -= monotonic() - began

    def _answered(self, plain: "_Plain", event: MarketEvent, answer: object) -> None:
        """Treat a function that returned an awaitable (``lambda event: queue.put(event)``) as async from now on."""
        if inspect.isawaitable(answer):
            self._plain = [other for other in self._plain if other is not plain]
            worker = self._new_worker(plain.callback, answer)
            self._targets.append(worker.put)
            worker.put(event)

    def _give_turn(self, plain: "_Plain", event: MarketEvent, now: float) -> None:
        plain.turn_at = plain.seconds + TURN_S
        self._flow.turn()
        if now - self._looked_at >= _LOOK_S:
            self._look(event, now)

    def _look(self, event: MarketEvent, now: float) -> None:
        """Log the slowest plain function, if it is slower than the stream."""
        elapsed, events = now - self._looked_at, sum(count.value for count in self._counts.values())
        slowest = max(self._plain, key=lambda plain: plain.seconds, default=None)
        if slowest is not None and slowest.seconds >= _SLOW * elapsed and now >= self._say_at:
            self._say_at = now + _SAY_S
            sent_us = event.exchange_us
            behind = 0.0 if sent_us is None else (event.received_us - sent_us) / 1e6
            logger.warning(
                "feed.callback_slow callback=%r takes_ms=%.3f of_the_time=%.0f%% behind_s=%.1f "
                "(a plain function must take microseconds: make it async, or let a thread do its work)",
                slowest.callback, slowest.seconds / max(events - self._events_then, 1) * 1000,
                slowest.seconds / elapsed * 100, max(behind, self._flow.waiting_s()),
            )  # fmt: skip
        self._looked_at, self._events_then = now, events
        for plain in self._plain:
            plain.seconds, plain.turn_at = 0.0, TURN_S


class _Plain:
    """A plain function, its seconds since the last check, and those at which the event loop gets a turn."""

    __slots__ = ("callback", "seconds", "turn_at")

    def __init__(self, callback: Callback) -> None:
        self.callback = callback
        self.seconds, self.turn_at = 0.0, TURN_S


class _Worker:
    """An async callback, its queue, and the task that feeds it; *first* is the awaitable of the first event, if any."""

    def __init__(
        self, callback: Callable[[MarketEvent], Awaitable[None]], owner: Callbacks, first: Awaitable[None] | None = None
    ) -> None:
        self._callback, self._owner, self._first = callback, owner, first
        self._queue: deque[MarketEvent] = deque()
        self._filled = asyncio.Event()
        self.idle = asyncio.Event()
        self._full = False
        self.task = asyncio.create_task(self._work())

    def __repr__(self) -> str:
        return repr(self._callback)

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
        turn_at = monotonic()
        while True:
            if not self._queue:
                self._filled.clear()
                self.idle.set()
                await self._filled.wait()
                turn_at = monotonic()
            try:
                await self._answer(self._queue[0])
            except asyncio.CancelledError as e:
                if self.task.cancelling():
                    raise
                self._owner.failed(self._callback, e)  # a cancellation inside the callback, not of this task
            except Exception as e:  # noqa: BLE001 - somebody else's code; counted and logged
                self._owner.failed(self._callback, e)
            self._queue.popleft()
            if self._full and len(self._queue) <= LOW_WATER:
                self._full = False
                self._owner.low(self)
            if monotonic() - turn_at >= TURN_S:  # a callback that never suspends would block the loop
                await asyncio.sleep(0)
                turn_at = monotonic()

    def _answer(self, event: MarketEvent) -> Awaitable[None]:
        first, self._first = self._first, None
        return self._callback(event) if first is None else first


async def _all_idle(workers: Iterable[_Worker], seconds: float) -> None:
    waits = [asyncio.create_task(worker.idle.wait()) for worker in workers]
    if waits:
        _, late = await asyncio.wait(waits, timeout=seconds)
        for wait in late:
            wait.cancel()


def check_callback(callback: object) -> None:
    """Raise :exc:`TypeError` if *callback* cannot be called with one argument."""
    wanted = "a callback is a function of one event, plain or async"
    if not callable(callback):
        raise TypeError(f"{wanted}, but this is {callback!r}")
    if inspect.isgeneratorfunction(callback) or inspect.isasyncgenfunction(callback):
        raise TypeError(f"{wanted}, but {callback!r} is a generator, which does nothing when it is called")
    try:
        inspect.signature(callback).bind(None)
    except ValueError:
        pass  # a builtin without a signature
    except TypeError as e:
        raise TypeError(f"{wanted}, but {callback!r} cannot be called with one: {e}") from None


def _is_async(callback: Callback) -> bool:
    return inspect.iscoroutinefunction(callback) or inspect.iscoroutinefunction(getattr(callback, "__call__", None))  # noqa: B004 - asks what kind, not whether
