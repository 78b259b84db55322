"""Threads for what event loops hand out, such as ``asyncio.to_thread``, that do not outlive the process."""

import asyncio
import os
import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from queue import SimpleQueue
from typing import Any, ParamSpec, TypeVar

_MOST = min(32, (os.cpu_count() or 1) + 4)  # as many as the library's own has

P = ParamSpec("P")
T = TypeVar("T")


class DaemonPool(ThreadPoolExecutor):
    """As its base, but the interpreter's end does not wait for what its threads do: that may never come back.

    A subclass because event loops take nothing else.
    """

    def __init__(self) -> None:
        super().__init__(_MOST, "tickwire-pool")
        self._jobs: SimpleQueue[tuple[Future[Any], Callable[[], Any]] | None] = SimpleQueue()
        self._idle = threading.Semaphore(0)
        self._started = 0

    def submit(self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        """Call it in a thread; called by the event loop alone."""
        future: Future[T] = Future()
        self._jobs.put((future, partial(fn, *args, **kwargs)))
        if not self._idle.acquire(blocking=False) and self._started < _MOST:
            self._started += 1
            threading.Thread(target=self._run, name=f"tickwire-pool-{self._started}", daemon=True).start()
        return future

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:  # noqa: ARG002 - nobody waits
        """Let the threads end that are done, or will be one day."""
        for _ in range(self._started):
            self._jobs.put(None)
        super().shutdown(wait=False, cancel_futures=cancel_futures)

    def _run(self) -> None:
        while job := self._jobs.get():
            _do(*job)
            del job  # which would be kept until the next one comes
            self._idle.release()


def _do(future: Future[T], call: Callable[[], T]) -> None:
    if future.set_running_or_notify_cancel():
        try:
            future.set_result(call())
        except BaseException as error:  # noqa: BLE001 - who waits for it has it
            future.set_exception(error)
            del future, call  # this frame is in the error's traceback, and else the two would keep each other


async def to_its_end(work: Callable[[], T]) -> T:
    """Do *work* in a thread. Such a thread cannot be cancelled: who waits for it waits for its end even so."""
    working = asyncio.ensure_future(asyncio.to_thread(work))
    try:
        return await asyncio.shield(working)
    except asyncio.CancelledError:
        await asyncio.wait({working})
        raise
