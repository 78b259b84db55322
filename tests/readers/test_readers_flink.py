"""Flink SQL, with the table of docs/schemas.md, has what the JSON form has, digit for digit."""

import json
import subprocess
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from brokers import Kafka
from readers.maven import libraries
from readers.pages import block
from readers.typed_topics import all_events, fields_of, write_topics
from record_support import EVENTS
from tickwire.broker import MemoryRegistry
from tickwire.events.types import MarketEvent
from tickwire.records.kinds import KIND_OF
from tickwire.schemas import schema_text

VERSION = "2.3.0"
LIBRARIES = (
    f"org.apache.flink:flink-table-planner-loader:{VERSION}",
    f"org.apache.flink:flink-table-runtime:{VERSION}",
    f"org.apache.flink:flink-clients:{VERSION}",
    f"org.apache.flink:flink-connector-base:{VERSION}",
    f"org.apache.flink:flink-sql-avro-confluent-registry:{VERSION}",
    "org.apache.flink:flink-sql-connector-kafka:5.0.0-2.2",
    "com.github.luben:zstd-jni:1.5.6-10",
    "org.slf4j:slf4j-nop:1.7.36",
)
TYPES = {"string": "STRING", "long": "BIGINT"}

pytestmark = [pytest.mark.kafka, pytest.mark.timeout(600)]  # the first run fetches the libraries


@pytest.fixture(scope="module")
def events() -> list[MarketEvent]:
    return [*all_events()]


@pytest.fixture(scope="module")
def registry() -> Iterator[MemoryRegistry]:
    with MemoryRegistry() as registry:
        yield registry


def table(kind: str, topic: str, bootstrap: str, registry: str) -> str:
    """The table of the page; for other kinds than its own with the columns that the kind's schema has."""
    text = block("Read the topics from Flink SQL", "sql", "schemas.md").removesuffix(";")
    if kind != "orderbook":
        _, _, settings = text.partition("\n) WITH")
        columns = [
            f"`{field['name']}` {TYPES[field['type'] if isinstance(field['type'], str) else field['type'][1]]}"
            for field in json.loads(schema_text(kind, "avro"))["fields"]
        ]
        text = f"CREATE TABLE {kind} (\n{', '.join(columns)}\n) WITH{settings}"
    places = {"orderbook.v1.raw": topic, "localhost:9092": bootstrap, "http://localhost:8081": registry}
    for name, place in places.items():
        assert name in text
        text = text.replace(name, place)
    return text


@pytest.fixture(scope="module")
def rows(
    kafka: Kafka, registry: MemoryRegistry, events: list[MarketEvent], tmp_path_factory: pytest.TempPathFactory
) -> dict[str, list[dict[str, Any]]]:
    """What Flink has of each topic, by kind."""
    folder, libs = tmp_path_factory.mktemp("flink"), libraries("flink", VERSION, LIBRARIES)
    statements = list[str]()
    for kind, topic in write_topics(kafka.bootstrap, registry.url, "avro", events).items():
        statements.append(table(kind, topic, kafka.bootstrap, registry.url))
        bounded = "/*+ OPTIONS('scan.bounded.mode' = 'latest-offset') */"
        statements.append(f"SELECT '{kind}' AS kind, * FROM {kind} {bounded}")
    (folder / "read.sql").write_text(";\n".join(statements))
    javac = ["java", "-m", "jdk.compiler/com.sun.tools.javac.Main"]  # Debian's JRE has it without the command
    source, path = Path(__file__).with_name("Flink.java"), ":".join(map(str, [folder, *libs.glob("*.jar")]))
    subprocess.run([*javac, "-proc:none", "-cp", path, "-d", folder, source], check=True)
    java = ["java", "-Xmx512m", "-cp", path, "Flink"]
    printed = subprocess.run([*java, folder / "read.sql"], stdout=subprocess.PIPE, check=True).stdout
    found: dict[str, list[dict[str, Any]]] = {}
    for row in map(json.loads, printed.splitlines()):
        found.setdefault(row.pop("kind"), []).append(row)
    return found


@pytest.mark.parametrize("kind", EVENTS)
def test_flink_has_what_json_has(kind: str, events: list[MarketEvent], rows: dict[str, list[dict[str, Any]]]) -> None:
    expected = [fields_of(event) for event in events if KIND_OF[type(event)].name == kind]
    for fields in expected if kind == "orderbook" else ():
        time = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=fields["received_us"] // 1000)
        fields["received_at"] = time
    for row in rows[kind] if kind == "orderbook" else ():
        row["received_at"] = datetime.fromisoformat(row["received_at"])
    assert len(expected) > 50
    assert rows[kind] == expected
