"""Notices that a topic got more partitions, which moves most keys to another one."""

import asyncio
from collections.abc import Callable, Sequence

_LOOK_S = 30.0  # the library looks every five minutes, and goes by our look, too


class PartitionWatch:
    """Asks how many partitions *topics* have and tells *moved* of each that has another number than before.

    *ask* blocks, and returns None when it got no answer.
    """

    def __init__(
        self, topics: Sequence[str], ask: Callable[[str], int | None], moved: Callable[[str, int], None]
    ) -> None:
        self._topics, self._ask, self._moved = topics, ask, moved
        self.known: dict[str, int] = {}  # partitions by topic

    async def run(self) -> None:
        """Look until cancelled."""
        while True:
            for topic in self._topics:
                now = await asyncio.to_thread(self._ask, topic)
                if now is not None and self.known.setdefault(topic, now) != now:
                    self.known[topic] = now
                    self._moved(topic, now)
            await asyncio.sleep(_LOOK_S)
