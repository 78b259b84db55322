"""What several tests of the consumer start from: settings for the embedded broker and a real Kafka."""

from typing import Any

import pytest

from consumer_support import config_for
from tickwire.config.kafka_config import KafkaConfig
from tickwire.kafka.consuming import consumer as consumer_module


@pytest.fixture(params=["embedded", pytest.param("kafka", marks=pytest.mark.kafka)])
def config(request: pytest.FixtureRequest, unique: str, monkeypatch: pytest.MonkeyPatch) -> KafkaConfig:
    # The embedded broker lets a group begin after half of this.
    monkeypatch.setitem(consumer_module._SETTINGS, "session.timeout.ms", 6_000)
    monkeypatch.setitem(consumer_module._SETTINGS, "heartbeat.interval.ms", 2_000)
    return config_for(request.getfixturevalue(request.param).bootstrap, unique)


@pytest.fixture
def real(kafka: Any, unique: str) -> KafkaConfig:
    return config_for(kafka.bootstrap, unique)
