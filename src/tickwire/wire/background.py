"""Work beside the body of ``async with``: its failure cancels the body, as in :class:`asyncio.TaskGroup`."""

import asyncio
import logging
from collections.abc import Coroutine
from typing import Any, cast

logger = logging.getLogger(__name__)


class Background:
    """Make it where the body begins; call :meth:`leave` where it ends."""

    def __init__(self, work: Coroutine[Any, Any, None]) -> None:
        self._body = cast("asyncio.Task[Any]", asyncio.current_task())
        self._cancelled_before = self._body.cancelling()
        self._in_body, self._cancelled = True, False
        self._task = asyncio.create_task(work)
        self._task.add_done_callback(self._ended)

    async def leave(self, error: BaseException | None) -> None:
        """Wait for the work's end; *error* is the exception that ends the body, if any.

        Raises the work's exception, unless the body raised one of its own or was cancelled from outside.
        """
        self._in_body = False
        ours = False
        if self._cancelled:
            by_others = self._body.uncancel() > self._cancelled_before
            ours = isinstance(error, asyncio.CancelledError) and not by_others
        await asyncio.wait({self._task})
        if self._task.cancelled():
            if error is None:
                raise asyncio.CancelledError
        elif (failure := self._task.exception()) is not None:
            if error is None or ours:
                raise failure from failure.__cause__  # not "during handling" of our own cancellation
            logger.error("feed.failed error=%r", str(failure))

    def _ended(self, task: asyncio.Task[None]) -> None:
        if self._in_body and not task.cancelled() and task.exception() is not None:
            self._cancelled = True
            self._body.cancel()
