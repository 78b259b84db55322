"""Kafka clients from the settings, and what their errors mean in one sentence.

Property names and defaults: https://github.com/confluentinc/librdkafka/blob/master/CONFIGURATION.md
"""

import contextlib
import functools
import logging
import threading
import time
import weakref
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any, TypeVar

from confluent_kafka import OFFSET_END, Consumer, KafkaError, KafkaException, TopicPartition
from confluent_kafka.admin import AdminClient

from tickwire.config.kafka_config import KafkaConfig
from tickwire.errors import KafkaFailed, LoginRefused
from tickwire.kafka import codes
from tickwire.kafka.causes import address_of, explain, is_for_all, proven, said, stays
from tickwire.kafka.login import login_properties

logger = logging.getLogger(__name__)

_Client = TypeVar("_Client")
_Answer = TypeVar("_Answer")

CONNECT_SECONDS = 8.0
SILENCE_S = 25.0
"""Without a record or an end of a partition: the brokers do not answer. One of several that freezes takes less."""

COORDINATOR_S = 3600.0
"""Time-out for admin requests to a group's coordinator: the maximum. Limit the waiting for the result instead.

librdkafka (2.16.0) aborts the process if the coordinator becomes reachable after such a request has timed out.
"""

LARGEST_MESSAGE = 1_000_000_000  # librdkafka's maximum; the topic's limit applies, after compression

_EMBEDDED = "tansu_cluster"  # the default cluster id of every Tansu
_FIRST_WAIT_S = 0.5
_AGAIN_S = 0.1
_QUERY_S = 30.0


class ClientLog:
    """Takes librdkafka's log lines, which would else go to standard error; important ones also arrive as errors."""

    def log(self, _level: int, line: str, *arguments: object) -> None:
        """Log one line at debug level; it can hold text from the network, hence the quotes."""
        if logger.isEnabledFor(logging.DEBUG):
            logger.debug("kafka.client line=%r", line % arguments)


@functools.cache  # once for each kind, however many clients there are
def _warn_unencrypted(what: str) -> None:
    logger.warning("kafka.not_encrypted %s", what)


def common_config(config: KafkaConfig) -> dict[str, Any]:
    """Properties of every client: where the brokers are, how we log in, and who we are.

    KAFKA_CLIENT_ID is the producer's name; consumers and admin clients append their role, so that Kafka's tools can
    tell them apart.
    """
    config = config.fresh()  # files may have changed since the last client was made
    for what in config.unencrypted_secrets:
        _warn_unencrypted(what)
    settings: dict[str, Any] = {
        "bootstrap.servers": config.brokers,
        "client.id": config.client_id,
        "enable.metrics.push": False,  # KIP-714 would send our metrics to the brokers
        "allow.auto.create.topics": False,
        # The default, 10 s, is all the time that the publisher has for closing.
        "reconnect.backoff.max.ms": 1000,
        # A broker that is silent is given up after this, and another one asked who leads its partitions. Kafka itself
        # needs about 11 s to give one up. With the default, a minute, nothing is written or read for that long.
        "socket.timeout.ms": 15_000,
        "logger": ClientLog(),
    }
    return settings | login_properties(config)


def producer_config(config: KafkaConfig) -> dict[str, Any]:
    """Properties of the producer: idempotent, never giving up, bounded in memory."""
    settings: dict[str, Any] = {
        "acks": "all",
        "enable.idempotence": True,
        # 0 = for ever. Any other value drops records from the middle of a key in an outage, in spite of idempotence.
        "message.timeout.ms": 0,
        "request.timeout.ms": 10_000,  # so that a leader that waits for its followers answers before we give it up
        "message.max.bytes": LARGEST_MESSAGE,
        "queue.buffering.max.messages": config.queue_max_messages,
        "queue.buffering.max.kbytes": config.queue_max_bytes // 1024,
        "partitioner": "murmur2_random",  # as in Java clients, so that joins on our keys are co-partitioned
        "compression.type": config.compression,
        "linger.ms": config.linger_ms,
        "batch.size": config.batch_size,
    }
    if config.compression == "zstd":
        # Batches of market data come out no larger than at the library's level 3, for a fifth less work: decision 12.
        settings["compression.level"] = 1
    return common_config(config) | settings


def consumer_config(config: KafkaConfig, group: str) -> dict[str, Any]:
    """Properties of a consumer that commits only when told to, and for which a lost offset is an error, not a jump."""
    return common_config(config) | {
        "client.id": f"{config.client_id}-tickwire-consumer",
        "group.id": group,
        "enable.auto.commit": False,
        "enable.auto.offset.store": False,
        "auto.offset.reset": "error",
        "isolation.level": "read_committed",
        "partition.assignment.strategy": "cooperative-sticky",
        # The limit of records read ahead, for all partitions together; one unpacked answer of each broker comes on top.
        "queued.min.messages": 10_000,
        "queued.max.messages.kbytes": 16_384,
        "fetch.max.bytes": 1 << 20,
        # When the limit is reached, a partition is not fetched for this long; the default of a second leaves a fast
        # handler idle: https://github.com/confluentinc/librdkafka/blob/master/CONFIGURATION.md
        "fetch.queue.backoff.ms": 10,
        # A partition that has room again waits for the fetch of those that are empty, by default up to half a second:
        # findings/librdkafka-resume-waits.sh
        "fetch.wait.max.ms": 100,
    }


def admin_config(config: KafkaConfig) -> dict[str, Any]:
    """Properties of an admin client."""
    return common_config(config) | {"client.id": f"{config.client_id}-tickwire-admin"}


@dataclass(frozen=True, slots=True)
class Node:
    """A broker as it advertises itself."""

    id: int
    host: str
    port: int


@dataclass(frozen=True, slots=True)
class TopicView:
    """A topic as the brokers describe it. ``leaderless`` partitions cannot be written to now."""

    name: str
    partitions: int
    replication: int
    leaderless: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class ClusterView:
    """The cluster as the brokers describe it."""

    cluster_id: str | None
    controller: int
    nodes: tuple[Node, ...]
    topics: Mapping[str, TopicView]

    @property
    def embedded(self) -> bool:
        """Whether this is the embedded broker, which differs from Kafka: see ``tickwire broker --help``."""
        return self.cluster_id == _EMBEDDED


class Cluster:
    """An admin client that keeps the errors of its connections, so that a failure can name its cause."""

    def __init__(self, config: KafkaConfig) -> None:
        """Does not connect yet. Raises :exc:`~tickwire.errors.KafkaFailed` for files that cannot be used."""
        self._config = config
        self._errors: dict[int, KafkaError] = {}  # the latest error by code
        self.controlled = False  # whether the controller is one of the brokers, without which some requests hang
        self._final: dict[str, KafkaError] = {}  # the permanent ones among them
        self._nodes: frozenset[str] = frozenset()  # the addresses of the brokers, as they say them
        heard = weakref.WeakMethod(self._note_error)  # else a cycle keeps the client, which goes on logging in
        self.admin = make(AdminClient, admin_config(config) | {"error_cb": lambda error: _pass_on(heard(), error)})

    def __del__(self) -> None:
        """Let go of the client without waiting for the token that it may be asking for, which can take seconds."""
        held = [self.__dict__.pop("admin", None)]
        if self._config.sasl_oauth_token_endpoint_url is not None:
            with contextlib.suppress(RuntimeError):  # the interpreter is ending
                threading.Thread(target=held.clear, name="tickwire-let-go", daemon=True).start()

    def _note_error(self, error: KafkaError) -> None:
        self._errors[error.code()] = error
        if stays(error):
            self._final[address_of(error, self._config)] = error

    def view(self, seconds: float) -> ClusterView:
        """Ask the brokers; wait at most *seconds* for an answer, less if the cause is permanent.

        Raises :exc:`~tickwire.errors.KafkaFailed`.
        """
        self._errors.clear()
        self._final.clear()
        start = time.monotonic()
        asked = False
        while True:
            elapsed = time.monotonic() - start
            # Each wait is as long as all before it: a refused login shows after half a second, and a slow network has
            # time. A refused login is reported only to the error callback, never by the call.
            wait = min(max(_FIRST_WAIT_S, elapsed), seconds - elapsed)
            try:
                found = _view(self.admin.list_topics(timeout=max(wait, 0.01)))
                self.controlled = any(node.id == found.controller for node in found.nodes)
                self._nodes = frozenset(f"{node.host}:{node.port}" for node in found.nodes)
                return found  # noqa: TRY300 - it is what was tried
            except KafkaException as e:
                self.admin.poll(0)
                if self._hopeless() or time.monotonic() - start + 0.01 >= seconds:
                    cause = self._cause(seconds)
                    refused = cause.code() == codes.REFUSED_LOGIN and not is_for_all(cause)
                    raise (LoginRefused if refused else KafkaFailed)(explain(cause, self._config)) from e
                # It does not report a wrong protocol or port, so the address is probed, once.
                if not asked and (why := proven(self._cause(seconds), self._config)):
                    raise KafkaFailed(why) from e
                asked = True

    def answer(self, future: "Future[_Answer]", seconds: float) -> _Answer:
        """Wait at most *seconds* for the answer to a request, less if no broker can be reached for a permanent cause.

        Raises :exc:`~tickwire.errors.KafkaFailed` then, and ``KafkaException`` for an answer that is an error, or for
        none (:data:`~tickwire.kafka.codes.NO_ANSWER`).
        """
        until = time.monotonic() + seconds
        while (left := until - time.monotonic()) > 0:
            with contextlib.suppress(TimeoutError):
                return future.result(min(_AGAIN_S, left))
            self.admin.poll(0)
            unreached = self._nodes & self._final.keys()
            if unreached and unreached == self._nodes:
                raise KafkaFailed(explain(self._cause(seconds), self._config))
        raise KafkaException(KafkaError(codes.NO_ANSWER))

    def describe_group(self, name: str, seconds: float, **more: bool) -> Any:  # ConsumerGroupDescription, not typed
        """Ask the coordinator of a consumer group for the group; *more* are arguments of the client's request.

        Raises as :meth:`answer`.
        """
        asked = self.admin.describe_consumer_groups([name], request_timeout=COORDINATOR_S, **more)
        return self.answer(asked[name], seconds)

    def unreached(self) -> KafkaError | None:
        """Why we cannot reach a broker at the address that it gives of itself, as far as was heard."""
        self.admin.poll(0)
        error = self._errors.get(codes.UNREACHABLE)
        return error if error is not None and address_of(error, self._config) in self._nodes else None

    def _hopeless(self) -> bool:
        """Whether no broker is left to try and the cause is permanent."""
        if any(map(is_for_all, self._final.values())):
            return True
        return bool(self._final) and (
            codes.ALL_DOWN in self._errors or len(self._final) > self._config.brokers.count(",")
        )

    def _cause(self, seconds: float) -> KafkaError:
        if self._final:
            return next(reversed(self._final.values()))
        if codes.UNREACHABLE in self._errors:
            return self._errors[codes.UNREACHABLE]
        return KafkaError(codes.NO_ANSWER, f"no answer within {round(seconds, 1):g} s")


def _pass_on(hear: Callable[[KafkaError], None] | None, error: KafkaError) -> None:
    if hear is not None:
        hear(error)


def _view(metadata: Any) -> ClusterView:  # ClusterMetadata, whose attributes have no types in the library
    topics = {
        name: TopicView(
            name,
            len(topic.partitions),
            max((len(partition.replicas) for partition in topic.partitions.values()), default=0),
            tuple(sorted(number for number, partition in topic.partitions.items() if partition.leader < 0)),
        )
        for name, topic in metadata.topics.items()
        if topic.error is None
    }
    nodes = tuple(Node(broker.id, broker.host, broker.port) for _, broker in sorted(metadata.brokers.items()))
    return ClusterView(metadata.cluster_id, metadata.controller_id, nodes, topics)


def connect_check(config: KafkaConfig, seconds: float = CONNECT_SECONDS) -> ClusterView:
    """Make sure that Kafka answers within *seconds*; blocks. Raises :exc:`~tickwire.errors.KafkaFailed`."""
    return Cluster(config).view(seconds)


def make(kind: Callable[[dict[str, Any]], _Client], settings: dict[str, Any]) -> _Client:
    """Make a client of the library, which connects in the background.

    Raises :exc:`~tickwire.errors.KafkaFailed` for settings that cannot be used.
    """
    try:
        return kind(settings)
    except KafkaException as e:
        words, advice = said(e), "correct the KAFKA_* setting that it names"
        if "ssl.key" in words and "PEM lib" in words:  # OpenSSL's message for a wrong or missing password
            advice = "a key that is encrypted needs its password in KAFKA_SSL_KEY_PASSWORD; else correct its file"
        raise KafkaFailed(f"The Kafka client cannot be set up ({words}): {advice}.") from e


def find_offsets(consumer: Consumer, partitions: Sequence[tuple[str, int]], time_ms: int) -> dict[tuple[str, int], int]:
    """The first offset in each partition with a timestamp of at least *time_ms*; negative: there is none.

    OFFSET_BEGINNING and OFFSET_END may be given as *time_ms* (ListOffsets). Raises ``KafkaException``.
    """
    if not partitions:
        return {}
    query = [TopicPartition(*at, time_ms) for at in partitions]
    answer = ask(lambda seconds: consumer.offsets_for_times(query, timeout=seconds), _QUERY_S)
    return {(entry.topic, entry.partition): entry.offset for entry in answer if entry.offset >= OFFSET_END}


def find_ends(consumer: Consumer, partitions: Sequence[tuple[str, int]]) -> dict[tuple[str, int], int]:
    """The end of each partition, by topic and number; *consumer* must report the ends of partitions.

    The end is found by reading up to it, because a broker's answer can be a batch too low (Tansu). Raises
    :exc:`~tickwire.errors.KafkaFailed`.
    """
    consumer.assign([TopicPartition(*at, OFFSET_END) for at in partitions])
    ends: dict[tuple[str, int], int] = {}
    until = time.monotonic() + SILENCE_S
    while len(ends) < len(partitions):
        message = consumer.poll(_AGAIN_S)
        if message is not None and (error := message.error()) is not None:
            at = message.topic() or "", message.partition() or 0
            if error.code() == codes.END_OF_PARTITION:
                ends.setdefault(at, message.offset() or 0)
            elif (failure := codes.final_error(error, *at, message.offset())) is not None:
                raise failure
        if time.monotonic() >= until:
            raise silent()
    return ends


def silent(topics: str = "") -> KafkaFailed:
    """Say that Kafka has sent nothing for :data:`SILENCE_S`."""
    what = f"nothing of {topics}" if topics else "nothing"
    return KafkaFailed(f"Kafka sent {what} for {SILENCE_S:g} s: check it with `tickwire check`.")


def ask(question: Callable[[float], list[TopicPartition]], seconds: float) -> list[TopicPartition]:
    """Ask until there is an answer: errors such as a coordinator or leader that has just moved are retried.

    *question* gets the remaining seconds. Raises ``KafkaException`` for a permanent error of any partition.
    """
    until = time.monotonic() + seconds
    while True:
        try:
            answer = question(max(0.1, until - time.monotonic()))
            error = next((entry.error for entry in answer if entry.error is not None), None)
        except KafkaException as e:
            error = e.args[0]
        if error is None:
            return answer
        if not codes.passes(error) or time.monotonic() >= until:
            raise KafkaException(error)
        time.sleep(_AGAIN_S)
