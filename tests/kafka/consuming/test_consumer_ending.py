"""The end of a consumer comes in its time whatever a handler does, and what was done is committed."""

import asyncio
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from consumer_support import committed, config_for, in_thread, send
from kafka.mock_cluster import MockCluster
from support import eventually
from tickwire.config.kafka_config import KafkaConfig
from tickwire.kafka.consuming import assignment, processing
from tickwire.kafka.consuming.consumer import run_kafka_consumer
from tickwire.kafka.received import ReceivedRecord


@pytest.fixture
def config(unique: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[KafkaConfig]:
    monkeypatch.setattr(assignment, "DRAIN_SECONDS", 0.2)
    monkeypatch.setattr(processing, "_LOOP_END_S", 0.2)
    with MockCluster() as mock:
        config = config_for(mock.bootstrap, unique)
        mock.create_topic(config.ticker_topic, 1)
        send(config, config.ticker_topic, [b"0", b"1"])
        yield config


class Stuck:
    """Does the first record; at the second it stays until it is released."""

    def __init__(self) -> None:
        self.entered, self.released = threading.Event(), threading.Event()

    async def blocks(self, record: ReceivedRecord) -> None:
        if record.offset:
            self.entered.set()
            self.released.wait()

    def blocks_plainly(self, record: ReceivedRecord) -> None:
        if record.offset:
            self.entered.set()
            self.released.wait()

    async def swallows_its_cancellation(self, record: ReceivedRecord) -> None:
        while record.offset and not self.released.is_set():
            self.entered.set()
            try:
                await asyncio.sleep(0.1)
            except asyncio.CancelledError:
                continue

    async def waits(self, record: ReceivedRecord) -> None:
        if record.offset:
            self.entered.set()
            await asyncio.sleep(3600)


@pytest.mark.parametrize(
    "kind",
    [
        Stuck.blocks,
        Stuck.blocks_plainly,
        Stuck.swallows_its_cancellation,
        Stuck.waits,
    ],
)
def test_a_handler_that_does_not_come_back_is_given_up_and_what_was_done_is_committed(
    config: KafkaConfig, kind: Callable[[Stuck, ReceivedRecord], Any]
) -> None:
    stuck = Stuck()

    def run() -> None:
        run_kafka_consumer(
            config,
            topics=[config.ticker_topic],
            handler=lambda record: kind(stuck, record),
            stopping=stuck.entered.is_set,
        )

    thread = in_thread(run)
    try:
        eventually(lambda: not thread.is_alive(), "the end", 20)
    finally:
        stuck.released.set()
    assert committed(config, config.ticker_topic) == [1]


HANDED_OVER = """
import asyncio, sys, time
from tickwire.config.kafka_config import KafkaConfig
from tickwire.kafka.consuming.consumer import run_kafka_consumer
entered = []
def stand():
    entered.append(True)
    time.sleep(1000)
async def handle(record):
    if record.offset:
        await asyncio.to_thread(stand)
config = KafkaConfig(enabled=True, brokers=sys.argv[1], group_id=sys.argv[2])
run_kafka_consumer(config, topics=[sys.argv[3]], handler=handle, stopping=lambda: bool(entered))
"""


def test_a_thread_of_a_handler_that_does_not_come_back_does_not_hold_the_process(config: KafkaConfig) -> None:
    arguments = [config.brokers, config.group_id, config.ticker_topic]
    ended = subprocess.run([sys.executable, "-c", HANDED_OVER, *arguments], check=False, timeout=60)
    assert ended.returncode == 0
    assert committed(config, config.ticker_topic) == [1]


def test_an_exit_inside_an_asynchronous_handler_ends_the_consumer_with_that(config: KafkaConfig) -> None:
    async def leave(record: ReceivedRecord) -> None:
        if record.offset:
            sys.exit(3)

    with pytest.raises(SystemExit) as caught:
        run_kafka_consumer(config, topics=[config.ticker_topic], handler=leave)
    assert caught.value.code == 3
    assert committed(config, config.ticker_topic) == [1]
