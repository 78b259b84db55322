"""The disk of a broker is full: its log is on a file system of a few MiB. Rows: ROWS.md."""

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from brokers import CACHE
from faults.checker import Sending
from faults.conftest import MakeBench
from faults.test_faults_cluster import await_in_sync
from faults.test_faults_publishing import assert_all_delivered, check_metrics
from faults.workbench import Bench
from kafka.spill.spill_support import bytes_on_disk
from support import eventually
from tickwire.broker import ApacheCluster
from tickwire.errors import KafkaFailed

pytestmark = [pytest.mark.kafka, pytest.mark.timeout(300)]

DISK_MIB = 48
# What a broker sets aside is small, too, and a dead one is noticed soon.
SMALL_FILES = {
    "log.segment.bytes": "1048576",
    "log.index.size.max.bytes": "65536",
    "broker.session.timeout.ms": "6000",
}


class Disk:
    """A small file system that can be filled."""

    def __init__(self, folder: Path) -> None:
        self._filler = folder / "filler"

    def fill(self) -> None:
        """Take all that is left of it."""
        with self._filler.open("wb", buffering=0) as file, suppress(OSError):
            while True:
                file.write(bytes(4096))

    def make_room(self) -> None:
        """Give it back."""
        self._filler.unlink()


@contextmanager
def small_disk(folder: Path) -> Iterator[Disk]:
    """Mount one on *folder*; skips where that is not allowed."""
    folder.mkdir(parents=True)
    command = ["mount", "-t", "tmpfs", "-o", f"size={DISK_MIB}m", "tmpfs", str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip(f"no file system can be mounted here, which takes root: {done.stderr.strip()}")
    try:
        yield Disk(folder)
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


@contextmanager
def cluster_on_small_disk(nodes: int, folder: Path) -> Iterator[tuple[ApacheCluster, Disk]]:
    """A cluster whose node 1 has its data on a small disk."""
    with small_disk(folder / "node-1" / "data") as disk:
        cluster = ApacheCluster(nodes, folder, CACHE, properties=SMALL_FILES)
        try:
            cluster.start()
            yield cluster, disk
        finally:
            for node in range(1, nodes + 1):
                cluster.kill(node)


def has_ended(cluster: ApacheCluster) -> bool:
    """Whether a node ended by itself."""
    try:
        cluster.ensure_running()
    except KafkaFailed:
        return True
    return False


def test_row_15_the_only_broker_has_a_full_disk_and_books_wait_on_ours(
    java: None, tmp_path: Path, make_bench: MakeBench
) -> None:
    """Kafka ends when it cannot write; what comes then waits and is delivered when it is back."""
    with cluster_on_small_disk(1, tmp_path / "kafka") as (cluster, disk):
        bench = make_bench(cluster.bootstrap)
        bench.create_topics()
        policies = {"queue_max_messages": 200, "when_full_ticker": "conflate", "when_full_orderbook": "spill"}
        child = bench.start_producer(policies)
        disk.fill()
        eventually(lambda: has_ended(cluster), "Kafka gives up", 60)
        bench.until(lambda: bytes_on_disk(tmp_path / "spill"), child, "books on our disk")
        bench.await_sent(2_000, child)
        disk.make_room()
        cluster.restart(1)
        # Not before: a lone broker whose disk fills shows a reader the record that it then fails to write, and gives
        # its offset to another one. It never acknowledged it.
        bench.start_witness()
        bench.await_acknowledged(1_000, child, 90)
        # At its end it has 30 s to deliver the rest; what is on disk after that would stay there for the next start.
        bench.until(lambda: not bytes_on_disk(tmp_path / "spill"), child, "all books left our disk", 120)
        assert child.stop() == 0
        # What a broker stored and then answered with an error that it has no code for stands in its log when it is
        # back, beside what the next producer sent of it (docs/operations.md). Nothing else is there twice.
        assert bench.verdict(child, replaced=True) == []
        check_metrics(child)
        books, ticks = (child.report["accounting"][topic] for topic in (bench.books, bench.ticks))
        assert books["acknowledged"] == books["events"]
        assert ticks["acknowledged"] + ticks["conflated"] == ticks["events"]
        assert set(Sending.from_entries(bench.sending.entries).refused) == set()


@pytest.mark.slow_fault
def test_row_15_one_of_three_brokers_has_a_full_disk_and_the_others_take_over(
    java: None, tmp_path: Path, make_bench: MakeBench
) -> None:
    with cluster_on_small_disk(3, tmp_path / "kafka") as (cluster, disk):
        bench: Bench = make_bench(cluster.bootstrap)
        bench.create_topics(partitions=3)
        bench.start_witness()
        child = bench.start_producer(keys=16)
        disk.fill()
        eventually(lambda: has_ended(cluster), "the node gives up", 60)
        bench.await_caught_up(child, 90)
        disk.make_room()
        cluster.restart(1)
        await_in_sync(bench)
        assert_all_delivered(bench, child, replaced=True)
