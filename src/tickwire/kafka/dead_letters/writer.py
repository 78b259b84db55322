"""The thread that writes dead letters, again and again until Kafka takes them."""

import logging
import random
import threading
import time
from collections.abc import Callable
from queue import SimpleQueue
from typing import NamedTuple

from tickwire import metrics
from tickwire.errors import DeadLetterNotWritten
from tickwire.kafka.dead_letters.headers import DeadLetters, Failure
from tickwire.kafka.received import ReceivedRecord

logger = logging.getLogger(__name__)

REMIND_SECONDS = 30.0
_FIRST_BACKOFF_S = 0.2
_MOST_BACKOFF_S = 10.0


class _Job(NamedTuple):
    record: ReceivedRecord
    failure: Failure
    wanted: Callable[[], bool]
    done: Callable[[bool], None]


class DlqWriter:
    """Writes one after the other. A partition has at most one here, which bounds the queue."""

    def __init__(self, dead_letters: DeadLetters, failed: Callable[[BaseException], None]) -> None:
        self._dead_letters, self._failed = dead_letters, failed
        self._jobs: SimpleQueue[_Job | None] = SimpleQueue()
        self._stop = threading.Event()
        self._not_writable_since: float | None = None
        self._remind_at = 0.0
        self._thread = threading.Thread(target=self._run, name="tickwire-dead-letters", daemon=True)
        self._thread.start()

    def submit(
        self, record: ReceivedRecord, failure: Failure, wanted: Callable[[], bool], done: Callable[[bool], None]
    ) -> None:
        """Write a dead letter while it is *wanted*; *done* is called with whether Kafka acknowledged it."""
        self._jobs.put(_Job(record, failure, wanted, done))

    @property
    def stuck(self) -> bool:
        """Tell whether the dead-letter topic did not take the last one."""
        return self._not_writable_since is not None

    def stop(self) -> None:
        """Give up what is not written."""
        self._stop.set()
        self._dead_letters.stop()
        self._jobs.put(None)
        self._thread.join(1.0)

    def _run(self) -> None:
        while (job := self._jobs.get()) is not None:
            try:
                job.done(self._write(job))
            except BaseException as error:  # noqa: BLE001 - the polling thread raises it
                self._failed(error)
                job.done(False)

    def _write(self, job: _Job) -> bool:
        longest = _FIRST_BACKOFF_S
        while job.wanted() and not self._stop.is_set():
            try:
                self._dead_letters.write(job.record, job.failure)
            except DeadLetterNotWritten as error:
                metrics.CONSUMER_ERRORS.labels(job.record.topic).inc()
                if not error.retryable:
                    raise
                self._note(error)
                self._stop.wait(random.uniform(longest / 2, longest))  # noqa: S311 - spreads load, guards nothing
                longest = min(2 * longest, _MOST_BACKOFF_S)
            else:
                if self._not_writable_since is not None:
                    seconds = time.monotonic() - self._not_writable_since
                    logger.warning("consumer.dlq_writable topic=%s after_s=%.1f", self._dead_letters.topic, seconds)
                    self._not_writable_since = None
                return True
        return False

    def _note(self, error: DeadLetterNotWritten) -> None:
        now = time.monotonic()
        if self._not_writable_since is None:
            self._not_writable_since = now
        elif now < self._remind_at:
            return
        self._remind_at = now + REMIND_SECONDS
        logger.warning(
            "consumer.dlq_not_writable topic=%s since_s=%.1f error=%r offset_held=%s-%d@%d",
            self._dead_letters.topic,
            now - self._not_writable_since,
            error.cause,
            error.source[0],
            error.source[1],
            error.source[2],
        )
