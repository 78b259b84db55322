"""Checks that Kafka is reachable, is the right one, and has what we need; each finding says what to do."""

import socket
import statistics
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Literal, TypeAlias

from tickwire.config.kafka_config import KafkaConfig
from tickwire.errors import KafkaFailed, TickwireError
from tickwire.kafka.admin.rights import Rights, by_command, lacking, topic_rights
from tickwire.kafka.admin.topics import largest_batches
from tickwire.kafka.causes import distrusted, user
from tickwire.kafka.clients import Cluster, ClusterView
from tickwire.kafka.probing import client_ending
from tickwire.registry.client import Registry
from tickwire.registry.shapes import written_otherwise
from tickwire.registry.subjects import LEVEL, Subject, our_subjects
from tickwire.registry_errors import SchemaMissing

_ROUND_TRIPS = 5
_REACH_S = 2.0
_SOON = timedelta(days=14)

# Clients that need another package to read a codec; gzip is read by all. Tried with Flink 2.2.1, aiokafka 0.14.0,
# kafka-python 3.0.12, faust-streaming 0.15.3, KafkaJS 2.2.4.
_LACKS = {
    "zstd": "Flink's SQL, aiokafka, kafka-python, faust and KafkaJS",
    "lz4": "aiokafka, kafka-python and KafkaJS",
    "snappy": "aiokafka, kafka-python and KafkaJS",
}

Step: TypeAlias = Literal[
    "settings", "address", "cluster", "brokers", "topic", "rights", "readers", "registry", "round trip", "spill"
]


@dataclass(frozen=True, slots=True)
class Finding:
    """The result of one step; ``ok`` False is a reason not to start, a ``hint`` is only information."""

    step: Step
    ok: bool
    text: str
    hint: bool = False

    @property
    def state(self) -> str:
        """The result in one word."""
        return "FAILED" if not self.ok else "hint" if self.hint else "ok"


def check(config: KafkaConfig, seconds: float, written: Sequence[str] | None = None) -> Iterator[Finding]:
    """Run all steps in about *seconds*; stop where the next step would make no sense.

    *written* are the topics that a feed would write to; None: all. Nothing is written to Kafka.
    """
    deadline = time.monotonic() + seconds
    protocol = config.security_protocol or "PLAINTEXT"
    login = f" with {config.sasl_mechanism}" if config.sasl_mechanism else ""
    yield Finding("settings", True, f"KAFKA_BROKERS {config.brokers}, {protocol}{login}, client {config.client_id}")
    for what in config.unencrypted_secrets:
        yield Finding("settings", True, what, hint=True)
    if (ends := client_ending(config)) is not None and ends < datetime.now(UTC) + _SOON:
        yield Finding("settings", True, f"our certificate expires {ends:%Y-%m-%d %H:%M} UTC: renew it", hint=True)
    reachable = False
    addresses = config.brokers.split(",")
    for address in addresses:
        host, _, port = address.rpartition(":")
        trouble = _reach(host.strip("[]"), int(port), min(_REACH_S, seconds / 2 / len(addresses)))
        reachable = reachable or trouble is None
        # One of several addresses may be down.
        yield Finding("address", trouble is None, f"{address} {trouble or 'accepts connections'}")
    if not reachable:
        return
    try:
        cluster = Cluster(config)
        view = cluster.view(max(deadline - time.monotonic(), 1.0))
    except KafkaFailed as e:
        yield Finding("cluster", False, str(e))
        return
    count = len(view.nodes)
    kind = ", the embedded broker, which differs from Kafka: see `tickwire broker --help`" if view.embedded else ""
    plural = "" if count == 1 else "s"
    yield Finding("cluster", True, f"id {view.cluster_id or 'not told'}, {count} broker{plural}{kind}")
    yield from _brokers(view, config, deadline)
    yield from _topics(cluster, view, config, deadline)
    yield from _rights(cluster, view, config, config.topics if written is None else written, deadline)
    if lacking := _LACKS.get(config.compression):
        text = f"KAFKA_COMPRESSION is {config.compression}, for which {lacking} need another package"
        yield Finding("readers", True, f"{text} (docs/message-format.md); all read gzip", hint=True)
    yield from _registry(config, deadline)
    yield _round_trip(cluster, max(deadline - time.monotonic(), 1.0))


def healthy(findings: list[Finding]) -> bool:
    """Whether a feed or a consumer can start; of several addresses one must answer."""
    others = [finding for finding in findings if finding.step != "address"]
    return all(finding.ok for finding in others) and any(finding.step == "cluster" for finding in others)


def _reach(host: str, port: int, seconds: float) -> str | None:
    """Open and close a connection; None if that works, else what is wrong and what to do."""
    try:
        socket.create_connection((host, port), timeout=seconds).close()
    except socket.gaierror as e:
        return f"has an unknown host ({e.strerror}): correct KAFKA_BROKERS"
    except TimeoutError:
        return f"does not answer within {seconds:g} s: look for a firewall or a wrong address in KAFKA_BROKERS"
    except OSError as e:
        return f"does not accept connections ({e.strerror or e}): start Kafka there, or correct KAFKA_BROKERS"
    return None


def _brokers(view: ClusterView, config: KafkaConfig, deadline: float) -> Iterator[Finding]:
    """Every broker can be reached at its advertised address, without which producing fails."""
    for node in view.nodes:
        name = f"{node.id} at {node.host}:{node.port}"
        left = min(_REACH_S, deadline - time.monotonic())
        if left <= 0:
            yield Finding("brokers", False, f"{name} was not tried for want of time: allow more with --timeout")
        elif trouble := _reach(node.host, node.port, left):
            advice = trouble.partition(":")[0]
            yield Finding("brokers", False, f"{name} {advice}: correct advertised.listeners of that broker")
        elif config.encrypted and (wrong := distrusted(f"{node.host}:{node.port}", f"{node.host}:{node.port}", config)):
            yield Finding("brokers", False, wrong)
        else:
            yield Finding("brokers", True, f"{name} accepts connections")


def _topics(cluster: Cluster, view: ClusterView, config: KafkaConfig, deadline: float) -> Iterator[Finding]:
    names = (*config.topics, *([config.dlq_topic] if config.dlq_enabled else []))
    there = [name for name in names if name in view.topics]
    limits = largest_batches(cluster, there, min(_REACH_S, max(deadline - time.monotonic(), 0.5)))
    rights = topic_rights(cluster, [name for name in names if name not in view.topics], _REACH_S)
    for name in names:
        topic = view.topics.get(name)
        if topic is None:
            yield _absent(name, config, rights.get(name))
        elif topic.leaderless:
            numbers = ", ".join(map(str, topic.leaderless))
            yield Finding("topic", False, f"{name} has no leader for partition {numbers}: look at the brokers")
        else:
            yield Finding(
                "topic", True, f"{name} has {topic.partitions} partitions, {topic.replication} copies of each"
            )
        if (limit := limits.get(name)) is not None and limit < config.batch_size:
            yield Finding("topic", True, _too_small(name, limit, config), hint=True)


def _absent(name: str, config: KafkaConfig, rights: Rights) -> Finding:
    if rights is not None:
        return Finding("topic", True, f"{name} is hidden from {user(config)}, or missing", hint=True)
    if config.create_topics:
        return Finding("topic", True, f"{name} is missing and will be created at start")
    return Finding("topic", False, f"{name} is missing: create it with `tickwire topics --create {name}`")


def _rights(
    cluster: Cluster, view: ClusterView, config: KafkaConfig, written: Sequence[str], deadline: float
) -> Iterator[Finding]:
    """The rights that each command lacks. It fails if the user can neither produce nor consume."""
    found = {
        command: lacking(cluster, needs, min(_REACH_S, max(deadline - time.monotonic(), 0.5)))
        for command, needs in by_command(config, written, view.topics)
    }
    useless = all(found[command] for command in ("produce", "consume"))
    for command, missing in found.items():
        if missing:
            text = f"tickwire {command}: {user(config)} lacks {', '.join(map(str, missing))}"
            failed = useless and command != "dlq"
            yield Finding("rights", not failed, f"{text} (docs/clusters.md)", hint=not failed)
        else:
            yield Finding("rights", True, f"tickwire {command}: nothing is known to be lacking")


def _registry(config: KafkaConfig, deadline: float) -> Iterator[Finding]:
    """The registry has the schemas that a feed needs at its start."""
    if config.schema_registry_url is None:
        return
    try:
        registry = Registry(config, min(_REACH_S, max(deadline - time.monotonic(), 0.5)))
        count = len(registry.subjects())
        yield Finding("registry", True, f"{registry.url} answers, subjects: {count}")
        for subject in our_subjects(config):
            yield _subject(registry, subject)
    except TickwireError as e:
        yield Finding("registry", False, str(e))


def _subject(registry: Registry, subject: Subject) -> Finding:
    try:
        number = registry.id_of(subject.name, subject.schema)
    except SchemaMissing:
        return Finding("registry", False, f"{subject.name} lacks our schema: run `tickwire schemas register`")
    if why := written_otherwise(registry.schema(number), subject.schema):
        return Finding("registry", False, f"{subject.name}: id {number} stands for another schema than ours ({why})")
    if (level := registry.compatibility(subject.name)) != LEVEL:
        text = f"{subject.name} has our schema, id {number}, at the level {level or 'of the registry'}"
        return Finding("registry", True, f"{text}: `tickwire schemas register` sets {LEVEL}", hint=True)
    return Finding("registry", True, f"{subject.name} has our schema, id {number}")


def _too_small(name: str, limit: int, config: KafkaConfig) -> str:
    size = "as it is" if config.compression == "none" else f"compressed with {config.compression}"
    return (
        f"{name} takes {limit} bytes at once (max.message.bytes), which counts {size}, and KAFKA_BATCH_SIZE is "
        f"{config.batch_size}: raise the one, or set KAFKA_BATCH_SIZE={limit}; larger batches and books are refused"
    )


def _round_trip(cluster: Cluster, seconds: float) -> Finding:
    times: list[float] = []
    deadline = time.monotonic() + seconds
    while len(times) < _ROUND_TRIPS and (left := deadline - time.monotonic()) > 0:
        start = time.monotonic()
        try:
            cluster.view(left)
        except KafkaFailed as e:
            return Finding("round trip", False, str(e))
        times.append(time.monotonic() - start)
    median = statistics.median(times) * 1000
    return Finding("round trip", True, f"{median:.1f} ms, the median of {len(times)} metadata requests")
