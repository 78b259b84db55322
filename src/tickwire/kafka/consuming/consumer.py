"""Reads topics as a member of a consumer group, at least once.

The offset of a record is committed only after its handler returned or its dead letter was acknowledged. Commits are
sent every :data:`COMMIT_RECORDS` records or :data:`COMMIT_SECONDS` seconds, when a partition is revoked, and at the
end. A crash repeats at most the records handled since the last answered commit, and never more than
:data:`~tickwire.kafka.consuming.processing.MAX_UNCOMMITTED` records of a partition: handling waits there for an answer.

Handlers run in threads of their own, so a slow one never stops the polling, on which the group membership depends.
"""

import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any

from confluent_kafka import Consumer, KafkaError, KafkaException, Message

from tickwire import metrics
from tickwire.config.kafka_config import KafkaConfig
from tickwire.errors import KafkaFailed, OffsetLost, TickwireError
from tickwire.kafka.clients import consumer_config, make
from tickwire.kafka.codes import END_OF_PARTITION, MISSING, final_error, for_good
from tickwire.kafka.consuming.assignment import Assignment
from tickwire.kafka.consuming.commits import Commits
from tickwire.kafka.consuming.connection import Connection
from tickwire.kafka.consuming.group_start import start_group
from tickwire.kafka.consuming.handlers import Handler
from tickwire.kafka.consuming.market_state import MarketState
from tickwire.kafka.consuming.partitions import AssignedPartition, HandlerThreads
from tickwire.kafka.consuming.positions import COMMITTED, Start
from tickwire.kafka.consuming.processing import MAX_UNCOMMITTED, Ended, Processor
from tickwire.kafka.consuming.progress import CommitTracker, Partition
from tickwire.kafka.consuming.report import ConsumerReport, Observer, RecordObserver
from tickwire.kafka.consuming.subscription import prepare_topics
from tickwire.kafka.dead_letters.headers import ERROR_TYPES
from tickwire.kafka.dead_letters.writer import DeadLetters
from tickwire.kafka.received import receive, value_reader

logger = logging.getLogger(__name__)

COMMIT_RECORDS = 500
COMMIT_SECONDS = 1.0
CLOSE_SECONDS = 15.0
TICK_SECONDS = 0.5
_POLL_S = 0.2  # longest delay until a stop is noticed
_BUSY_POLL_S = 0.02  # the same while handlers work
# Pausing discards fetched records, often hundreds of thousands, which are fetched and unpacked once more, and a resumed
# partition may get none for a second (findings/librdkafka-resume-waits.sh). So a full partition is paused only if it is
# full for the longer time, or if another one has much room and this one frees less than a tenth of its own in the
# shorter time without waiting for Kafka's answer to a commit.
_PATIENCE_S = 0.05
_LONGEST_PATIENCE_S = 1.0
_JOIN_S = 0.5
_JOINING_S = 15.0  # after this it is logged that no assignment has come

_SETTINGS: dict[str, Any] = {
    # The heartbeats come from librdkafka's own thread, so a crashed consumer is replaced after 10 s instead of 45.
    "session.timeout.ms": 10_000,
    "heartbeat.interval.ms": 3_000,
}


def run_kafka_consumer(
    config: KafkaConfig,
    *,
    topics: Sequence[str] | None = None,
    group: str | None = None,
    start: Start = COMMITTED,
    reset: bool = False,
    handler: Handler | None = None,
    max_records: int | None = None,
    stopping: Callable[[], bool] = lambda: False,
    observer: Observer | None = None,
) -> ConsumerReport:
    """Pass every record of *topics* to *handler* until *stopping* returns true or *max_records* are done; blocks.

    *topics* and *group* default to those of *config*, *handler* to a new
    :class:`~tickwire.kafka.consuming.market_state.MarketState`. See :mod:`tickwire.kafka.consuming.handlers` for what a
    handler may do. *start* applies to topics for which the group has no committed offset, with *reset* to all topics.

    Raises :exc:`~tickwire.errors.UsageError` for an invalid subscription, :exc:`~tickwire.errors.KafkaFailed`,
    :exc:`~tickwire.errors.ProcessingFailed` for a record that cannot be processed while dead letters are off, and
    :exc:`~tickwire.errors.TooManyDeadLetters`. Records handled before the error are committed.
    """
    topics = config.topics if topics is None else tuple(dict.fromkeys(topics))
    group = group or config.group_id
    prepare_topics(config, topics, group)
    dead_letters = DeadLetters(config, group) if config.dlq_enabled else None
    _show_zeros(config, topics)
    begun = {}
    if start.kind != "committed":
        begun = start_group(consumer_config(config, group), group, start, topics, reset=reset)
    return _Runner(config, group, topics, begun, MarketState() if handler is None else handler, observer).run(
        dead_letters, max_records, stopping
    )


def _show_zeros(config: KafkaConfig, topics: Sequence[str]) -> None:
    """Create the metric series for the known labels, which exports their zeros."""
    for topic in topics:
        metrics.CONSUMER_COMMITS.labels(topic)
        metrics.CONSUMER_ERRORS.labels(topic)
        metrics.CONSUMER_SKIPPED.labels(topic)
        metrics.CONSUMER_RETRIES.labels(topic)
        for error_type in ERROR_TYPES if config.dlq_enabled else ():
            metrics.DLQ_PUBLISHED.labels(config.dlq_topic, topic, error_type)


def _member_settings(config: KafkaConfig, group: str) -> dict[str, Any]:
    # The end of a partition shows how far it is read: some offsets have no record (transactions, deleted ones).
    settings = consumer_config(config, group) | {"enable.partition.eof": True}
    if config.group_protocol == "consumer":
        # The broker assigns partitions and sets the time-outs: https://cwiki.apache.org/confluence/x/HhD1D (KIP-848).
        del settings["partition.assignment.strategy"]
        settings["group.protocol"] = "consumer"
    else:
        settings |= _SETTINGS
    if config.group_instance_id is not None:
        settings["group.instance.id"] = config.group_instance_id
    return settings


class _Runner:
    """The thread that polls and commits; everything here runs on it unless it says otherwise."""

    def __init__(
        self,
        config: KafkaConfig,
        group: str,
        topics: Sequence[str],
        begun: dict[Partition, int],
        handler: Handler,
        observer: Observer | None,
    ) -> None:
        self._config = config
        self._topics = list(topics)
        self._handler = handler
        self._observer = observer
        self._reader = value_reader(config)
        self._tracker = CommitTracker()
        self._report = ConsumerReport(topics)
        self._begun = begun  # start offsets of partitions without a committed one
        self._since_commit = 0
        self._commit_at = self._tick_at = 0.0
        self._joining_until = float("inf")
        # Written by other threads, collected by this one:
        self._ended: deque[Ended] = deque()
        self._failures: deque[BaseException] = deque()
        self._progress = threading.Event()
        self._commits = Commits(self._tracker, self._report, self._confirmed)
        self._connection = Connection(config)
        callbacks = {"on_commit": self._commits.answered, "error_cb": self._connection.heard}
        self._consumer = make(Consumer, _member_settings(config, group) | callbacks)

    def run(
        self, dead_letters: DeadLetters | None, max_records: int | None, stopping: Callable[[], bool]
    ) -> ConsumerReport:
        """Read until the end or an error, then commit and leave the group."""
        see = self._observer.record if isinstance(self._observer, RecordObserver) else None
        self._processor = Processor(
            self._config,
            self._handler,
            dead_letters,
            max_records,
            see,
            self._note_ended,
            self._wake,
            self._note_failure,
        )
        self._workers = HandlerThreads(self._config.consumer_concurrency, self._processor.work, self._note_failure)
        self._assignment = ours = Assignment(
            self._consumer,
            self._tracker,
            self._commits,
            self._processor,
            self._workers,
            self._begun,
            self._report,
            getattr(self._handler, "revoked", None),
        )
        try:
            self._consumer.subscribe(
                self._topics, on_assign=ours.on_assign, on_revoke=ours.on_revoke, on_lost=ours.on_lost
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
        self._joining_until = time.monotonic() + _JOINING_S
        poll, consume = self._consumer.poll, self._consumer.consume
        while not stopping():
            message = poll(_BUSY_POLL_S if self._assignment.busy else _POLL_S)
            if message is not None:
                self._make_room(self._take([message, *consume(self._assignment.poll_records, 0)]))
            self._collect()
            if self._failures:
                raise self._failures[0]
            if max_records is not None and self._report.consumed.total() >= max_records:
                return
            self._assignment.resume()
            now = time.monotonic()
            self._commit(now)
            if now >= self._tick_at:
                self._tick(now)

    def _commit(self, now: float) -> None:
        due = now >= self._commit_at or self._since_commit >= COMMIT_RECORDS
        if due and self._commits.send(self._consumer):
            self._since_commit = 0
            self._commit_at = now + COMMIT_SECONDS

    def _take(self, messages: list[Message]) -> set[AssignedPartition]:
        """Pass records to the workers; return the partitions that got some."""
        these: set[AssignedPartition] = set()
        at = 0
        while at < len(messages):
            if batch := receive(messages, at, self._reader):
                self._assignment.give(batch, these)
                at += len(batch)
                continue
            message, at = messages[at], at + 1
            if (error := message.error()) is None:
                continue  # cannot happen: the batch would not be empty
            if error.code() == END_OF_PARTITION:
                self._assignment.at_end((message.topic() or "", message.partition() or 0), message.offset() or 0)
            else:
                self._client_error(error, message)
        return these

    def _make_room(self, these: set[AssignedPartition]) -> None:
        """Wait until no partition is full; pause those that stay so."""
        begun = until = look_at = time.monotonic()
        before: dict[AssignedPartition, tuple[int, int]] = {}
        while (full := self._assignment.full(these)) and not self._failures:
            now = time.monotonic()
            if now >= begun + _LONGEST_PATIENCE_S:
                self._assignment.pause(full)
                return
            waiting = {one for one in full if one.progress.uncommitted >= MAX_UNCOMMITTED}
            if now >= until:
                slow = [one for one in full if one in before and not one.frees_much(before[one])]
                if not self._assignment.none_has_room:
                    self._assignment.pause([one for one in slow if one not in waiting])
                until, before = now + _PATIENCE_S, {one: one.done for one in full}
            self._progress.clear()
            self._progress.wait(_PATIENCE_S / 5)
            self._collect()
            self._commit(now)
            if waiting and now >= look_at:  # for the answer; records come with it, one for each look
                look_at = now + _PATIENCE_S / 5
                if (message := self._consumer.poll(0)) is not None:
                    self._take([message])

    def _collect(self) -> None:
        """Process what other threads have left."""
        while self._ended:
            assigned, processed, dead_letters = self._ended.popleft()
            self._since_commit += processed + dead_letters
            if processed:
                self._report.count(assigned.partition[0], "processed", processed)
            if dead_letters:
                self._report.count(assigned.partition[0], "dead_letter", dead_letters)

    def _note_ended(self, ended: Ended) -> None:
        """In any thread."""
        self._ended.append(ended)
        self._progress.set()

    def _note_failure(self, error: BaseException) -> None:
        """In any thread."""
        self._failures.append(error)
        self._progress.set()

    def _wake(self, assigned: AssignedPartition) -> None:
        """In any thread."""
        self._workers.of(assigned.partition).wake(assigned)

    def _confirmed(self, partition: Partition) -> None:
        """Kafka has stored a commit."""
        self._assignment.wake(partition)

    def _client_error(self, error: KafkaError, message: Message) -> None:
        topic = message.topic() or ""
        metrics.CONSUMER_ERRORS.labels(topic).inc()
        final = final_error(error, topic, message.partition(), message.offset())
        if isinstance(final, OffsetLost) and self._config.on_offset_lost == "earliest":
            self._assignment.skip(final)
        elif final is not None:
            raise final
        elif error.code() in MISSING:
            self._commits.missing(topic)
        else:
            logger.warning("consumer.client_error topic=%s code=%s error=%r", topic, error.name(), error.str())

    def _tick(self, now: float) -> None:
        self._tick_at = now + TICK_SECONDS
        if now > self._joining_until and not self._assignment.joined:
            self._joining_until = float("inf")
            advice = (
                "KAFKA_GROUP_PROTOCOL=consumer needs Kafka 4.0 or newer: classic works everywhere"
                if self._config.group_protocol == "consumer"
                else "others of the group may be slow to let go; `tickwire check` says whether the brokers answer"
            )
            logger.warning("consumer.no_partitions seconds=%g (%s)", _JOINING_S, advice)
            self._connection.unsaid.ask()
        self._assignment.export()
        self._connection.look(self._consumer, self._report.consumed.total())
        for partition, lag in self._assignment.lags():
            self._report.set_lag(partition, lag)
        if self._observer is not None:
            self._observer.tick(self._report)

    def _close(self) -> TickwireError | None:
        """Finish started records, commit and leave; each with a time limit, because Kafka may not answer."""
        self._assignment.close()
        self._collect()
        idle = self._workers.stop(_JOIN_S)
        self._processor.close()
        self._tick(time.monotonic())
        until = time.monotonic() + CLOSE_SECONDS
        committed = self._commit_all(until)
        self._leave(until)
        unclosed = self._processor.end_handler(max(1.0, until - time.monotonic()), idle)
        if committed:
            return unclosed
        within = f" within {CLOSE_SECONDS:g} s" if time.monotonic() >= until else ""  # without a time: refused at once
        return KafkaFailed(
            f"Kafka did not confirm the last commit{within}: what was handled since the one before "
            "will be delivered again; check that the brokers answer (`tickwire check`)."
        )

    def _commit_all(self, until: float) -> bool:
        """Send the last commit after the unanswered ones; return whether Kafka has confirmed everything.

        Refused commits are sent again: during a rebalance of the group none is accepted.
        """
        try:
            while time.monotonic() < until and (self._commits.in_flight or self._tracker.due()):
                self._commits.send(self._consumer)
                self._consumer.poll(_BUSY_POLL_S)
        except (KafkaException, KafkaFailed) as e:
            logger.warning("consumer.client_error error=%r", str(e))
        return not self._tracker.due()

    def _leave(self, until: float) -> None:
        self._assignment.leaving = True
        # In a thread, because it may block as long as Kafka does not answer.
        leaving = threading.Thread(target=self._consumer.close, name="tickwire-leave", daemon=True)
        leaving.start()
        leaving.join(max(1.0, until - time.monotonic()))
        if leaving.is_alive():
            logger.warning("consumer.leave_hangs seconds=%g", CLOSE_SECONDS)
