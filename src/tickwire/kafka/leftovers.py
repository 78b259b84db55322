"""Records on disk of producers that shared the work in another way: they are sent before anything new of theirs is.

A producer sends what it finds in its own folder. With another number of workers a symbol is served from another
folder, so what waits in the old ones must have gone to Kafka before the symbol's next record does.
"""

import asyncio
from collections.abc import Callable

from tickwire.config.kafka_config import KafkaConfig
from tickwire.config.share import Share
from tickwire.errors import TickwireError
from tickwire.kafka.ledger import RecoveredAccount
from tickwire.kafka.publisher import Publisher, spill_folder
from tickwire.kafka.spill import SUFFIX, check_free

_LOOK_S = 0.05


def others(config: KafkaConfig, exchange: str, workers: int) -> list[str]:
    """The sources of *exchange* that left records on disk, but are none of so many workers.

    Raises :exc:`~tickwire.errors.SpillUnusable` when one of them is at work, which may publish the same symbols.
    """
    ours = {Share(index, workers).source(exchange) for index in range(workers)}
    root = spill_folder(config, exchange).parents[len(config.topics)]
    names = {exchange, *(folder.name for folder in root.glob(f"{exchange}.*-of-*"))} - ours
    folders = {name: spill_folder(config, name) for name in sorted(names)}
    for folder in folders.values():
        check_free(folder)
    return [name for name, folder in folders.items() if any(folder.glob(f"*{SUFFIX}"))]


async def send(config: KafkaConfig, source: str, stopping: Callable[[], bool]) -> RecoveredAccount:
    """Send everything that waits in the folder of *source*, or until *stopping* says yes.

    Raises :exc:`~tickwire.errors.KafkaFailed` and :exc:`~tickwire.errors.SpillUnusable`.
    """
    nobody = _Nobody()
    publisher = Publisher(config, nobody, source=source)
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
