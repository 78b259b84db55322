"""Topics that Kafka does not let us write to now: what was on its way to them is held until it does again."""

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Collection, Iterable

from tickwire.kafka.producing.in_flight import InFlight

logger = logging.getLogger(__name__)


class DeniedTopics:
    """A right may be given back, so its lack is an outage of that topic; *told* is called with each when it begins."""

    def __init__(self, told: Callable[[str], None]) -> None:
        self._told = told
        self.topics: set[str] = set()
        self.held: list[InFlight] = []
        self.some = asyncio.Event()  # whether there are any
        self.everywhere = False  # no producer can begin, because this user may write to nothing

    def __bool__(self) -> bool:
        return bool(self.topics)

    def __contains__(self, topic: str) -> bool:
        return topic in self.topics

    def add(self, topic: str, cause: str) -> None:
        """Let the records of *topic* wait from now on."""
        if topic not in self.topics:
            self.topics.add(topic)
            self.some.set()
            logger.error("publisher.denied topic=%s error=%r (its records wait until WRITE is granted)", topic, cause)
            self._told(topic)

    def add_all(self, topics: Collection[str], cause: str) -> None:
        """Let the records of all *topics* wait: Kafka says that nothing may be written."""
        for topic in topics:
            self.add(topic, cause)
        self.everywhere = bool(self.topics)

    def take(self, entries: Iterable[InFlight], head: int) -> tuple[deque[InFlight], int]:
        """Hold those of *entries* that have to wait; return the others, and how many of the first *head* are left."""
        others: deque[InFlight] = deque()
        left = head
        for number, entry in enumerate(entries):
            if entry.record.topic in self.topics:
                self.held.append(entry)
                left -= number < head
            else:
                others.append(entry)
        return others, left

    def allow(self, topic: str) -> list[InFlight]:
        """Let *topic* be written to again; return what was held for it, the oldest first."""
        logger.warning("publisher.allowed topic=%s", topic)
        self.topics.discard(topic)
        if not self.topics:
            self.some.clear()
        self.everywhere = False
        again = [entry for entry in self.held if entry.record.topic == topic]
        self.held = [entry for entry in self.held if entry.record.topic != topic]
        return again
