"""Daemon threads for an event loop's executor (``asyncio.to_thread``): they do not keep the process alive."""

import asyncio
import os
import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from queue import SimpleQueue
from typing import Any, ParamSpec, TypeVar

_MOST = min(32, (os.cpu_count() or 1) + 4)  # the default of ThreadPoolExecutor

P = ParamSpec("P")
T = TypeVar("T")


class DaemonPool(ThreadPoolExecutor):
    """A ThreadPoolExecutor whose threads the interpreter does not wait for at exit: a call may never return.

    A subclass, because event loops accept no other kind of executor.
    """

    def __init__(self) -> None:
        super().__init__(_MOST, "tickwire-pool")
        self._jobs: SimpleQueue[tuple[Future[Any], Callable[[], Any]] | None] = SimpleQueue()
        self._idle = threading.Semaphore(0)
        self._started = 0

    def submit(self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        """Call *fn* in a thread. Only the event loop may call this."""
        future: Future[T] = Future()
        self._jobs.put((future, partial(fn, *args, **kwargs)))
        if not self._idle.acquire(blocking=False) and self._started < _MOST:
            self._started += 1
            threading.Thread(target=self._run, name=f"tickwire-pool-{self._started}", daemon=True).start()
        return future

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:  # noqa: ARG002 - never waits
        """Let each thread end when its call has returned."""
        for _ in range(self._started):
            self._jobs.put(None)
        super().shutdown(wait=False, cancel_futures=cancel_futures)

    def _run(self) -> None:
        while job := self._jobs.get():
            _do(*job)
            del job  # else it would be kept alive until the next job
            self._idle.release()


def _do(future: Future[T], call: Callable[[], T]) -> None:
    if future.set_running_or_notify_cancel():
        try:
            future.set_result(call())
        except BaseException as error:  # noqa: BLE001 - who waits for it has it
            future.set_exception(error)
            del future, call  # else the error's traceback, which has this frame, would make a reference cycle


async def to_its_end(work: Callable[[], T]) -> T:
    """Do *work* in a thread and wait for its end, even when cancelled: a thread cannot be cancelled."""
    working = asyncio.ensure_future(asyncio.to_thread(work))
    try:
        return await asyncio.shield(working)
    except asyncio.CancelledError:
        await asyncio.wait({working})
        raise
