"""The rights of this user as the brokers report them (KIP-430), without trying anything.

https://cwiki.apache.org/confluence/x/p4AiBg; which command needs what is a table in ``docs/clusters.md``.
"""

import time
from collections.abc import Collection, Iterator, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

from confluent_kafka import KafkaException, TopicCollection

from tickwire.config.kafka_config import KafkaConfig
from tickwire.errors import KafkaFailed
from tickwire.kafka import codes
from tickwire.kafka.causes import user
from tickwire.kafka.clients import Cluster

Right: TypeAlias = Literal["READ", "WRITE", "DESCRIBE"]
Rights: TypeAlias = Collection[str] | None  # None: the broker does not report them

RIGHTS_S = 3.0  # for an answer before work begins
_AGAIN_S = 0.1


@dataclass(frozen=True, slots=True)
class Need:
    """A right on a topic or a group, for a command."""

    right: Right
    kind: Literal["topic", "group"]
    name: str

    def __str__(self) -> str:
        return f"{self.right} on the {self.kind} {self.name}"


def producing(topics: Sequence[str]) -> list[Need]:
    """The rights that ``tickwire produce`` needs on these topics, which exist."""
    return [Need("WRITE", "topic", topic) for topic in topics]


def consuming(config: KafkaConfig, topics: Sequence[str], group: str) -> list[Need]:
    """The rights that ``tickwire consume`` needs on these topics, which exist."""
    needs = [Need("READ", "topic", topic) for topic in topics] + [Need("READ", "group", group)]
    return [*needs, Need("WRITE", "topic", config.dlq_topic)] if config.dlq_enabled else needs


def inspecting(config: KafkaConfig, topic: str) -> list[Need]:
    """The rights that ``tickwire dlq`` needs to read dead letters; the group is looked up, but not joined."""
    return [Need("READ", "topic", topic), Need("DESCRIBE", "group", config.group_id)]


def lacking(cluster: Cluster, needs: Sequence[Need], seconds: float) -> list[Need]:
    """The ones of *needs* that this user lacks, as far as the brokers report within *seconds*.

    Raises as :meth:`~tickwire.kafka.clients.Cluster.answer` where none can be reached, and so do the next three.
    """
    until = time.monotonic() + seconds
    topics = topic_rights(cluster, sorted({need.name for need in needs if need.kind == "topic"}), seconds)
    groups = {
        name: group_rights(cluster, name, max(0.5, until - time.monotonic()))
        for name in sorted({need.name for need in needs if need.kind == "group"})
    }
    return [need for need in needs if not _has((topics if need.kind == "topic" else groups).get(need.name), need)]


def require(cluster: Cluster, config: KafkaConfig, needs: Sequence[Need]) -> None:
    """Raise :exc:`~tickwire.errors.KafkaFailed` if this user lacks one of *needs*."""
    if missing := lacking(cluster, needs, RIGHTS_S):
        raise KafkaFailed(
            f"In Kafka {user(config)} lacks {', '.join(map(str, missing))}: grant that, or log in as another one."
        )


def topic_rights(cluster: Cluster, names: Sequence[str], seconds: float) -> dict[str, Rights]:
    """The rights on each topic; a hidden or missing one has none.

    Call :meth:`~tickwire.kafka.clients.Cluster.view` before; if that found no controller, rights are unknown.
    """
    if not names or not cluster.controlled:
        return {}
    asked = TopicCollection(list(names))
    try:
        futures = cluster.admin.describe_topics(asked, include_authorized_operations=True, request_timeout=seconds)
    except KafkaException:  # the cluster cannot answer it
        return {}
    return {name: _told(cluster, future, seconds) for name, future in futures.items()}


def group_rights(cluster: Cluster, name: str, seconds: float) -> Rights:
    """The rights on a consumer group, whether it exists or not."""
    until = time.monotonic() + seconds
    while True:
        left = max(0.1, until - time.monotonic())
        try:
            return _operations(cluster.describe_group(name, left, include_authorized_operations=True))
        except KafkaException as e:
            if e.args[0].code() in codes.DENIED:
                return ()
            if not codes.passes(e.args[0]) or time.monotonic() >= until:
                return None
        time.sleep(_AGAIN_S)


def _told(cluster: Cluster, future: "Future[Any]", seconds: float) -> Rights:
    try:
        return _operations(cluster.answer(future, seconds + 1))
    except KafkaException as e:
        return () if e.args[0].code() in codes.DENIED else None


def _operations(description: Any) -> Rights:  # TopicDescription or ConsumerGroupDescription, which are not typed
    told = description.authorized_operations
    return None if told is None else [operation.name for operation in told]


def _has(rights: Rights, need: Need) -> bool:
    return rights is None or need.right in rights


def by_command(
    config: KafkaConfig, written: Sequence[str], view: Mapping[str, object]
) -> Iterator[tuple[str, list[Need]]]:
    """The commands that `tickwire check` looks at, with the rights that each needs on existing topics."""
    there = [topic for topic in config.topics if topic in view]
    yield "produce", producing(written)
    yield "consume", consuming(config, there or config.topics, config.group_id)
    if config.dlq_topic in view:
        yield "dlq", inspecting(config, config.dlq_topic)
