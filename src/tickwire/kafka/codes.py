"""The error codes of Kafka and of its client by their meaning for us; no other module names a code.

The brokers' codes: https://kafka.apache.org/protocol#protocol_error_codes. Names with an underscore are the client's
own; they are public constants of the library all the same:
https://github.com/confluentinc/librdkafka/blob/master/src/rdkafka.h.
"""
# ruff: noqa: SLF001

from confluent_kafka import KafkaError

from tickwire.errors import KafkaFailed, OffsetLost

# Connections.
ALL_DOWN = KafkaError._ALL_BROKERS_DOWN
UNREACHABLE = KafkaError._TRANSPORT
REFUSED_LOGIN = KafkaError._AUTHENTICATION
TLS_FAILED = KafkaError._SSL
UNKNOWN_HOST = KafkaError._RESOLVE
NO_ANSWER = KafkaError._TIMED_OUT
HOPELESS = frozenset({REFUSED_LOGIN, TLS_FAILED, UNKNOWN_HOST})  # waiting does not help
CONNECTION = frozenset({UNREACHABLE, ALL_DOWN, REFUSED_LOGIN})

# Topics and requests.
MISSING = frozenset({KafkaError.UNKNOWN_TOPIC_OR_PART, KafkaError._UNKNOWN_TOPIC, KafkaError._UNKNOWN_PARTITION})
GONE = MISSING | {KafkaError._DESTROY}  # of a record whose topic was deleted: librdkafka destroys what it has of it
EXISTS = KafkaError.TOPIC_ALREADY_EXISTS
# A broker that does not support a request; it may answer in several ways.
UNSUPPORTED = frozenset({KafkaError.UNSUPPORTED_VERSION, KafkaError._UNSUPPORTED_FEATURE, NO_ANSWER})
_FORBIDDEN = frozenset({KafkaError.TOPIC_AUTHORIZATION_FAILED, KafkaError.CLUSTER_AUTHORIZATION_FAILED})
TOPIC_DENIED = KafkaError.TOPIC_AUTHORIZATION_FAILED
# An idempotent producer that may write to no topic at all (KIP-679); fatal errors have only a text.
NOWHERE_ALLOWED = "Cluster authorization failed"
DENIED = _FORBIDDEN | {KafkaError.GROUP_AUTHORIZATION_FAILED}

# Reading.
END_OF_PARTITION = KafkaError._PARTITION_EOF
OFFSET_LOST = KafkaError._AUTO_OFFSET_RESET  # auto.offset.reset is "error"
# librdkafka recovers from these by itself; after the last one the next poll joins the group again.
_PASSING = frozenset({ALL_DOWN, UNREACHABLE, UNKNOWN_HOST, NO_ANSWER, KafkaError._MAX_POLL_EXCEEDED})

# Groups.
NO_SUCH_GROUP = KafkaError.GROUP_ID_NOT_FOUND
_MOMENTARY = frozenset(
    {
        KafkaError.NOT_COORDINATOR,
        KafkaError.COORDINATOR_NOT_AVAILABLE,
        KafkaError.COORDINATOR_LOAD_IN_PROGRESS,
        KafkaError.UNSTABLE_OFFSET_COMMIT,  # a transaction that commits offsets of the group is in progress
        KafkaError.NOT_LEADER_FOR_PARTITION,
        KafkaError.LEADER_NOT_AVAILABLE,
        KafkaError.OFFSET_NOT_AVAILABLE,
        UNREACHABLE,
        KafkaError._WAIT_COORD,
    }
)
# The commit of a consumer that is not, or no longer, a member:
# https://cwiki.apache.org/confluence/display/KAFKA/KIP-345 for the last of them.
_NO_MEMBER = frozenset(
    {
        KafkaError.UNKNOWN_MEMBER_ID,
        KafkaError.ILLEGAL_GENERATION,
        KafkaError.REBALANCE_IN_PROGRESS,
        KafkaError.FENCED_INSTANCE_ID,
    }
)
PLACE_LOST = _NO_MEMBER | {KafkaError._ASSIGNMENT_LOST}
# The group has members: only they may commit.
GROUP_AT_WORK = _NO_MEMBER | {KafkaError.NON_EMPTY_GROUP, KafkaError.STALE_MEMBER_EPOCH, NO_SUCH_GROUP}
_INSTANCE_TWICE = frozenset({KafkaError.FENCED_INSTANCE_ID, KafkaError.UNRELEASED_INSTANCE_ID})

# Sending.
NOT_REPORTED = KafkaError._MSG_TIMED_OUT
NEVER_SENT = KafkaError._PURGE_QUEUE
PURGED = frozenset({NEVER_SENT, KafkaError._PURGE_INFLIGHT})  # does not tell whether the record was stored
RECORD_TOO_LARGE = KafkaError.MSG_SIZE_TOO_LARGE
# The first by the topic's max.message.bytes, the second by its segment.bytes, which also limits a batch:
# https://kafka.apache.org/documentation/#topicconfigs
TOO_LARGE = frozenset({RECORD_TOO_LARGE, KafkaError.RECORD_LIST_TOO_LARGE})
RECORD_REFUSED = KafkaError.INVALID_RECORD
TIME_REFUSED = KafkaError.INVALID_TIMESTAMP
# The library's code for a valid record in a refused batch: https://cwiki.apache.org/confluence/display/KAFKA/KIP-467
NEIGHBOUR_REFUSED = KafkaError._INVALID_DIFFERENT_RECORD
# A record from the future is reported as INVALID_TIMESTAMP; several in one batch as INVALID_RECORD.
BATCH_REFUSED = TOO_LARGE | {RECORD_REFUSED, TIME_REFUSED, NEIGHBOUR_REFUSED}
# Permanent refusals. A missing topic may be created again, so it is not among them.
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
# The producer lost its place in its sequence: it must be replaced, and its records are fine. librdkafka calls only some
# of these fatal, and would continue behind the hole after the others. UNKNOWN comes from a broker that failed for a
# reason without a code, such as a full disk: it may or may not have stored the batch.
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
# From a lost producer these mean only that it did not retry.
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
    """Whether the same request may succeed a moment later."""
    return error.retriable() or error.code() in _MOMENTARY


def producer_lost(error: KafkaError) -> bool:
    """Whether the producer that reports this must be replaced."""
    return error.fatal() or error.code() in _PRODUCER_LOST


def refused_for_good(error: KafkaError) -> bool:
    """Whether sending a record again would give the same error."""
    return error.fatal() or error.code() in _REFUSED_FOR_GOOD


def advice(error: KafkaError) -> str:
    """What to do about a refused request for a topic, as the end of a sentence."""
    return _ADVICE.get(error.code(), "correct what it names")


def final_error(error: KafkaError, topic: str, partition: int | None, offset: int | None) -> KafkaFailed | None:
    """The error to end with; None if the client recovers by itself, as it may from a missing topic."""
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
    """The error to raise when reading cannot go on."""
    where = f" {topic}" if topic else ""
    # For a fatal error the library gives only the text of its cause, not the code.
    if error.code() in _INSTANCE_TWICE or (error.code() == KafkaError._FATAL and "group.instance.id" in error.str()):
        return KafkaFailed(
            f"Another consumer of the group has the same KAFKA_GROUP_INSTANCE_ID ({error.name()}: {error.str()}): "
            "give each its own and run again."
        )
    advice = "grant what docs/clusters.md names" if error.code() in DENIED else "correct that"
    return KafkaFailed(f"Reading{where} failed for good ({error.name()}: {error.str()}): {advice} and run again.")
