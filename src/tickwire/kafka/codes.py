"""Which errors of the Kafka client end a consumer, and in what words."""

import logging

from confluent_kafka import KafkaError

from tickwire import metrics
from tickwire.errors import KafkaFailed, OffsetLost

logger = logging.getLogger(__name__)

_UNRELEASED_INSTANCE_ID = 111  # https://kafka.apache.org/protocol#protocol_error_codes
# Public constants of the library, in spite of their names. librdkafka goes on by itself after these.
_PASSING = frozenset(
    {
        KafkaError._ALL_BROKERS_DOWN,  # noqa: SLF001
        KafkaError._TRANSPORT,  # noqa: SLF001
        KafkaError._RESOLVE,  # noqa: SLF001
        KafkaError._TIMED_OUT,  # noqa: SLF001
        KafkaError._MAX_POLL_EXCEEDED,  # noqa: SLF001 - the next poll joins the group again
    }
)
MISSING = frozenset(
    {KafkaError.UNKNOWN_TOPIC_OR_PART, KafkaError._UNKNOWN_TOPIC, KafkaError._UNKNOWN_PARTITION}  # noqa: SLF001
)
_FATAL = KafkaError._FATAL  # noqa: SLF001
_TWICE = frozenset({KafkaError.FENCED_INSTANCE_ID, _UNRELEASED_INSTANCE_ID})


def final_error(error: KafkaError, topic: str, partition: int | None, offset: int | None) -> KafkaFailed | None:
    """The error to end with; None when the client goes on by itself, for the time being if the topic is missing."""
    code = error.code()
    if code == KafkaError._AUTO_OFFSET_RESET:  # noqa: SLF001 - auto.offset.reset is "error"
        return OffsetLost(topic, -1 if partition is None else partition, -1 if offset is None else offset)
    if error.fatal() or not (error.retriable() or code in _PASSING or code in MISSING):
        return for_good(error, topic)
    return None


def gone(topic: str) -> KafkaFailed:
    """Name a topic that does not exist."""
    return KafkaFailed(
        f"The topic {topic} is not in Kafka: create it with `tickwire topics --create {topic}` and run again."
    )


def for_good(error: KafkaError, topic: str = "") -> KafkaFailed:
    """Name an error after which reading cannot go on."""
    where = f" {topic}" if topic else ""
    # Of a fatal error the library hands over the text, not the code that was its cause.
    if error.code() in _TWICE or (error.code() == _FATAL and "group.instance.id" in error.str()):
        return KafkaFailed(
            f"Another consumer of the group has the same KAFKA_GROUP_INSTANCE_ID ({error.name()}: {error.str()}): "
            "give each its own and run again."
        )
    return KafkaFailed(f"Reading{where} failed for good ({error.name()}: {error.str()}): correct that and run again.")


def log_client_error(error: KafkaError) -> None:
    """Log what the client reports about its connections; it goes on by itself. Meant as ``error_cb``."""
    metrics.CONSUMER_ERRORS.labels("").inc()
    logger.warning("consumer.client_error code=%s error=%r", error.name(), error.str())
