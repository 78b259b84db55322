"""Writes dead letters in a thread, retrying each until Kafka has acknowledged it."""

import logging
import random
import threading
import time
from collections.abc import Callable
from queue import SimpleQueue
from typing import NamedTuple

from confluent_kafka import KafkaError, KafkaException, Message, Producer

from tickwire import metrics
from tickwire.config.kafka_config import KafkaConfig
from tickwire.errors import DeadLetterNotWritten
from tickwire.kafka import codes
from tickwire.kafka.clients import make, producer_config
from tickwire.kafka.dead_letters.headers import (
    Failure,
    HeaderList,
    failure_headers,
    replay_count,
    split_headers,
    split_replay,
)
from tickwire.kafka.received import ReceivedRecord

logger = logging.getLogger(__name__)

REMIND_SECONDS = 30.0
_FIRST_BACKOFF_S = 0.2
_MOST_BACKOFF_S = 10.0
_DELIVERY_S = 10.0
# What is left out step by step while the topic refuses the record as too large.
_LEFT_OUT = ("nothing", "headers", "headers,value", "headers,value,key")


class _Job(NamedTuple):
    record: ReceivedRecord
    failure: Failure
    wanted: Callable[[], bool]
    done: Callable[[bool], None]


class DeadLetters:
    """Writes dead letters and waits until Kafka has acknowledged each."""

    def __init__(self, config: KafkaConfig, group: str) -> None:
        self.topic = config.dlq_topic
        self._group = group
        self._stopped = False
        settings = producer_config(config) | {
            "linger.ms": 0,  # each is waited for
            "message.timeout.ms": int(_DELIVERY_S * 1000),  # the offset is held, so nothing is lost
        }
        self._producer = make(Producer, settings)

    def write(self, record: ReceivedRecord, failure: Failure) -> None:
        """Write one dead letter and wait for its acknowledgement.

        Raises :exc:`~tickwire.errors.DeadLetterNotWritten` without one; then the record must not be committed.
        """
        original, copied = split_headers(record.headers)  # a dead letter that another tool sent back unchanged
        original, replayed = split_replay(original)
        ours = failure_headers(record, failure, self._group, time.time(), replay_count(copied, replayed))
        for step, left_out in enumerate(_LEFT_OUT):
            if step == 0 and record.unreadable is not None:
                continue
            headers: HeaderList = [*(original if step < 1 else ()), *ours, ("left_out", left_out.encode())]
            value = record.value if step < 2 else None
            key = record.key if step < 3 else None
            error = self._deliver(key, value, headers)
            if error is None or error.code() not in codes.TOO_LARGE:
                break
        if error is not None:
            source = (record.topic, record.partition, record.offset)
            raise DeadLetterNotWritten(self.topic, source, error.str(), not codes.refused_for_good(error))
        metrics.DLQ_PUBLISHED.labels(self.topic, record.topic, failure.error_type).inc()

    def stop(self) -> None:
        """Abort a write in another thread."""
        self._stopped = True

    def _deliver(self, key: bytes | None, value: bytes | None, headers: HeaderList) -> KafkaError | None:
        """Produce and wait for the report; None is the acknowledgement."""
        reports: list[KafkaError | None] = []

        def delivered(error: KafkaError | None, _message: Message) -> None:
            reports.append(error)

        try:
            self._producer.produce(self.topic, value, key, headers=[*headers], on_delivery=delivered)
            deadline = time.monotonic() + _DELIVERY_S + 5  # librdkafka reports earlier; this only bounds the loop
            while not reports and not self._stopped and time.monotonic() < deadline:
                self._producer.poll(0.1)
        except KafkaException as e:
            error: KafkaError = e.args[0]
            return error
        return reports[0] if reports else KafkaError(codes.NOT_REPORTED)


class DeadLetterWriter:
    """Writes one after the other. Each partition has at most one in the queue, which bounds it."""

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
        """Whether the dead-letter topic did not take the last one."""
        return self._not_writable_since is not None

    def stop(self) -> None:
        """Give up unwritten ones."""
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
