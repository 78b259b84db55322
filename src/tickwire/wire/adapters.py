"""Makes adapters as the settings say: their depth, the levels they keep, and the addresses they connect to."""

import logging

from tickwire import exchanges
from tickwire.config.feed_config import FeedConfig
from tickwire.exchanges import ExchangeModule
from tickwire.exchanges.contract import AdapterContract, ConnectionPlan, Reading
from tickwire.wire.arguments import at_address

logger = logging.getLogger(__name__)


def address_of(module: ExchangeModule, config: FeedConfig, url: str) -> Reading[str]:
    """The address to connect to in place of *url*; some exchanges give it out over REST first."""
    found = yield from exchanges.address(module, url)
    return at_address(found, config.exchange, config)


def book_depth(module: ExchangeModule, config: FeedConfig) -> int:
    """How many levels a side are published; logged if the exchange offers only other depths."""
    offered = module.EXCHANGE.offered(config.orderbook_depth)
    if "orderbook" in config.channels and offered != config.orderbook_depth:
        logger.warning(
            "feed.depth exchange=%s asked=%d taken=%d (the exchange offers no other that is nearer)",
            config.exchange, config.orderbook_depth, offered,
        )  # fmt: skip
    return min(config.orderbook_depth, offered)


def open_adapter(module: ExchangeModule, config: FeedConfig, plan: ConnectionPlan) -> AdapterContract:
    """Make the adapter of a new connection."""
    depth = module.EXCHANGE.offered(config.orderbook_depth)
    adapter: AdapterContract = module.Adapter(plan.symbols, plan.channels, depth)
    adapter.bound(config.orderbook_keep)
    return adapter
