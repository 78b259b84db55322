"""Compares the settings that all members of a group must share."""

from collections.abc import Sequence
from hashlib import blake2b

from tickwire.config.feed_config import FeedConfig
from tickwire.config.kafka_config import KafkaConfig

_OF_FEEDS = ("symbols", "channels", "orderbook_mode", "orderbook_depth", "orderbook_keep", "orderbook_interval_ms")
_OF_KAFKA = (
    "ticker_topic", "orderbook_topic", "trades_topic", "value_format", "ticker_format", "orderbook_format",
    "trades_format",
)  # fmt: skip
_NAMES = [FeedConfig.variable("exchange")]
_NAMES += [FeedConfig.variable(name) for name in _OF_FEEDS] + [KafkaConfig.variable(name) for name in _OF_KAFKA]
_LENGTH = 3  # characters of a mark: different values have equal marks once in 4,096 times


def marks(feeds: Sequence[FeedConfig], kafka: KafkaConfig) -> str:
    """A few characters for each of these settings; the order of names in a list does not matter."""
    feeds = sorted(feeds, key=lambda feed: feed.exchange)
    values = [[feed.exchange for feed in feeds]]
    values += [[_plain(getattr(feed, name)) for feed in feeds] for name in _OF_FEEDS]
    values += [[_plain(getattr(kafka, name))] for name in _OF_KAFKA]
    return "".join(blake2b(repr(value).encode()).hexdigest()[:_LENGTH] for value in values)


def differing(ours: str, theirs: str) -> list[str]:
    """The variables in which two members differ, according to their marks."""
    if len(ours) != len(theirs):
        return ["what another version of tickwire looks at"]
    pairs = enumerate(_NAMES)
    return [name for n, name in pairs if ours[n * _LENGTH :][:_LENGTH] != theirs[n * _LENGTH :][:_LENGTH]]


def _plain(value: object) -> str:
    return repr(sorted(value) if isinstance(value, tuple) else value)
