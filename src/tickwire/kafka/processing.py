"""One record through its handler: done, or a dead letter, or the reason to stop."""

import asyncio
import inspect
import logging
import random
import threading
import time
import traceback
from collections.abc import Awaitable, Callable
from typing import Any, Literal, TypeAlias

from tickwire.errors import ProcessingFailed, TickwireError
from tickwire.kafka.dead_letters import DeadLetters, Failure, describe
from tickwire.kafka.handlers import Handler
from tickwire.kafka.received import ReceivedRecord

logger = logging.getLogger(__name__)

Outcome: TypeAlias = Literal["processed", "dead_letter", "unfinished"]

MAX_ATTEMPTS = 5
_FIRST_BACKOFF_S = 0.1  # doubled each time, with full jitter: at most 1.5 s in all, far below max.poll.interval.ms
_SLICE_S = 0.05


def is_transient(error: Exception) -> bool:
    """Tell whether the same record may succeed a moment later."""
    if isinstance(error, TickwireError):
        return error.retryable
    return isinstance(error, (TimeoutError, ConnectionError))


class Processor:
    """Hands records to a handler. Without *dead_letters* a record that cannot be processed is the end."""

    def __init__(self, handler: Handler, dead_letters: DeadLetters | None, stopping: Callable[[], bool]) -> None:
        self._handler = handler
        self._dead_letters = dead_letters
        self._stopping = stopping
        self._loop: _LoopThread | None = None

    def process(self, record: ReceivedRecord) -> Outcome:
        """Return when the record is processed or its dead letter acknowledged; ``unfinished`` when told to stop before.

        Raises :exc:`~tickwire.errors.ProcessingFailed` and :exc:`~tickwire.errors.KafkaFailed`: the record is not done.
        """
        attempts = 0
        while True:
            attempts += 1
            try:
                result = self._handler(record)
                if result is not None and inspect.isawaitable(result):
                    self._wait_for(result)
            except Exception as error:  # noqa: BLE001 - a handler may raise anything; it is logged, counted and kept below
                if not is_transient(error) or attempts == MAX_ATTEMPTS:
                    return self._give_up(record, error, attempts)
                if not self._back_off(attempts):
                    return "unfinished"
            else:
                return "processed"

    def close(self) -> None:
        """End the event loop of asynchronous handlers."""
        if self._loop is not None:
            self._loop.stop()

    def _give_up(self, record: ReceivedRecord, error: Exception, attempts: int) -> Outcome:
        failure = describe(error, attempts)
        logger.warning(
            "consumer.rejected topic=%s partition=%d offset=%d type=%s error=%r at=%s attempts=%d",
            record.topic,
            record.partition,
            record.offset,
            failure.error_type,
            failure.message,
            _place(error),
            attempts,
        )
        if self._dead_letters is None:
            raise ProcessingFailed(record.topic, record.partition, record.offset, _why(failure)) from error
        self._dead_letters.write(record, failure)
        return "dead_letter"

    def _back_off(self, attempts: int) -> bool:
        """Wait a little longer than the last time; False when told to stop."""
        longest = _FIRST_BACKOFF_S * 2 ** (attempts - 1)
        until = time.monotonic() + random.uniform(0, longest)  # noqa: S311 - spreads load, guards nothing
        while time.monotonic() < until:
            if self._stopping():
                return False
            time.sleep(_SLICE_S)
        return not self._stopping()

    def _wait_for(self, awaitable: Awaitable[Any]) -> None:
        if self._loop is None:
            self._loop = _LoopThread()
        self._loop.run(awaitable)


class _LoopThread:
    """An event loop of its own thread, so that what a handler started in the background runs between records too."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="tickwire-handler", daemon=True)
        self._thread.start()

    def run(self, awaitable: Awaitable[Any]) -> None:
        asyncio.run_coroutine_threadsafe(_await(awaitable), self._loop).result()

    def stop(self) -> None:
        asyncio.run_coroutine_threadsafe(_cancel_others(), self._loop).result()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()


async def _await(awaitable: Awaitable[Any]) -> None:
    await awaitable


async def _cancel_others() -> None:
    others = asyncio.all_tasks() - {asyncio.current_task()}
    for task in others:
        task.cancel()
    await asyncio.gather(*others, return_exceptions=True)


def _why(failure: Failure) -> str:
    return f"{failure.error_type}: {failure.message[:300]}"


def _place(error: Exception) -> str:
    """Where it was raised, e.g. ``my_handlers.py:12``."""
    frames = traceback.extract_tb(error.__traceback__)
    return f"{frames[-1].filename.rpartition('/')[2]}:{frames[-1].lineno}" if frames else "?"
