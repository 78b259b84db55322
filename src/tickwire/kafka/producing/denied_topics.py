"""Topics that we may not write to now: their records are held until the right is back."""

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Collection, Iterable

from tickwire.kafka.producing.in_flight import InFlight

logger = logging.getLogger(__name__)


class DeniedTopics:
    """A missing right may come back, so it is an outage of that topic; *told* is called when one begins."""

    def __init__(self, told: Callable[[str], None]) -> None:
        self._told = told
        self.topics: set[str] = set()
        self.held: list[InFlight] = []
        self.some = asyncio.Event()  # set while there are any
        self.everywhere = False  # this user may write to no topic, so no producer can start

    def __bool__(self) -> bool:
        return bool(self.topics)

    def __contains__(self, topic: str) -> bool:
        return topic in self.topics

    def add(self, topic: str, cause: str) -> None:
        """Hold the records of *topic* from now on."""
        if topic not in self.topics:
            self.topics.add(topic)
            self.some.set()
            logger.error("publisher.denied topic=%s error=%r (its records wait until WRITE is granted)", topic, cause)
            self._told(topic)

    def add_all(self, topics: Collection[str], cause: str) -> None:
        """Hold the records of all *topics*: Kafka says that this user may write to none."""
        for topic in topics:
            self.add(topic, cause)
        self.everywhere = bool(self.topics)

    def take(self, entries: Iterable[InFlight], head: int) -> tuple[deque[InFlight], int]:
        """Hold the *entries* of denied topics; return the others, and how many of the first *head* are among them."""
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
        """Stop holding records of *topic*; return those that were held, the oldest first."""
        logger.warning("publisher.allowed topic=%s", topic)
        self.topics.discard(topic)
        if not self.topics:
            self.some.clear()
        self.everywhere = False
        again = [entry for entry in self.held if entry.record.topic == topic]
        self.held = [entry for entry in self.held if entry.record.topic != topic]
        return again
