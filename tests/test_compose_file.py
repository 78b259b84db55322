"""docker-compose.kafka.yml and docker-compose.yml: Compose accepts them, and Kafka accepts its settings."""

import os
import re
import shutil
import subprocess
from collections.abc import Collection
from pathlib import Path

import pytest
from confluent_kafka.admin import AdminClient

from brokers import StartApache
from tickwire.broker.apache import VERSION as KAFKA_VERSION
from tickwire.broker.apicurio import VERSIONS
from tickwire.broker.ports import free_ports

ROOT = Path(__file__).parents[1]
FILE, WHOLE = ROOT / "docker-compose.kafka.yml", ROOT / "docker-compose.yml"
TEXT = FILE.read_text(encoding="utf-8")
PROFILES = ("registry", "feed", "ui", "monitoring")


@pytest.fixture(scope="module")
def compose() -> list[str]:
    """The Compose command of this machine; it checks files without an engine."""
    for command in (["docker", "compose"], ["docker-compose"]):
        if (
            shutil.which(command[0])
            and subprocess.run([*command, "version"], capture_output=True, check=False).returncode == 0
        ):
            return command
    reason = "Docker Compose was not found: install it, on Debian with `apt-get install docker-compose`."
    if os.environ.get("CI") == "true" or os.environ.get("TICKWIRE_REQUIRE_KAFKA") == "1":
        pytest.fail(reason, pytrace=False)
    pytest.skip(reason)


def config(compose: list[str], *arguments: str, file: Path = FILE, profiles: Collection[str] = ("registry",)) -> str:
    command = [*compose, *(f"--profile={name}" for name in profiles), "-f", str(file), "config", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


def test_compose_accepts_the_file_without_a_warning(compose: list[str]) -> None:
    full = config(compose)
    assert f"apache/kafka:{KAFKA_VERSION}" in full
    assert "/opt/kafka/bin/kafka-broker-api-versions.sh" in full
    assert "/var/lib/kafka/data" in full
    assert sorted(config(compose, "--services").split()) == ["kafka", "registry"]
    assert config(compose, "--volumes").split() == ["kafka-data"]


def test_the_registry_comes_with_its_profile_and_asks_kafka_where_containers_do(compose: list[str]) -> None:
    full = config(compose)
    assert f"apicurio/apicurio-registry:{[*VERSIONS][-1]}" in full
    assert "APICURIO_KAFKASQL_BOOTSTRAP_SERVERS: kafka:29092" in full
    assert TEXT.count('    profiles: ["registry"]\n') == 1


@pytest.mark.parametrize("file", [FILE, WHOLE])
def test_only_loopback_is_published(file: Path) -> None:
    published = re.findall(r'^      - "([^"]*:[^"]*)"$', file.read_text(), flags=re.MULTILINE)
    assert len(published) >= 2
    assert all(port.startswith("127.0.0.1:") for port in published)


def test_the_whole_system_comes_by_profile_and_on_the_same_kafka(compose: list[str]) -> None:
    text = WHOLE.read_text()
    of = {
        name: set(re.findall(rf'^  (\w+):\n(?:    .*\n)*?    profiles: \["{name}"\]', text, flags=re.MULTILINE))
        for name in PROFILES
    }
    assert of == {
        "registry": {"registry"},
        "feed": {"producer", "consumer"},
        "ui": {"ui"},
        "monitoring": {"prometheus", "grafana"},
    }
    alone, whole = (services(config(compose, file=file, profiles=PROFILES)) for file in (FILE, WHOLE))
    assert {name: whole[name] for name in alone} == alone
    for name in ("producer", "consumer", "ui"):
        assert "read_only: true" in whole[name]
        assert "KAFKA_BROKERS: kafka:29092" in whole[name]
    for mounted in re.findall(r"- \./(deploy/[^:]+):", text):
        assert (ROOT / mounted).is_dir()


def services(full: str) -> dict[str, str]:
    """The part of each service in what Compose makes of a file."""
    part = full.partition("\nservices:\n" if "\nservices:\n" in full else "services:\n")[2]
    part = re.split(r"^\S", part, maxsplit=1, flags=re.MULTILINE)[0]
    return dict(re.findall(r"^  (\w+):\n((?:    .*\n)+)", part, flags=re.MULTILINE))


def settings() -> dict[str, str]:
    """The broker settings as the image derives them: KAFKA_LOG_DIRS is log.dirs."""
    pairs = re.findall(r'^      KAFKA_([A-Z_]+): "?(.*?)"?$', TEXT, flags=re.MULTILINE)
    return {name.lower().replace("_", "."): value for name, value in pairs}


@pytest.mark.kafka
def test_kafka_starts_with_these_settings(start_apache: StartApache) -> None:
    """The addresses are the only thing that is not as in the container; port 9093 stays inside it."""
    host, containers, controller = free_ports("127.0.0.1", 3)
    new = {"9092": host, "29092": containers, "9093": controller}
    properties = {
        name: re.sub(r":(\d+)\b", lambda port: f":{new[port[1]]}", value).replace("//kafka:", "//127.0.0.1:")
        for name, value in settings().items()
    }
    del properties["log.dirs"]
    start_apache(properties=properties, ports=[host])
    for port in (host, containers):
        admin = AdminClient({"bootstrap.servers": f"127.0.0.1:{port}"})
        assert [broker.port for broker in admin.list_topics(timeout=10).brokers.values()] == [port]


def test_the_cluster_id_is_one_that_kafka_accepts() -> None:
    [cluster_id] = re.findall(r"CLUSTER_ID: ([\w-]+)", TEXT)
    assert re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9_-]{21}", cluster_id)
