"""When Kafka counts as away."""

import asyncio
import time
from pathlib import Path

import pytest

from kafka.mock_cluster import MockCluster
from kafka.publishing import config_for, topics_on
from tickwire.kafka.producing.publisher import Publisher


async def test_a_start_that_takes_long_is_no_outage(
    unique: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An exchange's listing may be waited for between the two, and nothing can have been acknowledged by then."""
    with MockCluster() as mock:
        config = config_for(mock.bootstrap, unique, spill_dir=tmp_path)
        topics_on(mock, config)
        with monkeypatch.context() as before:
            before.setattr(time, "monotonic", lambda now=time.monotonic: now() - 60)
            publisher = Publisher(config)
        await asyncio.to_thread(publisher.open)
        publisher.start(asyncio.get_running_loop())
        now = time.monotonic()
        assert not publisher._watch.look(now + 4, acknowledged=0, in_memory=1)
        assert publisher._watch.look(now + 6, acknowledged=0, in_memory=1)
        await publisher.close(1)
