"""Helpers for tests of the dead-letter commands: making dead letters without a consumer, running commands."""

from collections.abc import Sequence
from typing import Any

import pytest

from consumer_support import config_for, run_app
from tickwire.cli import dlq
from tickwire.config.kafka_config import KafkaConfig
from tickwire.kafka.dead_letters.headers import Failure
from tickwire.kafka.dead_letters.writer import DeadLetters
from tickwire.kafka.received import ReceivedRecord
from tickwire.records.formats import Headers

WRONG_PRICE = Failure("validate", "tickwire.errors.RecordRejected", "price is NaN", 1)
DOWN = Failure("process", "builtins.OSError", "OSError: sink down", 10)


def dlq_config(bootstrap: str, unique: str, monkeypatch: pytest.MonkeyPatch, **values: Any) -> KafkaConfig:
    """Settings with unique topics, which the commands find in the environment."""
    config = config_for(bootstrap, unique, dlq_enabled=True, **values)
    for name in ("enabled", "brokers", "dlq_topic", "dlq_enabled", "ticker_topic", "orderbook_topic", "group_id"):
        monkeypatch.setenv(f"KAFKA_{name.upper()}", str(getattr(config, name)))
    return config


def source(
    config: KafkaConfig,
    offset: int,
    value: bytes | None = b"v",
    key: bytes | None = b"kraken|BTC-USD",
    headers: Headers = (),
    topic: str | None = None,
) -> ReceivedRecord:
    """A record that failed."""
    return ReceivedRecord(topic or config.ticker_topic, 0, offset, key, value, headers, 1_700_000_000_000)


def bury(config: KafkaConfig, records: Sequence[ReceivedRecord], *failures: Failure) -> None:
    """Write dead letters as the consumer does, with the *failures* in turn."""
    letters = DeadLetters(config, config.group_id)
    for number, record in enumerate(records):
        letters.write(record, failures[number % len(failures)] if failures else WRONG_PRICE)


def run(*arguments: str) -> int:
    """Run ``tickwire dlq …`` in this process; return the exit code."""
    return run_app(dlq.app, *arguments)
