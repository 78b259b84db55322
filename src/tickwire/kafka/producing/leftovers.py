"""Sending what waits in a folder on disk, by itself: for `tickwire spill send`."""

import asyncio
from collections.abc import Callable
from pathlib import Path

from tickwire.config.kafka_config import KafkaConfig
from tickwire.errors import TickwireError
from tickwire.kafka.producing.ledger import RecoveredAccount
from tickwire.kafka.producing.publisher import Publisher

_LOOK_S = 0.05


async def send(config: KafkaConfig, source: str, folder: Path, stopping: Callable[[], bool]) -> RecoveredAccount:
    """Send everything that waits in *folder*, or until *stopping* says yes.

    Raises :exc:`~tickwire.errors.KafkaFailed`, :exc:`~tickwire.errors.SpillUnusable` and
    :exc:`~tickwire.errors.SpillOfAnotherCluster`.
    """
    nobody = _Nobody()
    publisher = Publisher(config, nobody, source=source, folder=folder)
    await asyncio.to_thread(publisher.open)
    publisher.start(asyncio.get_running_loop())
    try:
        while publisher.recovered().waiting and nobody.error is None and not stopping():  # noqa: ASYNC110 - counters
            await asyncio.sleep(_LOOK_S)
    finally:
        await publisher.close(config.shutdown_seconds)
    if nobody.error is not None:
        raise nobody.error
    return publisher.recovered()


class _Nobody:
    """A feed that reads nothing."""

    error: TickwireError | None = None

    def pause(self) -> None:
        """Nothing is read."""

    def resume(self) -> None:
        """Nothing is read."""

    def restart(self, exchange_symbol: str, reason: str) -> None:
        """Leave it: the book starts anew with whoever serves it next."""

    def failed(self, error: TickwireError) -> None:
        """Keep the error."""
        self.error = error
