"""Fixtures of all tests: a clean environment, brokers that are started once, unique names.

Tests with the mark ``kafka`` use the fixture ``kafka`` (shared, no faults) or ``start_apache`` (their own, to break).
TICKWIRE_TEST_BROKERS=host:port lets ``kafka`` be any cluster; TICKWIRE_REQUIRE_KAFKA=1 makes a missing Kafka a failure.
"""

import logging
import os
import signal
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path

import pytest
from hypothesis import settings

from brokers import CACHE, NO_KAFKA, Kafka, StartApache, skip_without
from kafka.mock_cluster import MockCluster
from tickwire.broker import ApacheCluster, EmbeddedBroker, java_and_maven_missing
from tickwire.broker.process import visible_nodes
from tickwire.config.kafka_config import KafkaConfig
from tickwire.wire import backoff

TESTS = Path(__file__).parent
SHORT = {"config", "events", "records", "wire"}  # folders whose files take less than a minute each

# Nodes live for seconds here: little is worth compiling well, and one thread collects their garbage.
os.environ.setdefault("JDK_JAVA_OPTIONS", "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC")

# Of a shell that started the tests in the background they inherit that Ctrl-C is ignored; their programs must not.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

settings.register_profile("any speed", deadline=None)  # a busy machine makes no test red
settings.load_profile("any speed")


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say in one line that the tests on a real Kafka did not run, and what they need; also those of other processes."""
    for report in terminalreporter.stats.get("skipped", []):
        _, _, reason = report.longrepr
        if NO_KAFKA in reason:
            line = f"THE TESTS ON A REAL KAFKA DID NOT RUN. {reason.partition(NO_KAFKA)[2]}"
            terminalreporter.write_line(line, red=True, bold=True)
            return


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the option that selects the slow fault tests."""
    parser.addoption("--faults-all", action="store_true", help="Run the slow tests of tests/faults, too.")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out the slow fault tests unless they are requested; put folders of short test files last.

    So that parallel test processes end at about the same time.
    """
    if not config.getoption("--faults-all"):
        slow = [item for item in items if item.get_closest_marker("slow_fault")]
        items[:] = [item for item in items if not item.get_closest_marker("slow_fault")]
        config.hook.pytest_deselected(items=slow)
    items.sort(key=lambda item: item.path.relative_to(TESTS).parts[0] in SHORT)


@pytest.fixture(autouse=True)
def clean_env(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Hide the developer's KAFKA_* and FEED_* settings, and records that wait on the developer's disk."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    for name in list(os.environ):
        if name.upper().startswith(("KAFKA_", "FEED_")):
            monkeypatch.delenv(name)


@pytest.fixture(scope="session")
def kafka(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kafka]:
    """A real Kafka, shared by all tests."""
    if brokers := os.environ.get("TICKWIRE_TEST_BROKERS"):
        if not visible_nodes(brokers, 10.0):
            pytest.fail(f"TICKWIRE_TEST_BROKERS={brokers} does not answer within 10 s.", pytrace=False)
        yield Kafka(brokers)
        return
    if missing := java_and_maven_missing():
        skip_without(missing)
    with ApacheCluster(1, tmp_path_factory.mktemp("kafka"), CACHE) as cluster:
        yield Kafka(cluster.bootstrap)


@pytest.fixture(scope="session")
def java() -> None:
    """Java for Apache Kafka; skips without it, as the fixtures that start one do."""
    if missing := java_and_maven_missing():
        skip_without(missing)


@pytest.fixture
def start_apache(tmp_path: Path) -> Iterator[StartApache]:
    """Start a Kafka for one test, ``start_apache(nodes=3, properties={...})``; it is removed at the test's end."""
    if missing := java_and_maven_missing():
        skip_without(missing)
    with ExitStack() as stack:

        def start(
            nodes: int = 1, properties: Mapping[str, str] | None = None, ports: Sequence[int] | None = None
        ) -> ApacheCluster:
            folder = tmp_path / f"kafka-{uuid.uuid4().hex[:8]}"
            cluster = ApacheCluster(nodes, folder, CACHE, properties=properties, ports=ports)
            for node in range(1, nodes + 1):
                stack.callback(cluster.kill, node)  # an orderly end takes seconds, and the data is not wanted
            cluster.start()
            return cluster

        yield start


@pytest.fixture(scope="session")
def embedded() -> Iterator[EmbeddedBroker]:
    """The embedded broker, shared by all tests."""
    with EmbeddedBroker(port=0) as broker:
        yield broker


@pytest.fixture
def mock() -> Iterator[MockCluster]:
    """librdkafka's mock cluster, for one test, with the topics of the default settings."""
    with MockCluster() as cluster:
        for topic in KafkaConfig().topics:
            cluster.create_topic(topic, 2)
        yield cluster


@pytest.fixture(autouse=True)
def own_logging() -> Iterator[None]:
    """Undo the logging set-up of commands that run in this process: their handler's stream ends with their test."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)


@pytest.fixture
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a feed retry connections, requests and books within hundredths of a second."""
    monkeypatch.setattr(backoff.Backoff.__init__, "__defaults__", (0.02, backoff.CAP_S))
    monkeypatch.setattr(backoff, "BASE_S", 0.02)


@pytest.fixture
def unique() -> str:
    """A unique suffix for topics and groups."""
    return uuid.uuid4().hex[:12]
