"""Notices added partitions of a topic, which move most keys to another partition."""

import asyncio
from collections.abc import Callable, Sequence

_LOOK_S = 30.0  # librdkafka looks every five minutes, and also uses the answer to our look


class PartitionWatch:
    """Asks how many partitions *topics* have; calls *moved* for each topic whose number has changed.

    *ask* blocks, and returns None without an answer.
    """

    def __init__(
        self, topics: Sequence[str], ask: Callable[[str], int | None], moved: Callable[[str, int], None]
    ) -> None:
        self._topics, self._ask, self._moved = topics, ask, moved
        self.known: dict[str, int] = {}  # partitions by topic

    async def run(self) -> None:
        """Repeat until cancelled."""
        while True:
            for topic in self._topics:
                now = await asyncio.to_thread(self._ask, topic)
                if now is not None and self.known.setdefault(topic, now) != now:
                    self.known[topic] = now
                    self._moved(topic, now)
            await asyncio.sleep(_LOOK_S)
