"""kill -9 of a real consumer process: nothing is lost, and little comes twice."""

import random
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from consumer_support import committed, config_for, create, send
from support import eventually
from tickwire.kafka.consuming.consumer import COMMIT_RECORDS

pytestmark = pytest.mark.kafka

PARTITIONS, EACH, KILLS = 2, 60_000, 3
PROGRAM = Path(__file__).with_name("consumer_process.py")


@pytest.mark.parametrize("seed", [1, 2])
def test_killed_at_any_moment_every_record_is_handled(kafka: Any, unique: str, tmp_path: Path, seed: int) -> None:
    config = config_for(kafka.bootstrap, unique)
    topic, group, journal = config.ticker_topic, config.group_id, tmp_path / "journal"
    create(config, topic, PARTITIONS)
    for partition in range(PARTITIONS):
        send(config, topic, [b"%d" % i for i in range(EACH)], partition)
    journal.touch()
    moments = random.Random(seed)

    def handled() -> list[tuple[int, int]]:
        lines = journal.read_text().splitlines()
        return [(int(partition), int(offset)) for partition, offset in map(str.split, lines)]

    def start() -> subprocess.Popen[bytes]:
        return subprocess.Popen([sys.executable, str(PROGRAM), config.brokers, topic, group, str(journal)])

    for _ in range(KILLS):
        before = journal.stat().st_size
        process = start()
        try:
            more = moments.randrange(10_000, 150_000)  # bytes
            eventually(lambda: journal.stat().st_size >= before + more, "some records", 60)  # noqa: B023
        finally:
            process.send_signal(signal.SIGKILL)
            process.wait()
        # I4: what is committed has been handled, all of it.
        done = set(handled())
        for partition, offset in enumerate(committed(config, topic, PARTITIONS)):
            assert all((partition, i) in done for i in range(offset or 0))
        # What comes twice after a crash is bounded: what is handled between two commits and until Kafka answers.
        again = len(done) - sum(offset or 0 for offset in committed(config, topic, PARTITIONS))
        assert again <= 20 * COMMIT_RECORDS

    process = start()
    try:
        eventually(lambda: committed(config, topic, PARTITIONS) == [EACH] * PARTITIONS, "everything committed", 90)
    finally:
        process.terminate()
        process.wait()
    assert set(handled()) == {(partition, offset) for partition in range(PARTITIONS) for offset in range(EACH)}
