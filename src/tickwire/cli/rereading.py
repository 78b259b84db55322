"""Handles SIGHUP of ``tickwire produce``: reads the settings again and changes the symbols."""

import asyncio
import logging
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

from tickwire.config.feed_config import FeedConfig
from tickwire.errors import TickwireError
from tickwire.signals import Hangups

if TYPE_CHECKING:
    from tickwire.data_feed import WebSocketDataFeed

logger = logging.getLogger(__name__)

_LOOK_S = 1.0


async def reread(
    feeds: Mapping[str, "WebSocketDataFeed"], load: Callable[[], Sequence[FeedConfig]], hangups: Hangups
) -> None:
    """At each SIGHUP, give *feeds* (by exchange) the symbols that *load* returns; until cancelled.

    Other settings take effect at the next start. Invalid settings are logged, and change nothing.
    """
    async with asyncio.TaskGroup() as changes:  # so that a slow change does not delay the next
        while True:
            await asyncio.sleep(_LOOK_S)
            if not hangups.take():
                continue
            try:
                configs = {config.exchange: config for config in load()}
            except TickwireError as e:
                logger.error("produce.not_changed error=%r (it goes on as before)", str(e))  # noqa: TRY400 - says it all
                continue
            for exchange in sorted(configs.keys() ^ feeds.keys()):
                logger.warning("feed.not_changed exchange=%s (exchanges come and go with the next start)", exchange)
            for exchange in configs.keys() & feeds.keys():
                changes.create_task(_change(feeds[exchange], exchange, configs[exchange].symbols))


async def _change(feed: "WebSocketDataFeed", exchange: str, symbols: Sequence[str]) -> None:
    logger.info("feed.reread exchange=%s symbols=%.200r", exchange, ",".join(symbols))
    try:
        await feed.change_symbols(symbols)
    except TickwireError as e:
        logger.error("feed.not_changed exchange=%s error=%r (it goes on as before)", exchange, str(e))  # noqa: TRY400 - says it all
    except Exception:
        logger.exception("feed.not_changed exchange=%s (a defect; it goes on as before)", exchange)
