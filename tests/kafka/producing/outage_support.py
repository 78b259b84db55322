"""What the tests of outages on a mock cluster share: symbols, and settings with a small queue and a folder."""

from pathlib import Path
from typing import Any

from kafka.mock_cluster import MockCluster
from kafka.publishing import config_for, topics_on
from tickwire.config.kafka_config import KafkaConfig

SYMBOLS = ("A-USDT", "B-USDT", "C-USDT")


def made(mock: MockCluster, unique: str, folder: Path, **values: Any) -> KafkaConfig:
    config = config_for(mock.bootstrap, unique, spill_dir=folder, **{"queue_max_messages": 20} | values)
    topics_on(mock, config, 2)
    return config
