"""One feed's connection to its publisher, which it owns or shares with other feeds."""

import asyncio
import importlib.util
import logging
from collections.abc import Callable, Iterable, Sequence
from contextlib import AsyncExitStack
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from tickwire import metrics
from tickwire.config.kafka_config import KafkaConfig
from tickwire.events.types import MarketEvent
from tickwire.exchanges.contract import Symbol
from tickwire.kafka.producing.flow import Flow
from tickwire.kafka.producing.opening import opened
from tickwire.losses import droppable, losses
from tickwire.records.kinds import topics_by_kind

if TYPE_CHECKING:
    from tickwire.kafka.producing.in_flight import DirectPublisher
    from tickwire.kafka.producing.memory import MemoryPublisher
    from tickwire.kafka.producing.publisher import Publisher
    from tickwire.kafka.spill import Epochs

    AnyPublisher = Publisher | MemoryPublisher

logger = logging.getLogger(__name__)

_STAGES = (*metrics.OUTCOMES, "in_flight")  # the states of a record


def make_publisher(kafka: KafkaConfig, source: str, *, offline_start: bool) -> "Publisher | None":
    """Make a publisher; None if Kafka is switched off or confluent-kafka is missing."""
    if not kafka.enabled:
        return None
    if importlib.util.find_spec("confluent_kafka") is None:
        logger.warning("feed.no_kafka (KAFKA_ENABLED is true, but confluent-kafka is not installed)")
        return None
    from tickwire.kafka.producing.publisher import Publisher  # noqa: PLC0415 - its library may be missing

    return Publisher(kafka, source=source, offline_start=offline_start)


class Publishing:
    """Connects a feed of some *channels* of an *exchange* to its *publisher*; None publishes nothing.

    A publisher that is already open when the feed starts is shared: whoever opened it closes it.
    """

    def __init__(self, publisher: "AnyPublisher | None", exchange: str, channels: Sequence[str]) -> None:
        self._publisher, self._exchange, self._channels = publisher, exchange, channels
        self._shared = False
        self.callback: Callable[[MarketEvent], None] | None = None  # takes every event of the feed
        self.direct: DirectPublisher | None = None  # takes values that were made without an event (the short way)
        self.shutdown_s = 0.0  # for Kafka to take what is left at the end
        self._given_up: Sequence[str] = ()  # topics whose records may be dropped
        if publisher is None:
            return
        config = publisher.config
        self.direct = publisher.way()
        self.callback = publisher.publish if self.direct is None else self.direct.publish
        self.shutdown_s, self._given_up = config.shutdown_seconds, droppable(config)
        for channel, topic in topics_by_kind(config).items():
            if channel in channels:  # creates the series, so that its 0 is exported
                metrics.MESSAGES_PUBLISHED.labels(topic, channel, exchange)

    def __bool__(self) -> bool:
        """Whether there is a publisher."""
        return self._publisher is not None

    def alone(self, callbacks: Sequence[object]) -> None:
        """Note whether our callback is the only one: then events need not be made."""
        if self.direct is not None:
            self.direct.alone = callbacks == [self.callback]

    def serve(self, symbols: Iterable[Symbol], of: Iterable[Symbol], *, names: bool) -> None:
        """Tell the publisher, before it is opened, this feed's *symbols*, and *of* which by all workers together."""
        if self._publisher is not None and not self._publisher.started:
            ours, all_ = ([symbol.canonical for symbol in those] for those in (symbols, of))
            self._publisher.place.serve(self._exchange, self._channels, ours, all_, names=names)

    async def change(self, added: Iterable[Symbol], removed: Iterable[Symbol]) -> dict[str, str]:
        """Publish other symbols from now on; return the refused ones by canonical name, with the reason."""
        if self._publisher is None:
            return {}
        new, gone = ([symbol.canonical for symbol in those] for those in (added, removed))
        return await asyncio.to_thread(self._publisher.place.change, self._exchange, self._channels, new, gone)

    async def open(self, stack: AsyncExitStack, flow: Flow, export: Callable[[], None]) -> None:
        """Publish until *stack* is closed. Raises as :func:`~tickwire.kafka.producing.opening.opened`."""
        if self._publisher is None:
            return
        self._publisher.flows.join(self._exchange, flow, export)
        stack.callback(self._publisher.flows.leave, flow)
        self._shared = self._publisher.started
        if not self._shared:
            await stack.enter_async_context(opened(self._publisher))

    def epochs(self, _symbol: Symbol) -> "Epochs | None":
        """Where the epochs of order books are kept over restarts."""
        return None if self._publisher is None else self._publisher.place.epochs

    def accounting(self) -> dict[str, Any]:
        """The outcomes of this exchange's records; ``recovered`` and the folder are those of the whole publisher."""
        publisher = self._publisher
        topics = publisher.accounting(self._exchange) if publisher is not None else {}
        folder = publisher.place.folder if publisher is not None else None
        return {
            **{stage: sum(getattr(account, stage) for account in topics.values()) for stage in _STAGES},
            "topics": {topic: asdict(account) for topic, account in topics.items()},
            "recovered": asdict(publisher.recovered()) if publisher is not None else {},
            "spill_folder": None if folder is None else str(folder),
        }

    def lost(self) -> bool:
        """Whether records were lost; records in flight of a shared publisher, which is still open, were not."""
        accounting = self.accounting()
        return bool(losses(accounting | {"in_flight": 0} if self._shared else accounting, self._given_up))
