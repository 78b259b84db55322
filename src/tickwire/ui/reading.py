"""Reads our topics and the offsets of groups without joining a group or committing. Blocks."""

import logging
import threading
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from confluent_kafka import (
    Consumer,
    ConsumerGroupTopicPartitions,
    KafkaError,
    KafkaException,
    Message,
    TopicPartition,
)
from confluent_kafka.admin import OffsetSpec  # type: ignore[attr-defined]  # exported without saying so

from tickwire.config.kafka_config import KafkaConfig
from tickwire.errors import TickwireError
from tickwire.kafka.causes import no_token, said
from tickwire.kafka.clients import COORDINATOR_S, Cluster, consumer_config, make
from tickwire.kafka.codes import MISSING, NO_ANSWER, final_error
from tickwire.kafka.complaints import Unsaid
from tickwire.kafka.consuming.positions import Start, look_up_start
from tickwire.kafka.consuming.progress import Partition
from tickwire.kafka.consuming.unread_books import unread_book
from tickwire.kafka.received import ReceivedRecord, value_reader
from tickwire.registry_errors import RegistryFailed
from tickwire.ui.figures import Group

logger = logging.getLogger(__name__)

BACK_MS = 65_000  # how far back to start: by default every book has a keyframe within a minute
MOST_GROUPS = 100
_BATCH = 5_000
_READ_S = 0.2
_LOOK_S = 3.0  # between checks which topics exist
_ANSWER_S = 2.0
_REQUEST_S = 5.0


@dataclass(slots=True)
class Batch:
    """The records read at once, and the numbers of new messages, by key and of dead letters.

    New messages are those written after the start of the :class:`Onlooker`.
    """

    records: list[ReceivedRecord] = field(default_factory=list)
    counts: Counter[bytes | None] = field(default_factory=Counter)
    dead_letters: int = 0

    @property
    def messages(self) -> int:
        """How many messages are new."""
        return self.counts.total()


class Onlooker:
    """Reads every partition of our topics from about a minute ago, and new records as they come.

    ``away`` is true if Kafka did not answer last time, ``trouble`` says why a topic cannot be read, ``no_token``
    why Kafka cannot be asked. Raises :exc:`~tickwire.errors.KafkaFailed` and :exc:`~tickwire.errors.UsageError` for
    unusable settings.
    """

    def __init__(self, config: KafkaConfig) -> None:
        self._config = config
        self._reader = value_reader(config)
        self._topics = (*config.topics, config.dlq_topic)
        self._positions: dict[Partition, int] = {}
        self._began_ms = int(time.time() * 1000)
        self._look_at = 0.0
        self._busy = threading.Lock()  # closing a consumer while another thread reads may crash
        self.away = False
        self.trouble: str | None = None
        self.no_token: str | None = None
        self._unsaid = Unsaid(lambda: no_token(config, NO_ANSWER, slow=False), self._no_token)
        settings = {"auto.offset.reset": "earliest", "error_cb": self._note}
        # The library needs a group name, but only subscribing joins a group.
        self._consumer = make(Consumer, consumer_config(config, f"{config.group_id}-onlooker") | settings)

    def read(self) -> Batch:
        """Wait a moment for messages."""
        with self._busy:
            return self._read()

    def _read(self) -> Batch:
        if time.monotonic() >= self._look_at:
            self._look()
            self._look_at = time.monotonic() + _LOOK_S
        if not self._positions:
            time.sleep(_READ_S)  # consume() raises without an assignment
            return Batch()
        try:
            messages = self._consumer.consume(_BATCH, _READ_S)
        except KafkaException as e:
            self.trouble = f"Reading failed: {said(e)}"
            time.sleep(_READ_S)
            return Batch()
        good = [message for message in messages if self._is_record(message)]
        if good:
            self.away = False
        return self._batch(good)

    def _is_record(self, message: Message) -> bool:
        """Whether it is a record; note errors."""
        error, topic = message.error(), message.topic() or ""
        if error is None:
            self._positions[topic, message.partition() or 0] = (message.offset() or 0) + 1
        elif error.code() in MISSING:  # looked up again later
            self._positions = {at: position for at, position in self._positions.items() if at[0] != topic}
        elif (final := final_error(error, topic, message.partition(), message.offset())) is not None:
            self.trouble = str(final)
        return error is None

    def behind(self) -> int:
        """How many offsets were not read yet, according to Kafka's last answers."""
        left = 0
        for partition, position in self._positions.items():
            try:
                _, high = self._consumer.get_watermark_offsets(TopicPartition(*partition), cached=True)
            except KafkaException:
                continue
            left += max(0, high - max(position, 0)) if position >= 0 and high >= 0 else 0
        return left

    def close(self) -> None:
        """Close the consumer."""
        with self._busy:
            self._consumer.close()

    def _batch(self, messages: Sequence[Any]) -> Batch:
        batch = Batch()
        kept, batch.counts, batch.dead_letters = conflate(messages, self._config, self._began_ms)
        asks = True
        for message in kept:
            record = unread_book(message) if message.topic() == self._config.orderbook_topic else None
            if record is None:
                record = ReceivedRecord.from_message(message, self._reader)
                try:  # decode here, because the schema registry may be slow
                    _ = asks and record.event
                except RegistryFailed:
                    asks = False  # once in a batch is enough; `event` raises again
                except TickwireError:
                    pass  # `event` raises again
            batch.records.append(record)
        return batch

    def _look(self) -> None:
        try:
            there = self._consumer.list_topics(timeout=_ANSWER_S).topics
            self.away, self.no_token = False, None
            fresh = [
                (name, number)
                for name in self._topics
                if name in there
                for number in there[name].partitions
                if (name, number) not in self._positions
            ]
            if not fresh:
                return
            start = Start("time", self._began_ms - BACK_MS)
            offsets = look_up_start(self._consumer, start, fresh)
            self._positions |= {partition: offsets.get(partition, 0) for partition in fresh}
            self._consumer.assign([TopicPartition(*at, offset) for at, offset in self._positions.items()])
        except KafkaException as e:
            self.away = True
            self._unsaid.ask()
            logger.debug("ui.no_answer error=%r", said(e))

    def _no_token(self, error: KafkaError) -> None:
        self.no_token = error.str()

    def _note(self, error: object) -> None:
        logger.debug("ui.client_error error=%r", str(error))


def conflate(
    messages: Sequence[Any], config: KafkaConfig, since_ms: int
) -> tuple[list[Any], Counter[bytes | None], int]:
    """Drop tickers and trades that a later message of the same key replaces. Pure.

    Also count the messages since *since_ms*, by key, and the dead letters, which are dropped.
    """
    books, letters = config.orderbook_topic, config.dlq_topic
    kept: list[Any] = []
    counts: Counter[bytes | None] = Counter()
    seen: set[tuple[str, bytes | None]] = set()
    dead_letters = 0
    for message in reversed(messages):
        topic, key = message.topic(), message.key()
        new = message.timestamp()[1] >= since_ms
        if topic == letters:
            dead_letters += new
            continue
        if new:
            counts[key] += 1
        if topic != books:
            if (topic, key) in seen:
                continue
            seen.add((topic, key))
        kept.append(message)
    kept.reverse()
    return kept, counts, dead_letters


class Groups:
    """Asks for the offsets of consumer groups in our topics."""

    def __init__(self, config: KafkaConfig) -> None:
        self._topics = frozenset(config.topics)
        self._cluster = Cluster(config)

    def ask(self) -> list[Group]:
        """The groups with committed offsets in our topics. Raises ``KafkaException``."""
        listed = self._cluster.admin.list_consumer_groups(request_timeout=_REQUEST_S).result()
        ends: dict[Partition, int] = {}
        found = []
        for entry in sorted(listed.valid, key=lambda entry: entry.group_id)[:MOST_GROUPS]:
            committed = {
                (at.topic, at.partition): at.offset
                for at in self._committed(entry.group_id)
                if at.topic in self._topics and at.offset >= 0
            }
            if not committed:
                continue
            ends |= self._ends([at for at in committed if at not in ends])
            lag: Counter[str] = Counter()
            for at, offset in committed.items():
                lag[at[0]] += max(0, ends.get(at, offset) - offset)
            found.append(Group(entry.group_id, entry.state.name.lower(), lag))
        return found

    def _committed(self, group: str) -> Sequence[TopicPartition]:
        asked = [ConsumerGroupTopicPartitions(group)]
        answer = self._cluster.admin.list_consumer_group_offsets(asked, request_timeout=COORDINATOR_S)[group]
        return self._cluster.answer(answer, _REQUEST_S).topic_partitions or ()

    def _ends(self, partitions: Sequence[Partition]) -> dict[Partition, int]:
        if not partitions:
            return {}
        latest = OffsetSpec.latest()  # type: ignore[no-untyped-call]
        query = dict.fromkeys((TopicPartition(*at) for at in partitions), latest)
        answers = self._cluster.admin.list_offsets(query, request_timeout=_REQUEST_S)
        return {(at.topic, at.partition): answer.result().offset for at, answer in answers.items()}
