"""Reads dead letters without a group: nothing is committed, so reading moves nothing."""

import time
from collections.abc import Sequence
from dataclasses import dataclass

from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaError, KafkaException, TopicPartition

from tickwire.config.kafka_config import KafkaConfig
from tickwire.errors import KafkaFailed
from tickwire.kafka.clients import consumer_config
from tickwire.kafka.consumer_errors import final_error, for_good
from tickwire.kafka.received import ReceivedRecord

_METADATA_S = 8.0
_SILENCE_S = 15.0  # without a record or an end: the brokers do not answer


@dataclass(frozen=True, slots=True)
class Reading:
    """The oldest records of a topic, oldest first. ``complete``: these are all that it held."""

    records: Sequence[ReceivedRecord]
    complete: bool


def read_oldest(config: KafkaConfig, topic: str, maximum: int) -> Reading:
    """Read the oldest *maximum* records of *topic*. Raises :exc:`~tickwire.errors.KafkaFailed`."""
    # The library wants a group's name, but a group is joined by subscribing only.
    consumer = Consumer(consumer_config(config, f"{config.group_id}-reader") | {"enable.partition.eof": True})
    try:
        partitions = _partitions(consumer, topic)
        consumer.assign([TopicPartition(topic, number, OFFSET_BEGINNING) for number in partitions])
        records, ended = _read(consumer, topic, set(partitions), maximum)
    except KafkaException as e:
        raise for_good(e.args[0], topic) from e
    finally:
        consumer.close()
    # Each partition is in order, and its oldest are here; together they hold the oldest of all.
    records.sort(key=lambda record: (record.timestamp_ms or 0, record.partition, record.offset))
    return Reading(records[:maximum], ended and len(records) <= maximum)


def _partitions(consumer: Consumer, topic: str) -> list[int]:
    metadata = consumer.list_topics(topic, timeout=_METADATA_S).topics[topic]
    if metadata.error is not None:
        failure = final_error(metadata.error, topic, None, None)
        raise failure or for_good(metadata.error, topic)
    return sorted(metadata.partitions)


def _read(consumer: Consumer, topic: str, open_: set[int], maximum: int) -> tuple[list[ReceivedRecord], bool]:
    """Read up to *maximum* records of each partition; say whether all came to their end."""
    records: list[ReceivedRecord] = []
    counts = dict.fromkeys(open_, 0)
    ended = True
    deadline = time.monotonic() + _SILENCE_S
    while open_:
        message = consumer.poll(0.2)
        if message is None:
            if time.monotonic() > deadline:
                raise KafkaFailed(
                    f"Kafka sent nothing of {topic} for {_SILENCE_S:g} s: check it with `tickwire check`."
                )
            continue
        error, partition = message.error(), message.partition()
        if error is not None and error.code() == KafkaError._PARTITION_EOF:  # noqa: SLF001 - a public constant
            open_.discard(partition or 0)
        elif error is not None:
            if (failure := final_error(error, topic, partition, message.offset())) is not None:
                raise failure
        elif partition in open_:
            deadline = time.monotonic() + _SILENCE_S
            if counts[partition] == maximum:  # one more than wanted: there is more
                ended = False
                open_.discard(partition)
                consumer.incremental_unassign([TopicPartition(topic, partition)])
                continue
            counts[partition] += 1
            records.append(ReceivedRecord.from_message(message))
    return records, ended
