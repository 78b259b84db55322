"""Exchange market data into Kafka, every message accounted for."""

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tickwire.config.feed_config import FeedConfig
    from tickwire.config.kafka_config import KafkaConfig
    from tickwire.data_feed import WebSocketDataFeed
    from tickwire.errors import Reject, TickwireError, TryAgain
    from tickwire.events.types import MarketEvent, OrderBook, Ticker, Trade
    from tickwire.kafka.consuming.market_state import MarketState
    from tickwire.wire.book_now import BookNow

__version__ = "0.1.0"

__all__ = [
    "BookNow",
    "FeedConfig",
    "KafkaConfig",
    "MarketEvent",
    "MarketState",
    "OrderBook",
    "Reject",
    "Ticker",
    "TickwireError",
    "Trade",
    "TryAgain",
    "WebSocketDataFeed",
]

# The module of each public name. It is imported on first use, so that `import tickwire` alone is cheap.
_HOMES = {
    "BookNow": "tickwire.wire.book_now",
    "FeedConfig": "tickwire.config.feed_config",
    "KafkaConfig": "tickwire.config.kafka_config",
    "MarketEvent": "tickwire.events.types",
    "MarketState": "tickwire.kafka.consuming.market_state",
    "OrderBook": "tickwire.events.types",
    "Reject": "tickwire.errors",
    "Ticker": "tickwire.events.types",
    "TickwireError": "tickwire.errors",
    "Trade": "tickwire.events.types",
    "TryAgain": "tickwire.errors",
    "WebSocketDataFeed": "tickwire.data_feed",
}


if not TYPE_CHECKING:  # a type checker would take every name as defined

    def __getattr__(name: str) -> object:
        """Import one of the names above."""
        if name not in _HOMES:
            raise AttributeError(f"module 'tickwire' has no attribute {name!r}")
        value = globals()[name] = getattr(importlib.import_module(_HOMES[name]), name)
        return value


def __dir__() -> list[str]:
    return sorted({*globals(), *_HOMES})
