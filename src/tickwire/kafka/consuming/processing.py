"""Passes records to the handler; each is done, retried later, a dead letter, or the reason to stop."""

import inspect
import logging
import random
import threading
import time
from collections.abc import Callable
from typing import Any, NamedTuple, NoReturn

from tickwire import metrics
from tickwire.config.kafka_config import KafkaConfig
from tickwire.errors import HandlerNotClosed, ProcessingFailed, RecordRejected, TickwireError, TooManyDeadLetters
from tickwire.kafka.consuming.allowance import Allowance
from tickwire.kafka.consuming.handler_errors import HandlerErrors
from tickwire.kafka.consuming.handler_loop import HandlerLoop
from tickwire.kafka.consuming.handlers import Batching, Handler, RecordHandler, batching
from tickwire.kafka.consuming.market_state import MarketState
from tickwire.kafka.consuming.partitions import BLOCKED, AssignedPartition
from tickwire.kafka.dead_letters.headers import Failure, describe
from tickwire.kafka.dead_letters.limit import DeadLetterLimit
from tickwire.kafka.dead_letters.writer import DeadLetters, DeadLetterWriter
from tickwire.kafka.received import ReceivedRecord
from tickwire.registry_errors import RegistryFailed, RegistryNotSet

logger = logging.getLogger(__name__)

# A partition may have at most so many handled records without a confirmed commit; a crash repeats no more.
MAX_UNCOMMITTED = 5_000

FIRST_BACKOFF_SECONDS = 0.1  # doubled each time up to the next number; each wait is random up to that (full jitter)
MOST_BACKOFF_SECONDS = 5.0
_LOOP_END_S = 2.0  # for cancelled tasks of asynchronous handlers to end
_LOOK_S = 0.02  # interval of checking whether a batch is full
_SLICE_S = 0.05  # longest turn of one partition on its worker


class Ended(NamedTuple):
    """How many records of a partition had which outcome."""

    assigned: AssignedPartition
    processed: int
    dead_letters: int


def is_transient(error: BaseException) -> bool:
    """Whether the same record may succeed a moment later."""
    if isinstance(error, TickwireError):
        return error.retryable
    return isinstance(error, (TimeoutError, ConnectionError))


def longest_backoff(attempts: int) -> float:
    """The longest wait in seconds after *attempts* attempts."""
    return float(min(FIRST_BACKOFF_SECONDS * 2 ** min(attempts - 1, 30), MOST_BACKOFF_SECONDS))


class Processor:
    """Processes partitions; shared by all workers. Without *dead_letters* a record that fails ends the consumer.

    At most *max_records* are started. *see* is called with each record before its handler, *ended* with the outcomes,
    *wake* when a partition may continue, *failed* with errors outside the workers.
    """

    def __init__(
        self,
        config: KafkaConfig,
        handler: Handler,
        dead_letters: DeadLetters | None,
        max_records: int | None,
        see: Callable[[ReceivedRecord], None] | None,
        ended: Callable[[Ended], None],
        wake: Callable[[AssignedPartition], None],
        failed: Callable[[BaseException], None],
    ) -> None:
        self._handler, self._see, self._ended, self._wake, self._failed = handler, see, ended, wake, failed
        self._batching = batching(handler)
        # An observer of each record rules out handling many of them at once.
        self._books = handler if isinstance(handler, MarketState) and see is None else None
        self._errors = HandlerErrors(handler)
        self._max_attempts = config.max_attempts
        self._prepares = config.schema_registry_url is not None
        self._limit = DeadLetterLimit(config.dlq_max_ratio, config.dlq_max_consecutive)
        self._writer = DeadLetterWriter(dead_letters, failed) if dead_letters is not None else None
        self._allowance = Allowance(max_records, wake)
        self._loop: HandlerLoop | None = None
        self._lock = threading.Lock()  # guards it

    def work(self, assigned: AssignedPartition) -> float:
        """Handle records of a partition for a moment; return how many seconds it must wait before the next.

        Raises :exc:`~tickwire.errors.ProcessingFailed`, :exc:`~tickwire.errors.TooManyDeadLetters`,
        :exc:`~tickwire.registry_errors.RegistryFailed`, and what an observer raises; then the record is not done.
        """
        if assigned.letter:
            return BLOCKED
        if self._batching is None:
            if not assigned.take_next():
                return 0.0
        else:
            assigned.take_up_to(self._batching.records)
        before, error = assigned.at, None
        try:
            wait, error = (
                self._run_through(assigned) if self._batching is None else self._run_batch(assigned, self._batching)
            )
        finally:
            if assigned.at > before:
                self._count(assigned, assigned.at - before, 0)
        if error is None or assigned.closed:  # a failure while stopping is left to the next run
            return wait
        return self._failed_attempt(assigned, error)

    @property
    def stuck(self) -> bool:
        """Whether the dead-letter topic takes no records now."""
        return self._writer is not None and self._writer.stuck

    def close(self) -> None:
        """End the writing of dead letters. Records whose letters are not written stay uncommitted."""
        if self._writer is not None:
            self._writer.stop()

    def end_handler(self, seconds: float, idle: bool) -> TickwireError | None:
        """Call the handler's ``close()`` if it has one and is *idle*, end its event loop; return the error, if any."""
        close = getattr(self._handler, "close", None)
        trouble = self._closed(close, seconds) if callable(close) and idle else None
        if self._loop is not None and not self._loop.stop(_LOOP_END_S):
            logger.warning("consumer.handler_unfinished seconds=%g thread=tickwire-handler", _LOOP_END_S)
        return trouble

    def _closed(self, close: Callable[[], Any], seconds: float) -> HandlerNotClosed | None:
        errors: list[BaseException] = []

        def run() -> None:
            try:
                self._wait_for(close())
            except BaseException as error:  # noqa: BLE001 - whatever it is, it is logged and ends the consumer
                errors.append(error)

        thread = threading.Thread(target=run, name="tickwire-close", daemon=True)  # close() may never return
        thread.start()
        thread.join(seconds)
        if thread.is_alive():
            logger.warning("consumer.handler_not_closed seconds=%g", seconds)
            return HandlerNotClosed(f"did not end within {seconds:.0f} s")
        if not errors:
            return None
        logger.warning("consumer.handler_not_closed", exc_info=errors[0])
        return HandlerNotClosed(f"failed ({type(errors[0]).__name__}: {str(errors[0])[:300]})")

    def _run_through(self, assigned: AssignedPartition) -> tuple[float, Exception | None]:
        """Hand over records of the batch until one fails or the turn is over."""
        until = time.monotonic() + _SLICE_S
        away = assigned.prepare(len(assigned.batch)) if self._prepares else None
        waiting = (len(assigned.batch) if away is None else assigned.prepared) - assigned.at
        room = MAX_UNCOMMITTED - assigned.progress.uncommitted
        if waiting and room <= 0 and not assigned.attempts:
            return BLOCKED, None
        end = assigned.at + min(waiting, max(room, 1))
        while assigned.at < end and not assigned.closed:
            if self._books is not None and not assigned.attempts:
                self._run_plain(assigned, end, self._books)
            stop = end if self._books is None else min(end, assigned.at + 1)
            wait, error = self._run_singly(assigned, stop, until)
            if wait or error is not None:
                return wait, error
            if time.monotonic() >= until:
                break
        return 0.0, away if assigned.at == assigned.prepared else None

    def _run_plain(self, assigned: AssignedPartition, end: int, books: MarketState) -> None:
        """Let the default handler apply plain changes of books together."""
        granted = self._allowance.take(assigned, end - assigned.at)
        done = assigned.batch[assigned.at : books.follow(assigned.batch, assigned.at, assigned.at + granted)]
        if done and not assigned.progress.finish(done[-1].offset, len(done)):  # lost meanwhile
            assigned.closed = True
            done = ()
        self._allowance.give_back(granted - len(done))
        assigned.end(done)

    def _run_singly(self, assigned: AssignedPartition, end: int, until: float) -> tuple[float, Exception | None]:
        handler: RecordHandler = self._handler  # type: ignore[assignment]  # it is no BatchHandler here
        see, finish, clock, limited = self._see, assigned.progress.finish, time.monotonic, self._allowance.limited
        done = 0
        records = assigned.batch[assigned.at : end]
        try:
            for record in records:
                if assigned.closed:
                    break
                if not assigned.attempts:
                    if limited and not self._allowance.take(assigned, 1):
                        return BLOCKED, None
                    if see is not None:
                        see(record)
                try:
                    result = handler(record) if record.unreadable is None else _refuse(record.unreadable)
                    if result is not None:
                        self._wait_for(result)
                except Exception as error:  # noqa: BLE001 - a handler may raise anything; it is logged, counted and kept
                    assigned.attempts += 1
                    return 0.0, error
                assigned.attempts = 0
                if not finish(record.offset):  # lost meanwhile
                    self._allowance.give_back(1)
                    assigned.closed = True
                    break
                done += 1
                if clock() >= until:
                    break
        finally:
            assigned.end(records[:done])
        return 0.0, None

    def _run_batch(self, assigned: AssignedPartition, batching: Batching) -> tuple[float, Exception | None]:
        """Hand a batch over once it is large or old enough, or one record of a batch that failed."""
        if assigned.closed:
            return 0.0, None
        waiting = min(assigned.at + batching.records, len(assigned.batch))
        if self._prepares and not assigned.begun and (away := assigned.prepare(waiting)) is not None:
            return 0.0, away
        wait = 0.0 if assigned.begun else self._begin_batch(assigned, batching)
        if not assigned.begun:
            return wait, None
        records = assigned.batch[assigned.at : assigned.at + (1 if assigned.singly else assigned.begun)]
        assigned.attempts += 1
        try:
            for record in records:
                if record.unreadable is not None:
                    _refuse(record.unreadable)
            self._wait_for(batching.call(records))
        except Exception as error:  # noqa: BLE001 - as above
            return 0.0, error
        assigned.attempts = 0
        if assigned.progress.finish(records[-1].offset, len(records)):
            assigned.end(records)
        else:  # lost meanwhile
            self._allowance.give_back(len(records))
            assigned.closed = True
        return 0.0, None

    def _begin_batch(self, assigned: AssignedPartition, batching: Batching) -> float:
        """Begin the records that are due; else return how long to wait. Those that wait are nobody's yet."""
        waiting = len(assigned.batch) - assigned.at
        room = MAX_UNCOMMITTED - assigned.progress.uncommitted
        if not waiting or room <= 0:
            return BLOCKED if waiting else 0.0
        wanted = min(waiting, batching.records, room)
        full = wanted == batching.records or assigned.queue or assigned.holds(1) or self._allowance.is_at_most(wanted)
        if not full and (left := assigned.since + batching.seconds - time.monotonic()) > 0:
            return min(left, _LOOK_S)
        granted = self._allowance.take(assigned, wanted)
        if not granted:
            return BLOCKED
        if self._see is not None:
            for record in assigned.batch[assigned.at : assigned.at + granted]:
                self._see(record)
        assigned.begun, assigned.singly, assigned.since = granted, False, time.monotonic()
        return 0.0

    def _failed_attempt(self, assigned: AssignedPartition, error: Exception) -> float:
        record, attempts = assigned.batch[assigned.at], assigned.attempts
        together = 1 if assigned.singly else max(1, assigned.begun)
        where = f"topic={record.topic} partition={record.partition} offset={record.offset}"
        if isinstance(error, (RegistryFailed, RegistryNotSet)):
            return self._wait_for_registry(assigned, where, error)
        if is_transient(error) and attempts < self._max_attempts:
            metrics.CONSUMER_RETRIES.labels(record.topic).inc()
            if attempts == 1:
                self._errors.log(f"consumer.retry {where} records={together} error={_said(error)!r}", error)
            return random.uniform(0.001, longest_backoff(attempts))  # noqa: S311 - spreads load, guards nothing
        if together > 1:
            self._errors.log(
                f"consumer.batch_failed {where} records={together} error={_said(error)!r} attempts={attempts}", error
            )
            assigned.singly, assigned.attempts = True, 0
            return 0.0
        return self._reject(assigned, record, error)

    def _wait_for_registry(
        self, assigned: AssignedPartition, where: str, error: RegistryFailed | RegistryNotSet
    ) -> float:
        """Try again for as long as it takes: the record is not wrong. What does not pass by waiting is the end."""
        if not error.retryable:
            raise error
        assigned.waits += 1
        assigned.prepared = assigned.at
        metrics.CONSUMER_RETRIES.labels(assigned.partition[0]).inc()
        if assigned.waits == 1:
            logger.warning("consumer.registry_away %s error=%r", where, str(error))
        return random.uniform(0.001, longest_backoff(assigned.waits))  # noqa: S311 - as above

    def _reject(self, assigned: AssignedPartition, record: ReceivedRecord, error: Exception) -> float:
        attempts = assigned.attempts
        failure = describe(error, attempts)
        self._errors.log(
            f"consumer.rejected topic={record.topic} partition={record.partition} offset={record.offset} "
            f"type={failure.error_type} error={failure.message!r} attempts={attempts}",
            error,
        )
        metrics.CONSUMER_ERRORS.labels(record.topic).inc()
        if self._writer is None:
            raise ProcessingFailed(record.topic, record.partition, record.offset, _why(failure)) from error
        too_many = self._limit.dead()
        if too_many is not None:
            raise TooManyDeadLetters(record.topic, record.partition, record.offset, too_many, _why(failure)) from error

        def done(written: bool) -> None:
            if written and assigned.progress.finish(record.offset):
                assigned.end([record])
                assigned.attempts = 0
                self._count(assigned, 0, 1)
            else:
                assigned.closed = True  # given up, or lost meanwhile
            assigned.letter = False
            self._wake(assigned)

        assigned.letter = True
        self._writer.submit(record, failure, lambda: assigned.progress.ours, done)
        return BLOCKED

    def _count(self, assigned: AssignedPartition, processed: int, dead_letters: int) -> None:
        if processed:
            self._limit.good(processed)
        self._ended(Ended(assigned, processed, dead_letters))

    def _wait_for(self, result: object) -> None:
        """Await what a handler returned, if it can be."""
        if inspect.isawaitable(result):
            self._event_loop().run(result)

    def _event_loop(self) -> HandlerLoop:
        with self._lock:
            if self._loop is None:
                self._loop = HandlerLoop(self._failed)
            return self._loop


def _refuse(why: str) -> NoReturn:
    raise RecordRejected("deserialize", why)


def _why(failure: Failure) -> str:
    return f"{failure.error_type}: {failure.message[:300]}"


def _said(error: Exception) -> str:
    return f"{type(error).__name__}: {error}"
