"""Topics for replays, a replay in this process, and what it sent."""

from typing import Any

from consumer_support import create, read_all
from tickwire.config.kafka_config import KafkaConfig
from tickwire.kafka.dead_letters.replay.routes import ReplayRules
from tickwire.kafka.dead_letters.replay.run import Replay, ReplayReport


def ready(config: KafkaConfig) -> KafkaConfig:
    create(config, config.dlq_topic, partitions=2)
    create(config, config.ticker_topic)
    create(config, config.orderbook_topic)
    return config


def replay(config: KafkaConfig, **rules: Any) -> ReplayReport:
    return Replay(config, ReplayRules(**rules), execute=True, replay_id="test").run()


def values(config: KafkaConfig, topic: str | None = None) -> list[bytes | None]:
    return [record.value for record in read_all(config, topic or config.ticker_topic)]
