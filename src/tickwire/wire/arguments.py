"""Checks the arguments of a feed before anything is opened; errors name the wrong argument."""

import logging
from collections.abc import Sequence
from typing import cast

from msgspec.structs import replace

from tickwire.config.addresses import is_loopback, replace_origin
from tickwire.config.feed_config import FeedConfig
from tickwire.config.kafka_config import KafkaConfig
from tickwire.config.loading import load_feed, load_kafka
from tickwire.errors import InvalidSetting, UnknownChannel
from tickwire.exchanges import ExchangeModule
from tickwire.exchanges.contract import Channel, Exchange

logger = logging.getLogger(__name__)


def feed_config(
    exchange: str | None, symbols: Sequence[str] | None, channels: Sequence[str] | None, feed: FeedConfig | None
) -> FeedConfig:
    """The feed's settings; arguments that are None come from *feed*, or else from the ``FEED_*`` settings.

    Raises :exc:`TypeError`, and :exc:`~tickwire.errors.SettingsError` for values that do not fit.
    """
    if not isinstance(feed, FeedConfig | None):
        raise TypeError(f"the argument feed should be a FeedConfig, but is {_shown(feed)}")
    if not isinstance(exchange, str | None):
        raise TypeError(f"the argument exchange should be a name such as 'kraken', but is {_shown(exchange)}")
    given: dict[str, object] = {} if exchange is None else {"exchange": exchange}
    for name, value, example in (("symbols", symbols, "BTC-USD"), ("channels", channels, "ticker")):
        if value is None:
            continue
        names = value if isinstance(value, list | tuple) else [value]
        if not all(isinstance(one, str) for one in names):
            raise TypeError(
                f"the argument {name} should be a list of names such as [{example!r}], but is {_shown(value)}"
            )
        given[name] = value
    try:
        return load_feed(given) if feed is None else FeedConfig(**(feed.model_dump() | given))
    except InvalidSetting as e:
        name = e.variable.removeprefix("FEED_").lower()
        if name not in given:
            raise
        raise InvalidSetting(f"The argument {name}", e.value, e.expected) from None


def kafka_config(kafka: KafkaConfig | None) -> KafkaConfig:
    """*kafka*, or else the settings. Raises :exc:`TypeError` and :exc:`~tickwire.errors.SettingsError`."""
    if not isinstance(kafka, KafkaConfig | None):
        raise TypeError(
            f"the argument kafka should be a KafkaConfig, such as KafkaConfig(enabled=True), but is {_shown(kafka)}"
        )
    return load_kafka() if kafka is None else kafka


def check_channels(module: ExchangeModule, names: Sequence[str]) -> tuple[Channel, ...]:
    """*names*, if the exchange offers them all. Raises :exc:`~tickwire.errors.UnknownChannel`."""
    offered = module.EXCHANGE.channels
    for name in names:
        if name not in offered:
            raise UnknownChannel(name, module.EXCHANGE.name, offered)
    return cast("tuple[Channel, ...]", tuple(names))


def at_addresses(exchange: Exchange, config: FeedConfig) -> Exchange:
    """*exchange* with the configured addresses in place of its own."""
    rest = config.rest_url(exchange.name)
    moved = replace(
        exchange,
        ws_url=at_address(exchange.ws_url, exchange.name, config),
        ws_urls={channel: at_address(url, exchange.name, config) for channel, url in exchange.ws_urls.items()},
        rest_url=exchange.rest_url if rest is None else replace_origin(exchange.rest_url, rest),
    )
    urls = dict.fromkeys((moved.ws_url, *moved.ws_urls.values(), moved.rest_url))
    plain = [url for url in urls if url.startswith(("ws:", "http:")) and not is_loopback(url)]
    if plain:
        logger.warning("feed.not_encrypted urls=%s (anyone on the way can read and change the data)", plain)
    return moved


def at_address(url: str, exchange: str, config: FeedConfig) -> str:
    """A WebSocket address with the configured host in place of the exchange's."""
    ws = config.ws_url(exchange)
    return url if ws is None else replace_origin(url, ws)


def _shown(value: object) -> str:
    """A number or list as written; for anything else, which may be long or secret, its type."""
    return repr(value)[:100] if isinstance(value, bool | int | float | list | tuple) else f"a {type(value).__name__}"
