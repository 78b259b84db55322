"""Topics: what there is, what is missing, and the admin calls that change it."""

import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from concurrent.futures import TimeoutError as NoAnswer
from dataclasses import dataclass, field
from typing import Any, TypeVar

from confluent_kafka import KafkaError, KafkaException
from confluent_kafka.admin import ConfigResource, NewTopic  # type: ignore[attr-defined]  # exported without saying so

from tickwire.config.kafka_config import KafkaConfig, foreign_topic
from tickwire.errors import KafkaFailed, TickwireError, UsageError
from tickwire.kafka import codes
from tickwire.kafka.admin.rights import RIGHTS_S, producing, require
from tickwire.kafka.causes import explain, said, user
from tickwire.kafka.clients import CONNECT_SECONDS, Cluster, ClusterView, TopicView

_REQUEST_S = 10.0
_PROPAGATION_S = 15.0
_POLL_S = 0.05
_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class TopicSpec:
    """A topic to create. None leaves the decision to the settings (partitions) or to the broker."""

    name: str
    partitions: int | None = None
    replication: int | None = None
    settings: Mapping[str, str] = field(default_factory=dict)  # https://kafka.apache.org/documentation/#topicconfigs


@dataclass(frozen=True, slots=True)
class TopicDetails:
    """A topic and what its configuration says; None where the broker does not tell."""

    view: TopicView
    retention_ms: int | None
    cleanup: str | None
    largest_message: int | None  # bytes


class TopicDiffers(TickwireError):
    """A topic that should be created exists in another form."""

    def __init__(self, name: str, differences: Sequence[str]) -> None:
        self.name, self.differences = name, tuple(differences)

    def __str__(self) -> str:
        return (
            f"The topic {self.name} exists already, with {' and '.join(self.differences)}: "
            "ask for what it has, choose another name, or delete it first."
        )


class UnknownTopic(UsageError):
    """Kafka has no topic of this name, or hides it from this user."""

    exit_code = 1

    def __init__(self, name: str, known: Sequence[str]) -> None:
        self.name, self.known = name, tuple(known)

    def __str__(self) -> str:
        return (
            f"Kafka has no topic {self.name!r}, or hides it from this user: `tickwire topics --list` shows the "
            f"{len(self.known)} that are seen, `tickwire topics --create {self.name}` makes it."
        )


class ForeignTopic(UsageError):
    """A topic that is not ours to make or to delete."""

    def __init__(self, name: str) -> None:
        self.name = name

    def __str__(self) -> str:
        return (
            f"The topic {self.name!r} belongs to Kafka itself or to its schema registry, whose users would lose what "
            "they keep there (committed offsets, transactions, schemas), so tickwire neither creates nor deletes it: "
            "use Kafka's own tools."
        )


class Topics:
    """The topics of one cluster. Every method blocks and raises :exc:`~tickwire.errors.KafkaFailed`."""

    def __init__(self, config: KafkaConfig) -> None:
        self._config = config
        self.cluster = Cluster(config)

    def view(self, seconds: float = CONNECT_SECONDS) -> ClusterView:
        """Ask for everything there is."""
        return self.cluster.view(seconds)

    def list(self) -> list[TopicView]:
        """Every topic that is not Kafka's own, by name."""
        topics = self.view().topics
        return [topics[name] for name in sorted(topics) if not name.startswith("__")]

    def describe(self, name: str) -> TopicDetails:
        """Tell all about one topic. Raises :exc:`UnknownTopic`."""
        topics = self.view().topics
        if name not in topics:
            raise UnknownTopic(name, list(topics))
        settings = self._settings(name)
        return TopicDetails(
            topics[name],
            _number(settings.get("retention.ms")),
            settings.get("cleanup.policy"),
            _number(settings.get("max.message.bytes")),
        )

    def create(self, spec: TopicSpec) -> bool:
        """Create a topic and wait until it takes records; False when it exists already as asked.

        Raises :exc:`TopicDiffers` and :exc:`ForeignTopic`.
        """
        refuse_foreign(spec.name)
        if spec.name in self.view().topics or not self._make(spec):
            self._compare(spec)
            return False
        return True

    def delete(self, name: str) -> None:
        """Delete a topic with all it holds and wait until it is gone.

        Raises :exc:`UnknownTopic` and :exc:`ForeignTopic`.
        """
        refuse_foreign(name)
        topics = self.view().topics
        if name not in topics:
            raise UnknownTopic(name, list(topics))
        futures = self.cluster.admin.delete_topics([name], request_timeout=_REQUEST_S)
        self._result(futures[name], f"delete the topic {name}", "DELETE")
        self._await(
            lambda topics: name not in topics.topics,
            f"The topic {name} is still there {_PROPAGATION_S:g} s after Kafka agreed to delete it: try again later.",
        )

    def ensure(
        self,
        names: Sequence[str],
        settings: Callable[[], Mapping[str, str]] = dict,
        *,
        partitions: int | None = None,
    ) -> None:
        """Make sure that *names* exist and have leaders; create what is missing if KAFKA_CREATE_TOPICS says so.

        What is created gets *settings*, which are asked for only then, and so many *partitions*; None:
        KAFKA_TOPIC_PARTITIONS.
        """
        there = self.view().topics
        missing = [name for name in names if name not in there]
        if missing and not self._config.create_topics:
            commands = " and ".join(f"`tickwire topics --create {name}`" for name in missing)
            raise KafkaFailed(
                f"Kafka has no topic {', '.join(missing)}, or {user(self._config)} may not see it, and "
                f"KAFKA_CREATE_TOPICS is false: create it with {commands}, or grant what docs/clusters.md names."
            )
        for name in missing:
            self._make(TopicSpec(name, partitions, settings=settings()))

    def _make(self, spec: TopicSpec) -> bool:
        """Create a topic and wait until every broker asked knows it; False when another process was faster."""
        try:
            self._create(spec)
            made = True
        except _Exists:  # which brokers say before they list it
            made = False
        self._await(
            lambda topics: spec.name in topics.topics and not topics.topics[spec.name].leaderless,
            f"The topic {spec.name} was created, and {user(self._config)} sees no leader of it after "
            f"{_PROPAGATION_S:g} s: look at the brokers, or grant DESCRIBE on it.",
        )
        return made

    def _create(self, spec: TopicSpec) -> None:
        new = NewTopic(
            spec.name,
            num_partitions=spec.partitions or self._config.topic_partitions,
            replication_factor=spec.replication or self._config.topic_replication,
            config={**spec.settings},
        )
        futures = self.cluster.admin.create_topics([new], request_timeout=_REQUEST_S)
        self._result(futures[spec.name], f"create the topic {spec.name}", "CREATE")

    def _compare(self, spec: TopicSpec) -> None:
        """Raise when the existing topic is not what was explicitly asked for."""
        there = self.view().topics[spec.name]
        settings = self._settings(spec.name) if spec.settings else {}
        pairs: list[tuple[str, object, object]] = [
            ("partitions", there.partitions, spec.partitions),
            ("replication factor", there.replication, spec.replication if spec.replication != -1 else None),
            *((name, settings.get(name), asked) for name, asked in spec.settings.items()),
        ]
        differences = [
            f"{what} {'unknown' if has is None else has} instead of {asked}"
            for what, has, asked in pairs
            if asked is not None and has != asked
        ]
        if differences:
            raise TopicDiffers(spec.name, differences)

    def _settings(self, name: str) -> dict[str, str]:
        """The topic's configuration; empty where the broker has no such request."""
        resource = ConfigResource(ConfigResource.Type.TOPIC, name)
        (future,) = self.cluster.admin.describe_configs([resource], request_timeout=_REQUEST_S).values()
        try:
            entries = self._result(future, f"read the configuration of the topic {name}", "DESCRIBE_CONFIGS")
        except _Unsupported:
            return {}
        return {key: entry.value for key, entry in entries.items() if entry.value is not None}

    def _result(self, future: "Future[_T]", action: str, right: str) -> _T:
        try:
            return self.cluster.answer(future, _REQUEST_S + 2)
        except KafkaException as e:
            error: KafkaError = e.args[0]
            if error.code() == codes.EXISTS:
                raise _Exists(said(error)) from e
            if error.code() == codes.NO_ANSWER and (heard := self.cluster.unreached()) is not None:
                raise KafkaFailed(explain(heard, self._config)) from e
            if error.code() in codes.UNSUPPORTED:
                raise _Unsupported(
                    f"This broker cannot {action}, or did not answer ({said(error)}): use its own tools, or try again."
                ) from e
            if error.code() in codes.CONNECTION:
                raise KafkaFailed(explain(error, self._config)) from e
            if error.code() in codes.DENIED:
                raise KafkaFailed(
                    f"Kafka does not let {user(self._config)} {action} ({said(error)}): grant {right} on it; where it "
                    "exists and is hidden, grant what docs/clusters.md names; or log in as another one."
                ) from e
            raise KafkaFailed(f"Kafka refused to {action} ({said(error)}): {codes.advice(error)}.") from e

    def _await(self, reached: Callable[[ClusterView], bool], otherwise: str) -> None:
        deadline = time.monotonic() + _PROPAGATION_S
        while not reached(self.view()):
            if time.monotonic() >= deadline:
                raise KafkaFailed(otherwise)
            time.sleep(_POLL_S)


def refuse_foreign(name: str) -> None:
    """Raise :exc:`ForeignTopic` for a topic that is not ours to make or to delete."""
    if foreign_topic(name):
        raise ForeignTopic(name)


class _Exists(KafkaFailed):
    """Another process created the topic since we looked."""


class _Unsupported(KafkaFailed):
    """The broker does not know this request, or does not answer it, which looks the same."""


def _number(text: str | None) -> int | None:
    return int(text) if text and text.lstrip("-").isdigit() else None


def largest_batches(cluster: Cluster, names: Sequence[str], seconds: float) -> dict[str, int]:
    """How many bytes of records each topic takes at once; without those of which the broker does not tell it.

    After a :meth:`~tickwire.kafka.clients.Cluster.view`; where that found no controller, nothing is told.
    """
    return _limits(_ask_limits(cluster, names, seconds), seconds)


def _ask_limits(cluster: Cluster, names: Sequence[str], seconds: float) -> dict[ConfigResource, Future[Any]]:
    if not names or not cluster.controlled:
        return {}
    resources = [ConfigResource(ConfigResource.Type.TOPIC, name) for name in names]
    return cluster.admin.describe_configs(resources, request_timeout=seconds)


def _limits(asked: dict[ConfigResource, Future[Any]], seconds: float) -> dict[str, int]:
    deadline = time.monotonic() + seconds
    found = {}
    for resource, future in asked.items():
        try:
            entry = future.result(max(deadline - time.monotonic(), 0.01)).get("max.message.bytes")
        except (KafkaException, NoAnswer):  # no such request, or no right to it
            continue
        if entry is not None and (limit := _number(entry.value)) is not None:
            found[resource.name] = limit
    return found


def ensure_topics(config: KafkaConfig, names: Sequence[str]) -> dict[str, int]:
    """Make sure that Kafka answers, has the topics *names*, created if KAFKA_CREATE_TOPICS says so, and lets us write.

    Return what :func:`largest_batches` does. Blocks.

    Raises :exc:`~tickwire.errors.KafkaFailed`.
    """
    topics = Topics(config)
    topics.ensure(names)
    asked = _ask_limits(topics.cluster, names, RIGHTS_S)  # answered, or not, at the same time as the rights
    require(topics.cluster, config, producing(names))
    return _limits(asked, RIGHTS_S)
