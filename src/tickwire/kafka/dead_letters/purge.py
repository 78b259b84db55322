"""Deletes the oldest records of a topic."""

from collections.abc import Sequence

from confluent_kafka import KafkaException, TopicPartition

from tickwire.config.kafka_config import KafkaConfig
from tickwire.errors import KafkaFailed
from tickwire.kafka.causes import said
from tickwire.kafka.clients import Cluster
from tickwire.kafka.dead_letters.reader import DeadLetterReader, Range

_REQUEST_S = 30.0


def plan_purge(config: KafkaConfig, topic: str, before_ms: int | None) -> list[Range]:
    """The ranges that a purge would delete. Without *before_ms* (Unix milliseconds): everything there is now.

    With it, the records before the first one with at least that timestamp. Raises :exc:`~tickwire.errors.KafkaFailed`.
    """
    with DeadLetterReader(config, topic) as reader:
        first = {number: part.start for number, part in reader.ranges.items()}
        if before_ms is not None:
            reader.start_at_time(before_ms)
        ends = {n: part.start if before_ms is not None else part.end for n, part in reader.ranges.items()}
    return [Range(number, first[number], ends[number], first[number]) for number in first]


def purge(config: KafkaConfig, topic: str, ranges: Sequence[Range]) -> None:
    """Delete *ranges*, and update ``reached`` of each. Raises :exc:`~tickwire.errors.KafkaFailed`."""
    wanted = {part.partition: part for part in ranges if part.end > part.start}
    if not wanted:
        return
    cluster = Cluster(config)
    query = [TopicPartition(topic, number, part.end) for number, part in wanted.items()]
    failed: KafkaException | None = None
    for place, future in cluster.admin.delete_records(query, request_timeout=_REQUEST_S).items():
        try:
            wanted[place.partition].reached = cluster.answer(future, _REQUEST_S + 2).low_watermark
        except KafkaException as e:
            failed = failed or e
    if failed is not None:
        raise KafkaFailed(
            f"Kafka did not remove the records of {topic} ({said(failed)}): see that this user has the right to; "
            "the embedded broker cannot do it."
        ) from failed
