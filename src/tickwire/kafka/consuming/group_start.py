"""A start other than ``committed`` applies to the group, once: it is committed as the group's first offsets.

If each member applied it, a partition that moves, or a process that restarts, would skip the records since (``end``) or
read everything again (``beginning``).
"""

import logging
import time
from collections.abc import Sequence
from typing import Any

from confluent_kafka import Consumer, KafkaError, KafkaException, TopicPartition

from tickwire.errors import KafkaFailed, UsageError
from tickwire.kafka.clients import find_ends, make
from tickwire.kafka.codes import END_OF_PARTITION, GROUP_AT_WORK, for_good, passes
from tickwire.kafka.consuming.positions import Start, committed, look_up_start
from tickwire.kafka.consuming.progress import Partition

logger = logging.getLogger(__name__)

_ANSWER_S = 30.0
_LEAVING_S = 3.0
_POLL_S = 0.2


def start_group(
    settings: dict[str, Any], group: str, start: Start, topics: Sequence[str], *, reset: bool
) -> dict[Partition, int]:
    """Commit the offsets of *start* for *group* in those *topics* without committed offsets; return them.

    A topic with a committed offset in any partition is left as it is: its other partitions were added later, and all
    their records are new. With *reset* all topics are moved, for which the group must have no members, as with
    ``kafka-consumer-groups --reset-offsets``. *settings* are those of a consumer.

    Raises :exc:`~tickwire.errors.UsageError` for a group that has members, and :exc:`~tickwire.errors.KafkaFailed`.
    """
    answers: list[KafkaError | None] = []
    callbacks = {"on_commit": lambda error, partitions: answers.append(_first_error(error, partitions))}
    consumer = make(Consumer, settings | {"group.id": group, "enable.partition.eof": True} | callbacks)
    try:
        wanted = _without_commits(consumer, start, topics, reset=reset)
        offsets = _find(consumer, start, wanted)
        consumer.unassign()
        error = _commit(consumer, offsets, answers, reset=reset) if offsets else None
    except KafkaException as e:
        raise for_good(e.args[0]) from e
    finally:
        consumer.close()
    if error is not None:
        if error.code() not in GROUP_AT_WORK:
            raise for_good(error)
        if reset:
            raise UsageError(
                f"The group {group} has members, so --reset cannot move it: stop them first, or leave --reset out."
            )
        logger.info("consumer.start_left from=%s group=%r (others of the group have begun already)", start, group)
        return {}
    return offsets


def _without_commits(consumer: Consumer, start: Start, topics: Sequence[str], *, reset: bool) -> list[Partition]:
    """The partitions to which *start* applies."""
    wanted: list[Partition] = []
    kept: list[str] = []
    for topic in topics:
        there = consumer.list_topics(topic, timeout=_ANSWER_S).topics[topic]
        partitions = [(topic, number) for number in sorted(there.partitions)]
        if reset or not committed(consumer, partitions):
            wanted += partitions
        else:
            kept.append(topic)
    if kept:
        logger.warning(
            "consumer.start_kept from=%s topics=%s (the group has read them and goes on there; --reset moves it)",
            start,
            ",".join(kept),
        )
    return wanted


def _find(consumer: Consumer, start: Start, partitions: Sequence[Partition]) -> dict[Partition, int]:
    """Look the offsets up; for a time, check the records there, because not every broker answers correctly.

    The embedded broker (Tansu 0.6) answers 0 for a time after the last record. Answers of Apache Kafka pass the first
    check.
    """
    if start.kind == "end":
        return find_ends(consumer, partitions)
    offsets = look_up_start(consumer, start, partitions)
    if start.kind == "beginning":
        return offsets
    looking = set(offsets)
    consumer.assign([TopicPartition(*name, offset) for name, offset in offsets.items()])
    until = time.monotonic() + _ANSWER_S
    while looking:
        message = consumer.poll(_POLL_S)
        if message is None:
            if time.monotonic() > until:
                raise KafkaFailed(
                    f"Kafka did not give the records at --from {start} within {_ANSWER_S:g} s: check that the brokers "
                    "answer (`tickwire check`)."
                )
            continue
        error, name = message.error(), (message.topic() or "", message.partition() or 0)
        if error is not None and error.code() != END_OF_PARTITION:
            if not error.retriable():
                raise KafkaException(error)
        elif name in looking and (error is not None or message.timestamp()[1] >= start.time_ms):
            offsets[name] = message.offset() or 0
            looking.remove(name)
    return offsets


def _commit(
    consumer: Consumer, offsets: dict[Partition, int], answers: list[KafkaError | None], *, reset: bool
) -> KafkaError | None:
    """Commit, and return the last error. With *reset* it is retried, because a member may just be leaving."""
    until = time.monotonic() + _ANSWER_S
    left = time.monotonic() + _LEAVING_S if reset else 0.0
    while True:
        answers.clear()
        consumer.commit(offsets=[TopicPartition(*name, offset) for name, offset in offsets.items()])
        while not answers:
            consumer.poll(_POLL_S)
            if time.monotonic() > until:
                raise KafkaFailed(
                    f"Kafka did not confirm where the group begins within {_ANSWER_S:g} s: check that the brokers "
                    "answer (`tickwire check`) and run again."
                )
        error, now = answers[0], time.monotonic()
        if error is None or now > until or not (passes(error) or (now < left and error.code() in GROUP_AT_WORK)):
            return error
        consumer.poll(_POLL_S)


def _first_error(error: KafkaError | None, partitions: Sequence[TopicPartition]) -> KafkaError | None:
    return error or next((p.error for p in partitions if p.error is not None), None)
