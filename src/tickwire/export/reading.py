"""Reads the records of a time range, without a group, up to the ends that the topics have at the start. Blocks."""

import time
from collections.abc import Callable, Iterator, Sequence

from confluent_kafka import Consumer, KafkaException, Message, TopicPartition

from tickwire.config.kafka_config import KafkaConfig
from tickwire.kafka.clients import SILENCE_S, connect_check, consumer_config, find_ends, make, silent
from tickwire.kafka.codes import END_OF_PARTITION, final_error, for_good
from tickwire.kafka.consuming.positions import Start, look_up_start
from tickwire.kafka.consuming.progress import Partition

BATCH = 20_000  # messages, or
_BATCH_BYTES = 32 << 20  # so many bytes
_AT_ONCE = 2_000
_POLL_S = 0.2
_SETTINGS = {"enable.partition.eof": True, "queued.min.messages": 100_000, "queued.max.messages.kbytes": 131_072}


def read_range(
    config: KafkaConfig, topics: Sequence[str], from_ms: int, to_ms: int, stopping: Callable[[], bool]
) -> Iterator[list[Message]]:
    """Yield batches of the messages whose time is in the range, in the order of each partition.

    Messages that arrive meanwhile are left out. Raises :exc:`~tickwire.errors.KafkaFailed`.
    """
    view = connect_check(config)
    there = view.topics
    partitions = [(topic, number) for topic in topics if topic in there for number in range(there[topic].partitions)]
    if not partitions:
        return
    # The library needs a group name, but only subscribing joins a group.
    consumer = make(Consumer, consumer_config(config, f"{config.group_id}-export") | _SETTINGS)
    try:
        ends = find_ends(consumer, partitions)
        # The embedded broker looks batches up by the time of their first record: there everything is read.
        start = Start("beginning") if view.embedded else Start("time", from_ms)
        begins = look_up_start(consumer, start, partitions)
        left = {at: end for at, end in ends.items() if begins.get(at, end) < end}
        consumer.assign([TopicPartition(*at, begins[at]) for at in left])
        yield from _read(consumer, left, from_ms, to_ms, stopping)
    except KafkaException as e:
        raise for_good(e.args[0]) from e
    finally:
        consumer.close()


def _read(
    consumer: Consumer, left: dict[Partition, int], from_ms: int, to_ms: int, stopping: Callable[[], bool]
) -> Iterator[list[Message]]:
    until = time.monotonic() + SILENCE_S
    found: list[Message] = []
    size = 0
    while left and not stopping():
        messages = consumer.consume(_AT_ONCE, _POLL_S)
        if messages:
            until = time.monotonic() + SILENCE_S
        elif time.monotonic() >= until:
            raise silent()
        for message in messages:
            at = message.topic() or "", message.partition() or 0
            end, offset, error = left.get(at), message.offset() or 0, message.error()
            if end is None:
                continue
            if error is None and offset < end and from_ms <= message.timestamp()[1] < to_ms:
                found.append(message)
            if _last(message, end):
                del left[at]
                consumer.incremental_unassign([TopicPartition(*at)])
        size += sum(map(len, messages))
        if found and (len(found) > BATCH - _AT_ONCE or size >= _BATCH_BYTES or not left):
            yield found
            found, size = [], 0


def _last(message: Message, end: int) -> bool:
    """Whether this is the last message of a partition; offsets before its *end* may have no record."""
    error, offset = message.error(), message.offset() or 0
    if error is not None and error.code() != END_OF_PARTITION:
        if (failure := final_error(error, message.topic() or "", message.partition(), offset)) is not None:
            raise failure
        return False
    return offset >= end - 1 or error is not None
