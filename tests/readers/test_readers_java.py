"""Java's readers on Apicurio, with the settings of docs/schemas.md, have what the JSON form has, digit for digit."""

import json
import platform
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from brokers import CACHE, Kafka
from readers.connect import CONNECT, sink_of
from readers.maven import libraries
from readers.pages import block
from readers.typed_topics import all_events, fields_of, write_topics
from record_support import EVENTS, FORMATS
from support import eventually
from tickwire.broker.apicurio import ApicurioRegistry
from tickwire.events.types import MarketEvent, Trade
from tickwire.records.kinds import KIND_OF, KINDS
from tickwire.schemas import schema_text

VERSION = "2.6.13.Final"
PROTOC = "3.25.5"  # that of the library which the deserializer brings
LIBRARIES = (
    f"io.apicurio:apicurio-registry-serdes-avro-serde:{VERSION}",
    f"io.apicurio:apicurio-registry-serdes-protobuf-serde:{VERSION}",
    "org.slf4j:slf4j-nop:1.7.36",
)
CONVERTER = (*CONNECT, f"io.apicurio:apicurio-registry-utils-converter:{VERSION}")
MACHINES = {"x86_64": "x86_64", "AMD64": "x86_64", "aarch64": "aarch_64", "arm64": "aarch_64"}
SYSTEMS = {"Linux": "linux", "Darwin": "osx"}

pytestmark = [pytest.mark.kafka, pytest.mark.timeout(600)]  # the first run fetches the registry and the libraries


@pytest.fixture(scope="module")
def events() -> list[MarketEvent]:
    return [*all_events()]


@pytest.fixture(scope="module")
def apicurio() -> Iterator[ApicurioRegistry]:
    registry = ApicurioRegistry(CACHE, version=VERSION)
    registry.start()
    try:
        yield registry
    finally:
        registry.kill()


@pytest.fixture(scope="module")
def topics(kafka: Kafka, apicurio: ApicurioRegistry, events: list[MarketEvent]) -> dict[str, dict[str, str]]:
    """Topics of each format, by format and kind, with the events in them."""
    return {form: write_topics(kafka.bootstrap, apicurio.url, form, events) for form in FORMATS}


@pytest.fixture(scope="module")
def reader(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """The command of a reader with the classes that protoc makes of our files."""
    folder = tmp_path_factory.mktemp("java")
    libs = libraries("serdes", VERSION, LIBRARIES)
    system = f"{SYSTEMS[platform.system()]}-{MACHINES[platform.machine()]}"
    [protoc] = libraries("protoc", PROTOC, [f"com.google.protobuf:protoc:{PROTOC}:exe:{system}"]).iterdir()
    protoc.chmod(0o755)
    for kind in KINDS:
        (folder / f"{kind.name}.proto").write_text(schema_text(kind.name, "protobuf"))
    files = [f"{kind.name}.proto" for kind in KINDS]
    subprocess.run([protoc, f"-I{folder}", f"--java_out={folder}", *files], check=True)
    sources = [Path(__file__).with_name("Reader.java"), *folder.rglob("*.java")]
    path = ":".join(map(str, libs.glob("*.jar")))
    javac = ["java", "-m", "jdk.compiler/com.sun.tools.javac.Main"]  # Debian's JRE has it without the command
    subprocess.run([*javac, "-proc:none", "-cp", path, "-d", folder, *sources], check=True)
    return ["java", "-Xmx256m", "-cp", f"{folder}:{path}", "Reader"]


@pytest.fixture(scope="module")
def read(
    kafka: Kafka,
    apicurio: ApicurioRegistry,
    topics: dict[str, dict[str, str]],
    reader: list[str],
    tmp_path_factory: pytest.TempPathFactory,
) -> dict[str, list[dict[str, Any]]]:
    """What the reader has of each topic."""
    files, root = [], apicurio.url.removesuffix("/apis/ccompat/v7")
    for number, form in enumerate(FORMATS):
        for kind in KINDS:
            settings = block("Read the topics from Java", "properties", "schemas.md", number)
            settings = settings.replace("http://localhost:8080", root).replace(".Ticker", f".{kind.event.__name__}")
            files.append(tmp_path_factory.mktemp("settings") / "reader.properties")
            files[-1].write_text(
                f"{settings}\ntopic={topics[form][kind.name]}\nbootstrap.servers={kafka.bootstrap}\n"
                "key.deserializer=org.apache.kafka.common.serialization.ByteArrayDeserializer\n"
            )
    printed = subprocess.run([*reader, *files], stdout=subprocess.PIPE, check=True).stdout
    found: dict[str, list[dict[str, Any]]] = {}
    for line in map(json.loads, printed.splitlines()):
        found.setdefault(line["topic"], []).append(line["value"])
    return found


@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize("kind", EVENTS)
def test_java_has_what_json_has(
    kind: str,
    form: str,
    events: list[MarketEvent],
    topics: dict[str, dict[str, str]],
    read: dict[str, list[dict[str, Any]]],
) -> None:
    expected = [fields_of(event) for event in events if KIND_OF[type(event)].name == kind]
    for word in ("action", "side") if form == "protobuf" else ():
        for fields in expected:
            fields |= {name: f"{name}_{fields[name]}".upper() for name in (word,) if name in fields}
    assert len(expected) > 50
    assert read[topics[form][kind]] == expected


def test_kafka_connect_reads_avro(
    kafka: Kafka,
    apicurio: ApicurioRegistry,
    topics: dict[str, dict[str, str]],
    events: list[MarketEvent],
    tmp_path: Path,
) -> None:
    settings = block("Read the topics with Kafka Connect", "properties", "schemas.md")
    settings = settings.replace("http://localhost:8080", apicurio.url.removesuffix("/apis/ccompat/v7"))
    libs = libraries("connect-avro", VERSION, CONVERTER)
    trades = [event for event in events if isinstance(event, Trade)]
    with sink_of(kafka.bootstrap, settings, libs, topics["avro"]["trade"], tmp_path) as out:
        eventually(lambda: len(written(out)) >= len(trades), "Connect writes every trade", 60)
    names = ("trade_id", "price", "size", "side", "received_us")
    expected = [[f"{name}={getattr(event, name)}" for name in names] for event in trades]
    fields = [line.removeprefix("Struct{").removesuffix("}").split(",") for line in written(out)]
    assert [[part for part in parts if part.partition("=")[0] in names] for parts in fields] == expected


def written(out: Path) -> list[str]:
    return out.read_text().splitlines() if out.exists() else []
