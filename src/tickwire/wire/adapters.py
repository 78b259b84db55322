"""An exchange's adapter as the settings want it: its depth, what it keeps, and where it connects."""

import logging

from tickwire import exchanges
from tickwire.config.feed_config import FeedConfig
from tickwire.exchanges import ExchangeModule
from tickwire.exchanges.contract import AdapterContract, ConnectionPlan, Reading
from tickwire.wire.arguments import at_address

logger = logging.getLogger(__name__)


def address_of(module: ExchangeModule, config: FeedConfig, url: str) -> Reading[str]:
    """Where to connect for this address of the exchange, which may have to be asked for first."""
    found = yield from exchanges.address(module, url)
    return at_address(found, config.exchange, config)


def book_depth(module: ExchangeModule, config: FeedConfig) -> int:
    """How many levels a side are published; said where the exchange offers others than are asked for."""
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
