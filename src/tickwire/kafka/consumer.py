"""Reads topics as a member of a consumer group, at least once.

The offset of a record is committed only after its handler returned or its dead letter was acknowledged. Commits are
sent every :data:`COMMIT_RECORDS` records or :data:`COMMIT_SECONDS` seconds, when a partition is taken away, and at the
end. So a crash repeats at most what was handled since the last commit that Kafka answered.
"""

import logging
import threading
import time
from collections.abc import Callable, Sequence
from typing import Any, Protocol

from confluent_kafka import Consumer, KafkaError, KafkaException, Message, TopicPartition

from tickwire import metrics
from tickwire.config.kafka_config import KafkaConfig
from tickwire.errors import KafkaFailed
from tickwire.kafka.clients import consumer_config, unusable
from tickwire.kafka.commit_tracker import CommitTracker, Partition
from tickwire.kafka.consumer_errors import MISSING, final_error, for_good, gone, log_client_error
from tickwire.kafka.consumer_report import ConsumerReport
from tickwire.kafka.dead_letters import ERROR_TYPES, DeadLetters
from tickwire.kafka.handlers import Handler
from tickwire.kafka.market_state import MarketState
from tickwire.kafka.processing import Processor
from tickwire.kafka.received import ReceivedRecord
from tickwire.kafka.start_positions import COMMITTED, Position, Start, resolve
from tickwire.kafka.subscription import prepare_topics

logger = logging.getLogger(__name__)

COMMIT_RECORDS = 500
COMMIT_SECONDS = 1.0
CLOSE_SECONDS = 15.0
TICK_SECONDS = 0.5
_POLL_S = 0.2  # how late a stop is noticed
_MISSING_S = 5.0  # a topic that is gone for this long is not merely unknown to some broker yet

_SETTINGS: dict[str, Any] = {
    # The heartbeats come from librdkafka's own thread, so a crashed consumer is replaced after 10 s instead of 45.
    "session.timeout.ms": 10_000,
    "heartbeat.interval.ms": 3_000,
}


class Observer(Protocol):
    """Watches a consumer, for output."""

    def record(self, record: ReceivedRecord) -> None:
        """See a record before its handler does."""

    def tick(self, report: ConsumerReport) -> None:
        """See the counts, about twice a second and once before the end. The last commits are counted after that."""


def run_kafka_consumer(
    config: KafkaConfig,
    *,
    topics: Sequence[str] | None = None,
    group: str | None = None,
    start: Start = COMMITTED,
    handler: Handler | None = None,
    max_records: int | None = None,
    stopping: Callable[[], bool] = lambda: False,
    observer: Observer | None = None,
) -> ConsumerReport:
    """Hand every record of *topics* to *handler* until *stopping* says yes or *max_records* are done; blocks.

    Without *topics*, *group* and *handler*: the topics and the group of *config*, and a new
    :class:`~tickwire.kafka.market_state.MarketState`. See :mod:`tickwire.kafka.handlers` for what a handler may do.

    Raises :exc:`~tickwire.errors.UsageError` for a subscription that cannot be, :exc:`~tickwire.errors.KafkaFailed`,
    and :exc:`~tickwire.errors.ProcessingFailed` for a record that cannot be processed while dead letters are off.
    Everything handled before is committed then.
    """
    topics = config.topics if topics is None else tuple(dict.fromkeys(topics))
    group = group or config.group_id
    prepare_topics(config, topics)
    dead_letters = DeadLetters(config, group) if config.dlq_enabled else None
    handler = handler or MarketState()
    processor = Processor(handler, dead_letters, stopping)
    _show_zeros(config, topics)
    try:
        runner = _Runner(consumer_config(config, group), topics, start, processor, observer)
        runner.on_revoked = getattr(handler, "revoked", None)
        return runner.run(max_records, stopping)
    finally:
        processor.close()


def _show_zeros(config: KafkaConfig, topics: Sequence[str]) -> None:
    """Bind the labels that are known, which makes their zeros visible."""
    for topic in topics:
        metrics.CONSUMER_COMMITS.labels(topic)
        metrics.CONSUMER_ERRORS.labels(topic)
        for error_type in ERROR_TYPES if config.dlq_enabled else ():
            metrics.DLQ_PUBLISHED.labels(config.dlq_topic, topic, error_type)


class _Runner:
    """The one thread that polls, handles and commits."""

    def __init__(
        self,
        settings: dict[str, Any],
        topics: Sequence[str],
        start: Start,
        processor: Processor,
        observer: Observer | None,
    ) -> None:
        self._topics = list(topics)
        self._start = start
        self._processor = processor
        self._observer = observer
        self._tracker = CommitTracker()
        self._report = ConsumerReport(topics)
        self._first: dict[Partition, int] = {}  # where each partition was begun by this process
        self._since_commit = 0
        self._commit_at = self._tick_at = 0.0
        self._commit_in_flight = False
        self._closing = False
        self._missing_since: dict[str, float] = {}
        self.on_revoked: Callable[[str, int], object] | None = None
        callbacks = {"on_commit": self._on_commit, "error_cb": log_client_error}
        try:
            self._consumer = Consumer(settings | _SETTINGS | callbacks)
        except KafkaException as e:
            raise unusable(e) from e

    def run(self, max_records: int | None, stopping: Callable[[], bool]) -> ConsumerReport:
        """Read until the end, then commit and leave the group; also after an error."""
        try:
            self._consumer.subscribe(
                self._topics, on_assign=self._on_assign, on_revoke=self._on_revoke, on_lost=self._on_lost
            )
            self._read(max_records, stopping)
        except BaseException as error:
            trouble = self._close()
            if trouble is not None:
                logger.error("consumer.close_failed error=%r", str(trouble))  # noqa: TRY400 - the first error matters
            if isinstance(error, KafkaException):
                raise for_good(error.args[0]) from error
            raise
        trouble = self._close()
        if trouble is not None:
            raise trouble
        return self._report

    def _read(self, max_records: int | None, stopping: Callable[[], bool]) -> None:
        poll, left = self._consumer.poll, max_records
        while not stopping():
            message = poll(_POLL_S)
            if message is not None:
                error = message.error()
                if error is not None:
                    self._client_error(error, message)
                elif self._take(message) and left is not None:
                    left -= 1
                    if left == 0:
                        return
            now = time.monotonic()
            if now >= self._commit_at or self._since_commit >= COMMIT_RECORDS:
                self._commit_soon(now)
            if now >= self._tick_at:
                self._tick(now)

    def _take(self, message: Message) -> bool:
        """Handle one record; False when that was not possible because the partition or the time was over."""
        record = ReceivedRecord.from_message(message)
        topic = record.topic
        progress = self._tracker.get((topic, record.partition))
        if progress is None:
            return False  # read ahead before the partition went to another consumer
        progress.begin(record.offset)
        if self._observer is not None:
            self._observer.record(record)
        try:
            outcome = self._processor.process(record)
        except Exception:
            metrics.CONSUMER_ERRORS.labels(topic).inc()
            raise
        if outcome == "unfinished":
            return False
        if outcome == "dead_letter":
            metrics.CONSUMER_ERRORS.labels(topic).inc()
        progress.finish(record.offset)
        self._since_commit += 1
        self._report.count(topic, outcome)
        return True

    def _client_error(self, error: KafkaError, message: Message) -> None:
        topic = message.topic() or ""
        metrics.CONSUMER_ERRORS.labels(topic).inc()
        final = final_error(error, topic, message.partition(), message.offset())
        if final is not None:
            raise final
        logger.warning("consumer.client_error topic=%s code=%s error=%r", topic, error.name(), error.str())

    def _on_assign(self, consumer: Consumer, partitions: list[TopicPartition]) -> None:
        names = [(p.topic, p.partition) for p in partitions]
        positions = resolve(consumer, self._start, [name for name in names if name not in self._first])
        for name, position in resolve(consumer, COMMITTED, [name for name in names if name in self._first]).items():
            unknown = position.committed is None
            positions[name] = Position(self._first[name], None) if unknown else position
        for name, position in positions.items():
            self._first.setdefault(name, position.offset)
            self._tracker.assign(name, position.offset, position.committed)
        self._report.assigned = len(self._tracker.assigned())
        logger.info("consumer.assigned partitions=%s", _shown(positions))
        consumer.incremental_assign([TopicPartition(*name, position.offset) for name, position in positions.items()])

    def _on_revoke(self, _consumer: Consumer, partitions: list[TopicPartition]) -> None:
        if not self._closing:
            self._commit_now()
        self._give_up(partitions, "revoked")

    def _on_lost(self, _consumer: Consumer, partitions: list[TopicPartition]) -> None:
        """Commit nothing: another consumer may have these partitions already."""
        self._give_up(partitions, "lost")

    def _give_up(self, partitions: Sequence[TopicPartition], how: str) -> None:
        names = [(p.topic, p.partition) for p in partitions]
        self._tracker.lose(names)
        if self._closing:
            return
        self._report.assigned = len(self._tracker.assigned())
        logger.info("consumer.%s partitions=%s", how, names)
        for name in names:
            self._report.forget_lag(name)
            if self.on_revoked is not None:
                self.on_revoked(*name)

    def _commit_soon(self, now: float) -> None:
        """Send what is due without waiting; one commit at a time, so that none can overtake another.

        Raises :exc:`~tickwire.errors.KafkaFailed` when a topic has gone: only its commits tell.
        """
        due = self._tracker.due()
        if due and not self._commit_in_flight:
            self._commit_in_flight = True
            self._consumer.commit(offsets=_offsets(due), asynchronous=True)
        self._since_commit = 0
        self._commit_at = now + COMMIT_SECONDS
        for topic, since in self._missing_since.items():
            if now - since > _MISSING_S:
                raise gone(topic)

    def _commit_now(self) -> None:
        due = _offsets(self._tracker.due())
        if not due:
            return
        try:
            answer = self._consumer.commit(offsets=due, asynchronous=False)
        except KafkaException as e:
            self._on_commit(e.args[0], due)
        else:
            self._on_commit(None, answer or [])

    def _on_commit(self, error: KafkaError | None, partitions: Sequence[TopicPartition]) -> None:
        """Take Kafka's answer; what it refused stays due. Answers to waiting commits come here a second time."""
        self._commit_in_flight = False
        confirmed, refused = set(), {}
        for p in partitions:
            problem = error or p.error
            if problem is not None:
                refused[p.topic] = problem
            elif self._tracker.confirm((p.topic, p.partition), p.offset):
                confirmed.add(p.topic)
        for topic in confirmed:
            self._report.commits[topic] += 1
            metrics.CONSUMER_COMMITS.labels(topic).inc()
            self._missing_since.pop(topic, None)
        for topic, problem in refused.items():
            if problem.code() in MISSING:
                self._missing_since.setdefault(topic, time.monotonic())
            metrics.CONSUMER_ERRORS.labels(topic).inc()
            logger.warning("consumer.commit_failed topic=%s code=%s error=%r", topic, problem.name(), problem.str())

    def _tick(self, now: float) -> None:
        self._tick_at = now + TICK_SECONDS
        for name, progress in self._tracker.assigned().items():
            known = self._consumer.get_watermark_offsets(TopicPartition(*name), cached=True)
            if known is not None and known[1] >= 0:
                self._report.set_lag(name, max(0, known[1] - progress.position))
        if self._observer is not None:
            self._observer.tick(self._report)

    def _close(self) -> KafkaFailed | None:
        """Commit and leave, in a thread because both may hang for as long as Kafka does not answer."""
        self._tick(time.monotonic())
        uncommitted: list[dict[Partition, int]] = []
        closer = threading.Thread(target=self._commit_and_leave, args=(uncommitted,), daemon=True)
        self._closing = True
        closer.start()
        closer.join(CLOSE_SECONDS)
        if uncommitted and not uncommitted[0]:
            if closer.is_alive():
                logger.warning("consumer.leave_hangs seconds=%g", CLOSE_SECONDS)
            return None
        return KafkaFailed(
            f"Kafka did not confirm the last commit within {CLOSE_SECONDS:g} s: what was handled since the one before "
            "will be delivered again; check that the brokers answer (`tickwire check`)."
        )

    def _commit_and_leave(self, uncommitted: list[dict[Partition, int]]) -> None:
        self._commit_now()
        uncommitted.append(self._tracker.due())
        self._consumer.close()


def _offsets(due: dict[Partition, int]) -> list[TopicPartition]:
    return [TopicPartition(topic, number, offset) for (topic, number), offset in due.items()]


def _shown(positions: dict[Partition, Position]) -> str:
    return ",".join(f"{topic}-{number}@{position.offset}" for (topic, number), position in positions.items())
