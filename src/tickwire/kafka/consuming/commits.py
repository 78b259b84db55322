"""Sends commits and takes Kafka's answers, on the polling thread."""

import logging
import time
from collections import deque
from collections.abc import Callable, Sequence

from confluent_kafka import Consumer, KafkaError, KafkaException, TopicPartition

from tickwire import metrics
from tickwire.kafka.codes import MISSING, gone
from tickwire.kafka.consuming.progress import CommitTracker, Partition
from tickwire.kafka.consuming.report import ConsumerReport

logger = logging.getLogger(__name__)

_LOOK_S = 0.05
_MISSING_S = 10.0  # a topic unknown for this long is gone, not merely unknown to one broker after a restart
_ASK_S = 5.0
_ANSWER_S = 60.0  # librdkafka answers earlier, if need be with an error (socket.timeout.ms); this guards against bugs


class Commits:
    """Commits the tracker's offsets; *confirmed* is called with each partition whose offset Kafka has stored."""

    def __init__(self, tracker: CommitTracker, report: ConsumerReport, confirmed: Callable[[Partition], None]) -> None:
        self._tracker, self._report, self._confirmed = tracker, report, confirmed
        self._missing_since: dict[str, float] = {}
        self._sent: deque[float] = deque()  # send times of the unanswered commits

    @property
    def in_flight(self) -> bool:
        """Whether an answer is still to come."""
        return bool(self._sent)

    def missing(self, topic: str) -> None:
        """Note that a broker does not know *topic*, which also happens for a moment after a restart."""
        if topic not in self._missing_since:
            self._missing_since[topic] = time.monotonic()
            logger.warning("consumer.topic_missing topic=%s (waiting %g s for it)", topic, _MISSING_S)

    def send(self, consumer: Consumer) -> bool:
        """Send due commits without waiting; False while an earlier one is unanswered, so that none overtakes it.

        Raises :exc:`~tickwire.errors.KafkaFailed` if a topic is gone: only its commits tell.
        """
        now = time.monotonic()
        for topic, since in list(self._missing_since.items()):
            if now - since > _MISSING_S:
                if not _exists(consumer, topic):
                    raise gone(topic)
                del self._missing_since[topic]
        if self._sent and now - self._sent[0] > _ANSWER_S:
            logger.error("consumer.commit_unanswered seconds=%g (sent again)", _ANSWER_S)
            self._sent.clear()
        if self._sent:
            return False
        due = self._tracker.due()
        if due:
            self._commit(consumer, due)
        return True

    def send_and_look(self, consumer: Consumer, seconds: float) -> bool:
        """Commit what is due, and wait for Kafka's confirmation; return False after *seconds* without it.

        For callbacks during a poll, in which no commit answers are delivered and other threads block on the consumer
        (confluent-kafka 2.16). A synchronous commit has no time-out, but a query of committed offsets has, and on one
        connection Kafka answers it after the commit. Offsets that it does not confirm stay due; if they are stored all
        the same, that does no harm, because their records are done.
        """
        due = self._tracker.due()
        if not due:
            return True
        until = time.monotonic() + seconds
        self._commit(consumer, due)
        while (left := until - time.monotonic()) > 0:
            try:
                stored = consumer.committed([TopicPartition(*partition) for partition in due], timeout=left)
            except KafkaException as e:
                logger.debug("consumer.commit_unknown error=%r", str(e))
            else:
                if all(p.error is None and p.offset == due[p.topic, p.partition] for p in stored):
                    self._take(stored)
                    return True
            time.sleep(min(_LOOK_S, left))
        for topic in {topic for topic, _ in due}:
            metrics.CONSUMER_ERRORS.labels(topic).inc()
        logger.warning("consumer.commit_unanswered seconds=%g partitions=%d", seconds, len(due))
        return False

    def answered(self, error: KafkaError | None, partitions: Sequence[TopicPartition]) -> None:
        """Take Kafka's answer; refused offsets stay due."""
        if self._sent:
            self._sent.popleft()
        refused = {p.topic: problem for p in partitions if (problem := error or p.error) is not None}
        self._take([p for p in partitions if (error or p.error) is None])
        for topic, problem in refused.items():
            if problem.code() in MISSING:
                self.missing(topic)
            metrics.CONSUMER_ERRORS.labels(topic).inc()
            logger.warning("consumer.commit_failed topic=%s code=%s error=%r", topic, problem.name(), problem.str())

    def _commit(self, consumer: Consumer, due: dict[Partition, int]) -> None:
        offsets = [TopicPartition(topic, number, offset) for (topic, number), offset in due.items()]
        consumer.commit(offsets=offsets, asynchronous=True)
        self._sent.append(time.monotonic())

    def _take(self, stored: Sequence[TopicPartition]) -> None:
        """Note stored offsets; the same may come twice."""
        confirmed = set()
        for p in stored:
            partition = p.topic, p.partition
            if self._tracker.confirm(partition, p.offset):
                confirmed.add(p.topic)
            self._confirmed(partition)
        for topic in confirmed:
            self._report.commits[topic] += 1
            metrics.CONSUMER_COMMITS.labels(topic).inc()
            self._missing_since.pop(topic, None)


def _exists(consumer: Consumer, topic: str) -> bool:
    """Whether *topic* exists; False only if the brokers say so."""
    try:
        there = consumer.list_topics(topic, timeout=_ASK_S).topics.get(topic)
    except KafkaException as e:
        logger.warning("consumer.client_error error=%r", str(e))
        return True
    return there is not None and (there.error is None or there.error.code() not in MISSING)
