"""Records through their handler: done, tried again later, a dead letter, or the reason to stop."""

import inspect
import logging
import random
import threading
import time
import traceback
from collections.abc import Awaitable, Callable
from typing import Any, NamedTuple, NoReturn

from tickwire import metrics
from tickwire.config.kafka_config import KafkaConfig
from tickwire.errors import ProcessingFailed, RecordRejected, TickwireError, TooManyDeadLetters
from tickwire.kafka.dead_letters import DeadLetters, Failure, describe
from tickwire.kafka.dlq_limit import DlqLimit
from tickwire.kafka.dlq_writer import DlqWriter
from tickwire.kafka.handler_loop import HandlerLoop
from tickwire.kafka.handlers import Handler
from tickwire.kafka.lanes import BLOCKED, Lane
from tickwire.kafka.received import ReceivedRecord

logger = logging.getLogger(__name__)

# A partition goes no further than this ahead of what Kafka has confirmed, so a crash repeats at most so many of it.
MAX_UNCOMMITTED = 5_000

FIRST_BACKOFF_SECONDS = 0.1  # doubled each time up to the next number; each wait is anything up to that (full jitter)
MOST_BACKOFF_SECONDS = 5.0
_LOOP_END_S = 2.0  # for tasks of asynchronous handlers to end when they are cancelled
_SLICE_S = 0.05  # how long one partition keeps its worker from others


class Ended(NamedTuple):
    """How many records of a lane ended in which way."""

    lane: Lane
    processed: int
    dead_letters: int


def is_transient(error: BaseException) -> bool:
    """Tell whether the same record may succeed a moment later."""
    if isinstance(error, TickwireError):
        return error.retryable
    return isinstance(error, (TimeoutError, ConnectionError))


def longest_backoff(attempts: int) -> float:
    """The longest wait in seconds after so many attempts."""
    return float(min(FIRST_BACKOFF_SECONDS * 2 ** min(attempts - 1, 30), MOST_BACKOFF_SECONDS))


class Processor:
    """Works on lanes; shared by all workers. Without *dead_letters* a record that cannot be processed is the end.

    At most *max_records* are begun. *see* is called with each before its handler, *ended* with what was done, *wake*
    when a lane may go on, *failed* with what goes wrong beside the workers.
    """

    def __init__(
        self,
        config: KafkaConfig,
        handler: Handler,
        dead_letters: DeadLetters | None,
        max_records: int | None,
        see: Callable[[ReceivedRecord], None] | None,
        ended: Callable[[Ended], None],
        wake: Callable[[Lane], None],
        failed: Callable[[BaseException], None],
    ) -> None:
        self._handler, self._see, self._ended, self._wake, self._failed = handler, see, ended, wake, failed
        self._max_attempts = config.max_attempts
        self._limit = DlqLimit(config.dlq_max_ratio, config.dlq_max_consecutive)
        self._writer = DlqWriter(dead_letters, failed) if dead_letters is not None else None
        self._loop: HandlerLoop | None = None
        self._left = max_records
        self._lock = threading.Lock()  # guards the two above

    def work(self, lane: Lane) -> float:
        """Take records of a lane for a moment; return how long it has to wait before the next, in seconds.

        Raises :exc:`~tickwire.errors.ProcessingFailed`, :exc:`~tickwire.errors.TooManyDeadLetters`, and what an
        observer raises: the record is not done.
        """
        if lane.letter:
            return BLOCKED
        while lane.at == len(lane.batch):
            if lane.closed or not lane.queue:
                return 0.0
            item = lane.queue.popleft()
            if isinstance(item, int):
                lane.progress.skip(item)
            else:
                lane.batch, lane.at = item, 0
        before, error = lane.at, None
        try:
            wait, error = self._run_through(lane)
        finally:
            if lane.at > before:
                self._count(lane, lane.at - before, 0)
        if error is None or lane.closed:  # what fails while we stop is left for the next time
            return wait
        return self._failed_record(lane, lane.batch[lane.at], error)

    @property
    def stuck(self) -> bool:
        """Tell whether the dead-letter topic takes nothing now."""
        return self._writer is not None and self._writer.stuck

    def close(self) -> None:
        """End the threads. What is not written to the dead letters stays uncommitted."""
        if self._writer is not None:
            self._writer.stop()
        if self._loop is not None and not self._loop.stop(_LOOP_END_S):
            logger.warning("consumer.handler_unfinished seconds=%g thread=tickwire-handler", _LOOP_END_S)

    def _run_through(self, lane: Lane) -> tuple[float, Exception | None]:
        """Hand records of the batch over until one fails, or the time is over."""
        handler, see, progress, batch = self._handler, self._see, lane.progress, lane.batch
        begin, finish, clock = progress.begin, progress.finish, time.monotonic
        until = clock() + _SLICE_S
        for at in range(lane.at, len(batch)):
            if lane.closed:
                break
            record = batch[at]
            if lane.attempts == 0:
                if progress.uncommitted >= MAX_UNCOMMITTED or not self._may_begin():
                    return BLOCKED, None
                begin(record.offset)
                if see is not None:
                    see(record)
            lane.attempts += 1
            try:
                result = handler(record) if record.unreadable is None else _refuse(record.unreadable)
                if result is not None and inspect.isawaitable(result):
                    self._wait_for(result)
            except Exception as error:  # noqa: BLE001 - a handler may raise anything; it is logged, counted and kept
                return 0.0, error
            lane.attempts = 0
            if not finish(record.offset):  # lost meanwhile
                self._not_done()
                break
            lane.at = at + 1
            lane.ended += 1
            lane.ended_bytes += len(record.value or b"")
            if clock() >= until:
                break
        return 0.0, None

    def _may_begin(self) -> bool:
        if self._left is None:
            return True
        with self._lock:
            self._left -= 1
            if self._left >= 0:
                return True
            self._left = 0
            return False

    def _not_done(self) -> None:
        """Let another record be begun in place of one that another consumer handles again."""
        if self._left is not None:
            with self._lock:
                self._left += 1

    def _failed_record(self, lane: Lane, record: ReceivedRecord, error: Exception) -> float:
        attempts = lane.attempts
        if is_transient(error) and attempts < self._max_attempts:
            return random.uniform(0.001, longest_backoff(attempts))  # noqa: S311 - spreads load, guards nothing
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
        metrics.CONSUMER_ERRORS.labels(record.topic).inc()
        if self._writer is None:
            raise ProcessingFailed(record.topic, record.partition, record.offset, _why(failure)) from error
        too_many = self._limit.dead()
        if too_many is not None:
            raise TooManyDeadLetters(record.topic, record.partition, record.offset, too_many, _why(failure)) from error

        def done(written: bool) -> None:
            if written and lane.progress.finish(record.offset):
                lane.at += 1
                lane.ended += 1
                lane.ended_bytes += len(record.value or b"")
                lane.attempts = 0
                self._count(lane, 0, 1)
            else:
                lane.closed = True  # given up, or lost meanwhile
            lane.letter = False
            self._wake(lane)

        lane.letter = True
        self._writer.submit(record, failure, lambda: lane.progress.ours, done)
        return BLOCKED

    def _count(self, lane: Lane, processed: int, dead_letters: int) -> None:
        if processed:
            self._limit.good(processed)
        self._ended(Ended(lane, processed, dead_letters))

    def _wait_for(self, awaitable: Awaitable[Any]) -> None:
        with self._lock:
            if self._loop is None:
                self._loop = HandlerLoop(self._failed)
        self._loop.run(awaitable)


def _refuse(why: str) -> NoReturn:
    raise RecordRejected("deserialize", why)


def _why(failure: Failure) -> str:
    return f"{failure.error_type}: {failure.message[:300]}"


def _place(error: Exception) -> str:
    """Where it was raised, e.g. ``my_handlers.py:12``."""
    frames = traceback.extract_tb(error.__traceback__)
    return f"{frames[-1].filename.rpartition('/')[2]}:{frames[-1].lineno}" if frames else "?"
