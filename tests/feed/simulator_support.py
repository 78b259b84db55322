"""Feeds that read a simulated exchange."""

from pathlib import Path
from typing import Any

from tickwire import FeedConfig, KafkaConfig, WebSocketDataFeed
from tickwire.simulator.server import SimulatedExchange


def urls_of(exchange: SimulatedExchange) -> dict[str, str]:
    name = exchange.name
    return {f"{name}_ws_url": exchange.ws_url, f"{name}_rest_url": exchange.rest_url}


def publishing(exchange: SimulatedExchange, brokers: str, folder: Path, **settings: Any) -> WebSocketDataFeed:
    config = FeedConfig(
        exchange=exchange.name, urls=urls_of(exchange), **{"symbols": list(exchange.books(1))} | settings
    )
    return WebSocketDataFeed(feed=config, kafka=KafkaConfig(enabled=True, brokers=brokers, spill_dir=folder))
