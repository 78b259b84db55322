"""Asks whether denied topics may be written to again; trying to write would cost a producer each time."""

import asyncio
from collections.abc import Callable, Sequence

from tickwire.config.kafka_config import KafkaConfig
from tickwire.errors import KafkaFailed
from tickwire.kafka.admin.rights import lacking, producing
from tickwire.kafka.clients import Cluster
from tickwire.kafka.producing.denied_topics import DeniedTopics

_FIRST_S, _LONGEST_S = 1.0, 10.0
_ANSWER_S = 5.0


class RightsWatch:
    """Calls *allowed* for each of the *denied* topics that this user may write to again."""

    def __init__(self, config: KafkaConfig, denied: DeniedTopics, allowed: Callable[[str], None]) -> None:
        self._config, self._denied, self._allowed = config, denied, allowed
        self._cluster: Cluster | None = None

    async def run(self) -> None:
        """Ask while there are denied topics, at growing intervals, until cancelled."""
        while True:
            await self._denied.some.wait()
            wait = _FIRST_S
            while self._denied:
                await asyncio.sleep(wait)
                for topic in await asyncio.to_thread(self._ask, sorted(self._denied.topics)):
                    self._allowed(topic)
                wait = min(2 * wait, _LONGEST_S)
            self._cluster = None

    def _ask(self, topics: Sequence[str]) -> list[str]:
        """The allowed ones among *topics*; all of them if the broker does not tell."""
        try:
            self._cluster = self._cluster or Cluster(self._config)
            self._cluster.view(_ANSWER_S)
            missing = {need.name for need in lacking(self._cluster, producing(topics), _ANSWER_S)}
        except KafkaFailed:  # another outage, which is logged elsewhere
            return []
        return [topic for topic in topics if topic not in missing]
