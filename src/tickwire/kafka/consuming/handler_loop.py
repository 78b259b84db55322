"""The event loop of asynchronous handlers, so that their background tasks run between records too."""

import asyncio
import threading
import time
from collections.abc import Awaitable, Callable
from concurrent import futures
from typing import Any

from tickwire.daemon_pool import DaemonPool


class HandlerLoop:
    """Runs in a thread of its own. *failed* is called with what would end a loop, such as SystemExit in a task."""

    def __init__(self, failed: Callable[[BaseException], None]) -> None:
        self._failed = failed
        self._stopped = False
        self._loop = asyncio.new_event_loop()
        self._loop.set_default_executor(DaemonPool())
        self._thread = threading.Thread(target=self._run, name="tickwire-handler", daemon=True)
        self._thread.start()

    def run(self, awaitable: Awaitable[Any]) -> None:
        """Run *awaitable* to its end; raises what it raises."""
        asyncio.run_coroutine_threadsafe(_await(awaitable), self._loop).result()

    def stop(self, seconds: float) -> bool:
        """Cancel all tasks and end the loop. False: a task did not end within *seconds* and is abandoned."""
        until = time.monotonic() + seconds
        cancelled = asyncio.run_coroutine_threadsafe(_cancel_others(), self._loop)
        futures.wait([cancelled], seconds)
        self._stopped = True
        if not cancelled.done():  # blocked, or a task ignores its cancellation; the thread is a daemon
            return False
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(max(0.0, until - time.monotonic()))
        if self._thread.is_alive():
            return False
        self._loop.close()
        return True

    def _run(self) -> None:
        while not self._stopped:
            try:
                self._loop.run_forever()
            except (SystemExit, KeyboardInterrupt) as error:  # asyncio lets these two pass; the task has them too
                self._failed(error)


async def _await(awaitable: Awaitable[Any]) -> None:
    await awaitable


async def _cancel_others() -> None:
    others = asyncio.all_tasks() - {asyncio.current_task()}
    for task in others:
        task.cancel()
    await asyncio.gather(*others, return_exceptions=True)
