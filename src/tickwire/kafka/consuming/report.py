"""What a consumer did, counted while it runs."""

from collections import Counter
from collections.abc import Iterable
from typing import Any, Literal, Protocol, TypeAlias, runtime_checkable

from tickwire import metrics
from tickwire.kafka.consuming.progress import Partition
from tickwire.kafka.received import ReceivedRecord

Outcome: TypeAlias = Literal["processed", "dead_letter"]


class ConsumerReport:
    """Counts by topic: records ended (``processed`` and ``dead_letters``), confirmed commits, and the lag."""

    def __init__(self, topics: Iterable[str]) -> None:
        self.processed: Counter[str] = Counter()
        self.dead_letters: Counter[str] = Counter()
        self.commits: Counter[str] = Counter()
        self.lag: dict[Partition, int] = {}  # known after the first answer of the partition's broker
        self.assigned = 0  # partitions that are ours now
        self._ended = {
            (topic, outcome): metrics.CONSUMER_RECORDS.labels(topic, outcome)
            for topic in topics
            for outcome in ("processed", "dead_letter")
        }

    @property
    def consumed(self) -> Counter[str]:
        """Records that ended, one way or the other."""
        return self.processed + self.dead_letters

    def count(self, topic: str, outcome: Outcome, number: int = 1) -> None:
        """Count records that ended."""
        (self.processed if outcome == "processed" else self.dead_letters)[topic] += number
        self._ended[topic, outcome].inc(number)

    def set_lag(self, partition: Partition, lag: int) -> None:
        """Set how many records of a partition are not handled yet."""
        self.lag[partition] = lag
        metrics.CONSUMER_LAG.labels(partition[0], str(partition[1])).set(lag)

    def forget_lag(self, partition: Partition) -> None:
        """Forget a partition that is no longer ours to measure."""
        if self.lag.pop(partition, None) is not None:
            metrics.CONSUMER_LAG.remove(partition[0], str(partition[1]))

    def to_json(self) -> dict[str, Any]:
        """The counts, ready for JSON."""
        return {
            "consumed": dict(self.consumed),
            "dead_lettered": dict(self.dead_letters),
            "commits": dict(self.commits),
            "lag": {f"{topic}-{number}": lag for (topic, number), lag in sorted(self.lag.items())},
        }

    def last_line(self) -> str:
        """What was done, in one sentence."""
        consumed = self.consumed
        by_topic = ", ".join(f"{topic} {count}" for topic, count in sorted(consumed.items()))
        return (
            f"Consumed {consumed.total()} records{f' ({by_topic})' if by_topic else ''}, "
            f"{self.dead_letters.total()} dead letters, {self.commits.total()} commits."
        )


class Observer(Protocol):
    """Watches a consumer, for output."""

    def tick(self, report: ConsumerReport) -> None:
        """See the counts, about twice a second and once before the end. The last commits are counted after that."""


@runtime_checkable
class RecordObserver(Observer, Protocol):
    """Watches every record, too."""

    def record(self, record: ReceivedRecord) -> None:
        """See a record before its handler does, in the handler's thread."""
