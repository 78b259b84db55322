"""Benches and clusters for the fault suite."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from brokers import CACHE
from faults.proxy import Proxy
from faults.workbench import Bench
from kafka.mock_cluster import MockCluster
from support import free_port
from tickwire.broker import ApacheCluster

MakeBench = Callable[[str], Bench]


class Line:
    """A Kafka whose clients may come directly or through a proxy."""

    def __init__(self, direct: str, through_proxy: str, proxy: Proxy) -> None:
        self.direct, self.through_proxy, self.proxy = direct, through_proxy, proxy


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


@pytest.fixture(scope="module")
def line(java: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Line]:
    """One node for the tests of a module, reached directly and through a proxy."""
    direct, behind, controller, public = (free_port() for _ in range(4))
    listeners = {"PLAINTEXT": direct, "PROXIED": behind, "CONTROLLER": controller}
    properties = {
        "listeners": ",".join(f"{name}://127.0.0.1:{port}" for name, port in listeners.items()),
        "advertised.listeners": f"PLAINTEXT://127.0.0.1:{direct},PROXIED://127.0.0.1:{public}",
        "listener.security.protocol.map": ",".join(f"{name}:PLAINTEXT" for name in listeners),
        "inter.broker.listener.name": "PLAINTEXT",
        "controller.quorum.voters": f"1@127.0.0.1:{controller}",
    }
    cluster = ApacheCluster(1, tmp_path_factory.mktemp("line"), CACHE, ports=[direct], properties=properties)
    try:
        cluster.start()
        with Proxy(public, behind) as proxy:
            yield Line(f"127.0.0.1:{direct}", f"127.0.0.1:{public}", proxy)
    finally:
        cluster.kill(1)
