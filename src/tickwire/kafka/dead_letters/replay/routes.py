"""Where a dead letter goes when it is replayed, and with which headers. Pure."""

from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

from tickwire.config.kafka_config import KafkaConfig
from tickwire.errors import UsageError
from tickwire.kafka.dead_letters.headers import HeaderList, replay_count
from tickwire.kafka.dead_letters.selection import DeadLetter, Selection
from tickwire.records.kinds import BOOKS, KINDS, topics_by_kind

MAX_REPLAYS = 3


@dataclass(frozen=True, slots=True)
class ReplayRules:
    """The user's options. Without ``target`` each letter goes back to its own topic."""

    selection: Selection = field(default_factory=Selection)
    target: str | None = None
    max_replays: int = MAX_REPLAYS
    allow_orderbook: bool = False
    limit: int | None = None
    rate: float | None = None  # records a second


class Route(NamedTuple):
    """Where one dead letter goes, or why it stays."""

    action: Literal["replay", "quarantine", "stay"]
    topic: str
    reason: str


def quarantine_topic(config: KafkaConfig) -> str:
    """The topic of dead letters that were replayed too often."""
    return f"{config.dlq_topic}.quarantine"


class Router:
    """Decides where letters go: only to topics of market data, so there are no cycles; *there* are the existing topics.

    Raises :exc:`~tickwire.errors.UsageError` for an invalid target.
    """

    def __init__(self, config: KafkaConfig, rules: ReplayRules, there: Collection[str]) -> None:
        self._rules = rules
        self._quarantine = quarantine_topic(config)
        topics = topics_by_kind(config)
        self._books = {topics[name] for name in BOOKS}
        self._allowed = set(config.topics) - {config.dlq_topic, self._quarantine}
        self._there = there
        if rules.target is not None and rules.target not in self._allowed:
            variables = " and ".join(config.variable(kind.topic) for kind in KINDS)
            raise UsageError(
                f"--target {rules.target!r} is not allowed: expected {' or '.join(sorted(self._allowed))}, "
                f"the topics of {variables}."
            )
        if rules.target is not None and rules.target not in there:
            raise UsageError(
                f"--target {rules.target} is not in Kafka, or hidden from this user: create it, or name another topic."
            )

    def route(self, letter: DeadLetter) -> Route:
        """Decide on one dead letter."""
        target = self._rules.target or letter.ours.get("source_topic", "")
        if reason := self._obstacle(letter, target):
            return Route("stay", "", reason)
        count = replay_count(letter.ours)
        if count >= self._rules.max_replays:
            return Route("quarantine", self._quarantine, f"replayed {count} times")
        return Route("replay", target, "selected")

    def _obstacle(self, letter: DeadLetter, target: str) -> str | None:
        """Why this letter cannot be sent."""
        if not letter.ours:
            return "the headers source_topic and error_type are missing"
        left_out = letter.ours.get("left_out", "nothing")
        if left_out != "nothing":
            return f"incomplete, too large for this topic: {left_out} left out"
        if target not in self._allowed:
            return "its source is no topic of market data"
        if target not in self._there:
            return "its source topic is not in Kafka, or hidden from this user"
        if not self._rules.allow_orderbook and self._is_book(letter, target):
            return "order book, out of order by now (--allow-orderbook)"
        return None

    def _is_book(self, letter: DeadLetter, target: str) -> bool:
        return not self._books.isdisjoint({target, letter.ours["source_topic"]}) or any(
            name == "schema" and (value or b"").partition(b"/")[0].decode(errors="replace") in BOOKS
            for name, value in letter.original
        )


def replay_headers(letter: DeadLetter, replay_id: str, replayed_at: str) -> HeaderList:
    """The record's own headers, and those of the replay in place of those of the failure."""
    count = replay_count(letter.ours) + 1
    return [
        *letter.original,
        ("replay_count", str(count).encode()),
        ("replay_of", letter.id.encode()),
        ("replayed_at", replayed_at.encode()),
        ("replay_id", replay_id.encode()),
    ]
