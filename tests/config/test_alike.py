"""Which settings two members of a group have to share, and which they may not."""

import pytest

from tickwire.config.alike import differing, marks
from tickwire.config.feed_config import FeedConfig
from tickwire.config.kafka_config import KafkaConfig

FEED, KAFKA = FeedConfig(symbols=("BTC-USDT", "ETH-USDT")), KafkaConfig()
OURS = marks([FEED], KAFKA)


@pytest.mark.parametrize(
    ("feed", "kafka", "names"),
    [
        (FeedConfig(symbols=("ETH-USDT", "BTC-USDT")), KafkaConfig(linger_ms=3, brokers="other:9092"), []),
        (FeedConfig(symbols=("BTC-USDT",)), KAFKA, ["FEED_SYMBOLS"]),
        (FeedConfig(symbols=FEED.symbols, exchange="kraken"), KAFKA, ["FEED_EXCHANGE"]),
        (
            FeedConfig(symbols=FEED.symbols, orderbook_mode="snapshot", orderbook_depth=5),
            KafkaConfig(value_format="avro", schema_registry_url="http://127.0.0.1:1", trades_topic="trades.v2"),
            ["FEED_ORDERBOOK_MODE", "FEED_ORDERBOOK_DEPTH", "KAFKA_TRADES_TOPIC", "KAFKA_VALUE_FORMAT"],
        ),
    ],
)
def test_what_differs_is_named(feed: FeedConfig, kafka: KafkaConfig, names: list[str]) -> None:
    assert differing(OURS, marks([feed], kafka)) == names


def test_several_exchanges_may_be_named_in_any_order() -> None:
    other = FeedConfig(exchange="kraken", symbols=("BTC-USD",))
    assert marks([FEED, other], KAFKA) == marks([other, FEED], KAFKA) != OURS


def test_another_version_that_looks_at_more_is_another_one() -> None:
    assert len(differing(OURS, OURS + "abc")) == 1
