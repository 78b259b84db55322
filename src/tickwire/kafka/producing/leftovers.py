"""Sends the records that wait in a folder on disk: for `tickwire spill send`."""

import asyncio
from collections.abc import Callable
from pathlib import Path

from tickwire.config.kafka_config import KafkaConfig
from tickwire.kafka.producing.ledger import RecoveredAccount
from tickwire.kafka.producing.opening import opened
from tickwire.kafka.producing.publisher import Publisher

_LOOK_S = 0.05


async def send(config: KafkaConfig, source: str, folder: Path, stopping: Callable[[], bool]) -> RecoveredAccount:
    """Send all records that wait in *folder*, or until *stopping* returns true.

    Raises :exc:`~tickwire.errors.KafkaFailed`, :exc:`~tickwire.errors.SpillUnusable` and
    :exc:`~tickwire.errors.SpillOfAnotherCluster`.
    """
    async with opened(Publisher(config, source=source, folder=folder)) as publisher:
        while publisher.recovered().waiting and publisher.flows.error is None and not stopping():  # noqa: ASYNC110 - counters
            await asyncio.sleep(_LOOK_S)
    return publisher.recovered()
