"""Where the tools of dead letters keep their state, and the topics they work on."""

from pathlib import Path
from typing import Any

import pytest

from dead_letter_support import dlq_config
from kafka.dead_letters.replay_support import ready
from tickwire.config.kafka_config import KafkaConfig


@pytest.fixture(autouse=True)
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Keep the state in the test's own folder; the audit file in it."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    return tmp_path / "tickwire" / "dlq-audit.jsonl"


@pytest.fixture
def config(kafka: Any, unique: str, monkeypatch: pytest.MonkeyPatch) -> KafkaConfig:
    """Settings for a replay from topics of this test's own."""
    return ready(dlq_config(kafka.bootstrap, unique, monkeypatch))
