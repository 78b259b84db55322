"""Several exchanges read by one process and published through one producer: each may fail alone."""

import asyncio
import logging
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack
from functools import partial
from typing import Any

from tickwire.cli.accounting import of_exchanges
from tickwire.config.feed_config import FeedConfig
from tickwire.config.kafka_config import KafkaConfig
from tickwire.config.share import WHOLE, GroupShare, Share
from tickwire.data_feed import WebSocketDataFeed
from tickwire.errors import TickwireError
from tickwire.kafka.producing.opening import opened
from tickwire.signals import Stop

logger = logging.getLogger(__name__)

_FIND_S = 10.0  # for every exchange to name its symbols, before the others begin without it


class Feeds:
    """A feed of each of *configs*, and their publisher, which is opened when each knows its symbols or has ended.

    *on_found* is called then. With *group* they read what Kafka gives to this member of it, and of each exchange up to
    *standby* symbols more, to be ready for them. An exchange that takes long joins later; before that, all that waits
    on disk of it is sent, where this is the only process. Raises as :class:`~tickwire.data_feed.WebSocketDataFeed`.
    """

    def __init__(
        self, configs: Sequence[FeedConfig], kafka: KafkaConfig, *, offline_start: bool = False, share: Share = WHOLE,
        group: str | None = None, standby: int = 0, on_found: Callable[[], None] = lambda: None,
    ) -> None:  # fmt: skip
        from tickwire.kafka.producing.publisher import Publisher  # noqa: PLC0415 - its library may be missing
        from tickwire.kafka.spill import SOURCES  # noqa: PLC0415

        source = SOURCES.join(sorted(config.exchange for config in configs))
        self._publisher = Publisher(share.kafka(kafka), source=source, offline_start=offline_start, group=group)
        self._group = None
        if group is not None:
            from tickwire.cli.group import Group  # noqa: PLC0415 - as above

            self._group, share = Group(group, kafka, self._publisher, standby), GroupShare()
        self.by_exchange = {
            config.exchange: WebSocketDataFeed(
                feed=config, publisher=self._publisher, _share=share,
                _on_found=partial(self._wait_for_publisher, config.exchange),
                _epochs=None if self._group is None else self._group.epochs(config.exchange),
            )
            for config in configs
        }  # fmt: skip
        self._on_found, self._share = on_found, share
        self._seeking, self._all_found = set(self.by_exchange), asyncio.Event()
        self._opened = asyncio.Event()
        self._error: Exception | None = None  # the first with which a feed ended

    async def run(self, stop: Stop) -> None:
        """Read until a signal comes, or every feed has ended.

        A feed that ends for good is named in the log, and the others go on; its error, that of the first of them, is
        raised at the end. Raises as :meth:`~tickwire.data_feed.WebSocketDataFeed.run`.
        """
        running = [asyncio.create_task(self._run(exchange)) for exchange in self.by_exchange]
        stopping = asyncio.create_task(self._stop_at_signal(stop))
        try:
            await self._find()
            if any(not task.done() for task in running):
                self._on_found()
                async with AsyncExitStack() as stack:
                    if self._group is not None:
                        stack.push_async_callback(self._group.leave)  # when all that is ours is in Kafka
                    await stack.enter_async_context(opened(self._publisher))
                    self._opened.set()
                    if self._group is not None:
                        await self._group.join(self.by_exchange)
                    await asyncio.wait(running)
        finally:
            stopping.cancel()
            await self._stop()
            await asyncio.gather(*running)
        if self._error is not None:
            raise self._error

    def accounting(self) -> dict[str, Any]:
        """What all took in, what became of it, and the part of each exchange where there are several."""
        return of_exchanges({exchange: feed.accounting() for exchange, feed in self.by_exchange.items()})

    async def _run(self, exchange: str) -> None:
        try:
            await self.by_exchange[exchange].run()
        except Exception as e:  # noqa: BLE001 - not even a defect of one exchange ends the others
            if e is not self._publisher.flows.error:  # which ends all, and is raised where the publisher is closed
                self._ended(exchange, e)
        finally:
            self._found(exchange)

    def _ended(self, exchange: str, error: Exception) -> None:
        self._error = self._error or error
        if len(self.by_exchange) > 1:
            defect = None if isinstance(error, TickwireError) else error
            logger.error("feed.ended exchange=%s error=%r (for good)", exchange, str(error), exc_info=defect)

    async def _find(self) -> None:
        """Wait until every feed knows its symbols or has ended, and no longer than the others have to."""
        try:
            async with asyncio.timeout(_FIND_S if len(self.by_exchange) > 1 else None):
                await self._all_found.wait()
        except TimeoutError:
            logger.warning("feed.late exchanges=%s (they join later)", ",".join(sorted(self._seeking)))
            if self._share == WHOLE:  # another one may serve a symbol before this one has sent what waits of it
                self._publisher.place.take_all_of(self._seeking)

    async def _wait_for_publisher(self, exchange: str) -> None:
        self._found(exchange)
        await self._opened.wait()

    def _found(self, exchange: str) -> None:
        self._seeking.discard(exchange)
        if not self._seeking:
            self._all_found.set()

    async def _stop_at_signal(self, stop: Stop) -> None:
        await stop.arrives()
        await self._stop()

    async def _stop(self) -> None:
        if self._group is not None:
            self._group.stop()
        await asyncio.gather(*(feed.stop() for feed in self.by_exchange.values()))
