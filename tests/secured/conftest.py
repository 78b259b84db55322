"""A secured Kafka, the same for all tests here. They share one file: each process that runs a file starts one."""

from collections.abc import Iterator

import pytest

from brokers import CACHE, skip_without
from secured.cluster import Secured, secured_cluster
from tickwire.broker import java_and_maven_missing


@pytest.fixture(scope="session")
def secured(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Secured]:
    """Start it."""
    if missing := java_and_maven_missing():
        skip_without(missing)
    with secured_cluster(tmp_path_factory.mktemp("secured"), CACHE) as cluster:
        yield cluster
