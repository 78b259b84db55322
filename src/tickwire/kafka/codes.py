"""What the error codes of Kafka and of its client mean to us; no other module names a code.

The brokers' codes: https://kafka.apache.org/protocol#protocol_error_codes. Names with an underscore are the client's
own, public constants of the library in spite of that:
https://github.com/confluentinc/librdkafka/blob/master/src/rdkafka.h.
"""
# ruff: noqa: SLF001

import logging

from confluent_kafka import KafkaError

from tickwire import metrics
from tickwire.errors import KafkaFailed, OffsetLost

logger = logging.getLogger(__name__)

# Connections.
ALL_DOWN = KafkaError._ALL_BROKERS_DOWN
UNREACHABLE = KafkaError._TRANSPORT
REFUSED_LOGIN = KafkaError._AUTHENTICATION
TLS_FAILED = KafkaError._SSL
UNKNOWN_HOST = KafkaError._RESOLVE
NO_ANSWER = KafkaError._TIMED_OUT
HOPELESS = frozenset({REFUSED_LOGIN, TLS_FAILED, UNKNOWN_HOST})  # not by waiting, unlike a broker that is starting
CONNECTION = frozenset({UNREACHABLE, ALL_DOWN, REFUSED_LOGIN})

# Topics and requests.
MISSING = frozenset({KafkaError.UNKNOWN_TOPIC_OR_PART, KafkaError._UNKNOWN_TOPIC, KafkaError._UNKNOWN_PARTITION})
EXISTS = KafkaError.TOPIC_ALREADY_EXISTS
# A broker that does not know a request at all, in the ways in which that shows.
UNSUPPORTED = frozenset({KafkaError.UNSUPPORTED_VERSION, KafkaError._UNSUPPORTED_FEATURE, NO_ANSWER})
_FORBIDDEN = frozenset({KafkaError.TOPIC_AUTHORIZATION_FAILED, KafkaError.CLUSTER_AUTHORIZATION_FAILED})
TOPIC_DENIED = KafkaError.TOPIC_AUTHORIZATION_FAILED
# What an idempotent producer hears that may write to no topic at all (KIP-679); of a fatal error there are words only.
NOWHERE_ALLOWED = "Cluster authorization failed"
DENIED = _FORBIDDEN | {KafkaError.GROUP_AUTHORIZATION_FAILED}

# Reading.
END_OF_PARTITION = KafkaError._PARTITION_EOF
OFFSET_LOST = KafkaError._AUTO_OFFSET_RESET  # auto.offset.reset is "error"
# librdkafka goes on by itself after these; after the last one the next poll joins the group again.
_PASSING = frozenset({ALL_DOWN, UNREACHABLE, UNKNOWN_HOST, NO_ANSWER, KafkaError._MAX_POLL_EXCEEDED})

# Groups.
NO_SUCH_GROUP = KafkaError.GROUP_ID_NOT_FOUND
_MOMENTARY = frozenset(
    {
        KafkaError.NOT_COORDINATOR,
        KafkaError.COORDINATOR_NOT_AVAILABLE,
        KafkaError.COORDINATOR_LOAD_IN_PROGRESS,
        KafkaError.UNSTABLE_OFFSET_COMMIT,  # a transaction that commits offsets of the group is under way
        KafkaError.NOT_LEADER_FOR_PARTITION,
        KafkaError.LEADER_NOT_AVAILABLE,
        KafkaError.OFFSET_NOT_AVAILABLE,
        UNREACHABLE,
        KafkaError._WAIT_COORD,
    }
)
# The commit of one that is no member, or no more: https://cwiki.apache.org/confluence/display/KAFKA/KIP-345 for the
# last of them.
_NO_MEMBER = frozenset(
    {
        KafkaError.UNKNOWN_MEMBER_ID,
        KafkaError.ILLEGAL_GENERATION,
        KafkaError.REBALANCE_IN_PROGRESS,
        KafkaError.FENCED_INSTANCE_ID,
    }
)
PLACE_LOST = _NO_MEMBER | {KafkaError._ASSIGNMENT_LOST}
# The group has members, which commit for it: only they may.
GROUP_AT_WORK = _NO_MEMBER | {KafkaError.NON_EMPTY_GROUP, KafkaError.STALE_MEMBER_EPOCH, NO_SUCH_GROUP}
_INSTANCE_TWICE = frozenset({KafkaError.FENCED_INSTANCE_ID, KafkaError.UNRELEASED_INSTANCE_ID})

# Sending.
NOT_REPORTED = KafkaError._MSG_TIMED_OUT
NEVER_SENT = KafkaError._PURGE_QUEUE
PURGED = frozenset({NEVER_SENT, KafkaError._PURGE_INFLIGHT})  # says nothing of what became of the record
RECORD_TOO_LARGE = KafkaError.MSG_SIZE_TOO_LARGE
# The first by the topic's max.message.bytes, the second by its segment.bytes, which counts for the batch as well:
# https://kafka.apache.org/documentation/#topicconfigs
TOO_LARGE = frozenset({RECORD_TOO_LARGE, KafkaError.RECORD_LIST_TOO_LARGE})
RECORD_REFUSED = KafkaError.INVALID_RECORD
TIME_REFUSED = KafkaError.INVALID_TIMESTAMP
# The library's name for what was fine itself: https://cwiki.apache.org/confluence/display/KAFKA/KIP-467
NEIGHBOUR_REFUSED = KafkaError._INVALID_DIFFERENT_RECORD
# More than one record from the future is INVALID_RECORD, and with it a batch that has one is INVALID_TIMESTAMP.
BATCH_REFUSED = TOO_LARGE | {RECORD_REFUSED, TIME_REFUSED, NEIGHBOUR_REFUSED}
# Refusals that waiting does not change. A topic that is missing may be created again, so it is none of them.
_REFUSED_FOR_GOOD = (
    _FORBIDDEN
    | TOO_LARGE
    | {
        RECORD_REFUSED,
        REFUSED_LOGIN,
        KafkaError.SASL_AUTHENTICATION_FAILED,
        KafkaError.TOPIC_EXCEPTION,
        KafkaError.POLICY_VIOLATION,
        KafkaError.UNSUPPORTED_COMPRESSION_TYPE,
        KafkaError.UNSUPPORTED_FOR_MESSAGE_FORMAT,
        KafkaError._FATAL,
        KafkaError._INVALID_ARG,
    }
)
# The producer's place in its sequence is lost, so it is at its end, not the record. librdkafka calls only some of these
# fatal, and would go on behind the hole after the others. UNKNOWN is of a broker that failed in a way it has no code
# for, as when its disk is full: it may have stored the batch, and says nothing of the records.
_PRODUCER_LOST = frozenset(
    {
        KafkaError._FATAL,
        KafkaError._FENCED,
        KafkaError.UNKNOWN,
        KafkaError.OUT_OF_ORDER_SEQUENCE_NUMBER,
        KafkaError.UNKNOWN_PRODUCER_ID,
        KafkaError.INVALID_PRODUCER_EPOCH,
        KafkaError.INVALID_PRODUCER_ID_MAPPING,
        KafkaError.PRODUCER_FENCED,
        KafkaError._GAPLESS_GUARANTEE,
    }
)
# Of a lost producer these only say that it did not try again.
WOULD_RETRY = frozenset(
    {
        UNREACHABLE,
        NO_ANSWER,
        NOT_REPORTED,
        KafkaError._RETRY,
        KafkaError.REQUEST_TIMED_OUT,
        KafkaError.NOT_LEADER_FOR_PARTITION,
        KafkaError.LEADER_NOT_AVAILABLE,
        KafkaError.FENCED_LEADER_EPOCH,
        KafkaError.NETWORK_EXCEPTION,
        KafkaError.NOT_ENOUGH_REPLICAS,
        KafkaError.NOT_ENOUGH_REPLICAS_AFTER_APPEND,
        KafkaError.KAFKA_STORAGE_ERROR,
    }
)
_ADVICE = {
    KafkaError.INVALID_REPLICATION_FACTOR: "ask for no more copies than there are brokers",
    KafkaError.INVALID_PARTITIONS: "ask for at least one partition, and for no more than the broker allows",
    KafkaError.TOPIC_EXCEPTION: "choose a name of a-z, A-Z, 0-9, '.', '_' and '-'; '.' and '_' count as the same",
    KafkaError.TOPIC_DELETION_DISABLED: "set delete.topic.enable=true on the brokers",
}


def passes(error: KafkaError) -> bool:
    """Whether a request may succeed a moment later."""
    return error.retriable() or error.code() in _MOMENTARY


def producer_lost(error: KafkaError) -> bool:
    """Whether this is the end of the producer that reports it."""
    return error.fatal() or error.code() in _PRODUCER_LOST


def refused_for_good(error: KafkaError) -> bool:
    """Whether sending a record again would give the same error."""
    return error.fatal() or error.code() in _REFUSED_FOR_GOOD


def advice(error: KafkaError) -> str:
    """Say what to do about a request for a topic that Kafka refused, as the end of a sentence."""
    return _ADVICE.get(error.code(), "correct what it names")


def final_error(error: KafkaError, topic: str, partition: int | None, offset: int | None) -> KafkaFailed | None:
    """The error to end with; None when the client goes on by itself, for the time being if the topic is missing."""
    code = error.code()
    if code == OFFSET_LOST:
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
    if error.code() in _INSTANCE_TWICE or (error.code() == KafkaError._FATAL and "group.instance.id" in error.str()):
        return KafkaFailed(
            f"Another consumer of the group has the same KAFKA_GROUP_INSTANCE_ID ({error.name()}: {error.str()}): "
            "give each its own and run again."
        )
    advice = "grant what docs/clusters.md names" if error.code() in DENIED else "correct that"
    return KafkaFailed(f"Reading{where} failed for good ({error.name()}: {error.str()}): {advice} and run again.")


def log_client_error(error: KafkaError) -> None:
    """Log what the client reports about its connections; it goes on by itself. Meant as ``error_cb``."""
    metrics.CONSUMER_ERRORS.labels("").inc()
    logger.warning("consumer.client_error code=%s error=%r", error.name(), error.str())
