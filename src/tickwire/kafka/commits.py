"""Sends commits and takes Kafka's answers, on the polling thread."""

import logging
import threading
import time
from collections.abc import Callable, Sequence

from confluent_kafka import Consumer, KafkaError, KafkaException, TopicPartition

from tickwire import metrics
from tickwire.kafka.commit_tracker import CommitTracker, Partition
from tickwire.kafka.consumer_errors import MISSING, gone
from tickwire.kafka.consumer_report import ConsumerReport

logger = logging.getLogger(__name__)

_MISSING_S = 5.0  # a topic that is gone for this long is not merely unknown to some broker yet


class Commits:
    """What of the tracker Kafka knows; *confirmed* is called with each partition whose offset it has stored."""

    def __init__(self, tracker: CommitTracker, report: ConsumerReport, confirmed: Callable[[Partition], None]) -> None:
        self._tracker, self._report, self._confirmed = tracker, report, confirmed
        self._missing_since: dict[str, float] = {}
        self.in_flight = False

    def send(self, consumer: Consumer) -> bool:
        """Send what is due without waiting; False while an earlier commit is not answered, so that none overtakes.

        Raises :exc:`~tickwire.errors.KafkaFailed` when a topic has gone: only its commits tell.
        """
        now = time.monotonic()
        for topic, since in self._missing_since.items():
            if now - since > _MISSING_S:
                raise gone(topic)
        if self.in_flight:
            return False
        due = self._tracker.due()
        if due:
            self.in_flight = True
            consumer.commit(offsets=_offsets(due), asynchronous=True)
        return True

    def send_and_wait(self, consumer: Consumer, seconds: float) -> bool:
        """Commit what is due and wait for the answer at most so long; False when there was none.

        What is not answered stays due. Kafka may still store it, which does no harm: it is done.
        """
        due = _offsets(self._tracker.due())
        if not due:
            return True
        answers: list[tuple[KafkaError | None, Sequence[TopicPartition]]] = []

        def commit() -> None:
            try:
                answers.append((None, consumer.commit(offsets=due, asynchronous=False) or []))
            except KafkaException as e:
                answers.append((e.args[0], due))

        # A thread, because the library waits for as long as Kafka does not answer.
        committing = threading.Thread(target=commit, name="tickwire-commit", daemon=True)
        committing.start()
        committing.join(seconds)
        if not answers:
            for topic in {p.topic for p in due}:
                metrics.CONSUMER_ERRORS.labels(topic).inc()
            logger.warning("consumer.commit_unanswered seconds=%g partitions=%d", seconds, len(due))
            return False
        self.answered(*answers[0])
        return True

    def answered(self, error: KafkaError | None, partitions: Sequence[TopicPartition]) -> None:
        """Take Kafka's answer; what it refused stays due. Answers to waiting commits come here a second time."""
        self.in_flight = False
        confirmed, refused = set(), {}
        for p in partitions:
            problem = error or p.error
            if problem is not None:
                refused[p.topic] = problem
                continue
            partition = p.topic, p.partition
            if self._tracker.confirm(partition, p.offset):
                confirmed.add(p.topic)
            self._confirmed(partition)
        for topic in confirmed:
            self._report.commits[topic] += 1
            metrics.CONSUMER_COMMITS.labels(topic).inc()
            self._missing_since.pop(topic, None)
        for topic, problem in refused.items():
            if problem.code() in MISSING:
                self._missing_since.setdefault(topic, time.monotonic())
            metrics.CONSUMER_ERRORS.labels(topic).inc()
            logger.warning("consumer.commit_failed topic=%s code=%s error=%r", topic, problem.name(), problem.str())


def _offsets(due: dict[Partition, int]) -> list[TopicPartition]:
    return [TopicPartition(topic, number, offset) for (topic, number), offset in due.items()]
