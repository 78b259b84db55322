"""When Kafka counts as away."""

import asyncio
import time
from pathlib import Path

import pytest

from kafka.mock_cluster import MockCluster
from kafka.publishing import config_for, topics_on
from support import aeventually
from tickwire.kafka.producing.outage_watch import OutageWatch
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


async def test_an_outage_of_which_the_client_says_nothing_has_a_cause(unique: str, tmp_path: Path) -> None:
    """A proxy that has no Kafka behind it takes connections and closes them: librdkafka retries without a word."""

    def close(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.close()

    with MockCluster() as mock:
        publisher = Publisher(config_for(mock.bootstrap, unique, spill_dir=tmp_path))
        async with await asyncio.start_server(close, "127.0.0.1") as proxy:
            address = f"127.0.0.1:{proxy.sockets[0].getsockname()[1]}"
            watch = OutageWatch(config_for(address, unique, spill_dir=tmp_path), publisher._buffer)
            watch.begin(0)
            watch.look(2, acknowledged=0, in_memory=1)
            await aeventually(lambda: address in watch.cause, "a cause")
