"""Benches and clusters for the fault suite."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from brokers import CACHE
from faults.bench import Bench
from kafka.mock_cluster import MockCluster
from tickwire.broker import ApacheCluster

MakeBench = Callable[[str], Bench]


@pytest.fixture
def make_bench(tmp_path: Path, unique: str) -> Iterator[MakeBench]:
    """Make the test's bench on a cluster."""
    benches: list[Bench] = []

    def make(bootstrap: str) -> Bench:
        benches.append(Bench(tmp_path, bootstrap, unique))
        return benches[-1]

    yield make
    for bench in benches:
        bench.close()


@pytest.fixture
def mock() -> Iterator[MockCluster]:
    """A mock cluster of three brokers."""
    with MockCluster(3) as cluster:
        yield cluster


@pytest.fixture
def mock_bench(mock: MockCluster, make_bench: MakeBench) -> Bench:
    """A bench on the mock cluster, its topics made and its witness reading."""
    bench = make_bench(mock.bootstrap)
    for topic in (*bench.topics, bench.trades, bench.letters):
        mock.create_topic(topic, 2, 3)
    bench.start_witness()
    return bench


@pytest.fixture
def bench(kafka: object, make_bench: MakeBench) -> Bench:
    """A bench on the shared Kafka, which must not be broken."""
    return make_bench(kafka.bootstrap)  # type: ignore[attr-defined]


@pytest.fixture(scope="module")
def three_nodes(java: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ApacheCluster]:
    """Three nodes for the tests of a module, each of which leaves them running."""
    cluster = ApacheCluster(3, tmp_path_factory.mktemp("three"), CACHE)
    try:
        cluster.start()
        yield cluster
    finally:
        for node in (1, 2, 3):
            cluster.kill(node)
