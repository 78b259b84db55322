"""kill -9 of a replay at random moments: nothing is lost, and little is sent twice."""

import random
import signal
import subprocess
import sys
from collections import Counter
from typing import Any

import pytest
from confluent_kafka import Consumer, TopicPartition

from consumer_support import committed, create, read_all
from dead_letter_support import DOWN, WRONG_PRICE, bury, dlq_config, source
from support import eventually
from tickwire.kafka.dead_letters.headers import split_replay
from tickwire.kafka.dead_letters.replay.group import GROUP
from tickwire.kafka.dead_letters.replay.run import BATCH_RECORDS

pytestmark = [pytest.mark.kafka, pytest.mark.timeout(240)]

COUNT, KILLS = 3000, 4


@pytest.mark.parametrize("seed", [1, 2])
def test_killed_at_any_moment_every_dead_letter_is_sent(
    kafka: Any, unique: str, monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    config = dlq_config(kafka.bootstrap, unique, monkeypatch)
    create(config, config.dlq_topic, partitions=2)
    create(config, config.ticker_topic)
    records = [source(config, i, b"%d" % i, b"kraken|%d" % (i % 7)) for i in range(COUNT)]
    bury(config, records, DOWN, DOWN, WRONG_PRICE)
    wanted = [record.value for i, record in enumerate(records) if i % 3 < 2]
    moments = random.Random(seed)

    def start(*options: str) -> "subprocess.Popen[bytes]":
        command = [sys.executable, "-m", "tickwire", "dlq", "replay", "--execute", "--error-type", "process"]
        return subprocess.Popen([*command, *options], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)

    def sent() -> list[bytes | None]:
        return [record.value for record in read_all(config, config.ticker_topic)]

    watch = Consumer({"bootstrap.servers": config.brokers, "group.id": "watch"})
    place = TopicPartition(config.ticker_topic, 0)

    def count() -> int:
        return int(watch.get_watermark_offsets(place, timeout=20)[1])

    for _ in range(KILLS):
        enough = count() + moments.randrange(1, 350)  # mostly in the middle of a batch
        process = start("--rate", "400")
        try:
            eventually(lambda: count() >= enough, "some sent", 60)  # noqa: B023
        finally:
            process.send_signal(signal.SIGKILL)
            process.communicate()
        assert process.returncode == -signal.SIGKILL
    watch.close()
    assert len(set(sent())) < len(wanted)
    process = start()
    assert process.wait(60) == 0, process.communicate()[1]
    process.communicate()

    times = Counter(sent())
    assert set(times) == set(wanted)
    assert times.total() - len(wanted) <= KILLS * BATCH_RECORDS
    # Those that were sent twice can be told: they name the same dead letter.
    names = {split_replay(record.headers)[1]["replay_of"] for record in read_all(config, config.ticker_topic)}
    assert len(names) == len(wanted)
    assert len(read_all(config, config.dlq_topic)) == COUNT
    process = start()
    assert process.wait(60) == 0
    process.communicate()
    assert Counter(sent()) == times
    assert all(offset is not None for offset in committed(config, config.dlq_topic, 2, GROUP))
