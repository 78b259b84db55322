"""Java's readers on Apicurio, with the settings of docs/schemas.md, have what the JSON form has, digit for digit."""

import json
import platform
import subprocess
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from confluent_kafka import Producer
from confluent_kafka.admin import AdminClient, NewTopic  # type: ignore[attr-defined]  # exported without saying so
from msgspec.structs import replace

from brokers import CACHE, Kafka
from readers.connect import CONNECT, sink_of
from readers.maven import libraries
from readers.pages import block
from record_support import BOOK, EVENTS, FORMATS, TICKER, TRADE
from recordings import events_of, recordings
from support import eventually
from tickwire.broker.apicurio import ApicurioRegistry
from tickwire.config.kafka_config import KafkaConfig
from tickwire.events.types import MarketEvent, Trade
from tickwire.records.codec import RecordWriter
from tickwire.records.formats import value_format
from tickwire.records.kinds import KIND_OF, KINDS, topics_by_kind
from tickwire.registry.client import Registry
from tickwire.registry.subjects import our_subjects, register
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
MOST = 2**63 - 1

pytestmark = [pytest.mark.kafka, pytest.mark.timeout(600)]  # the first run fetches the registry and the libraries


def all_events() -> Iterator[MarketEvent]:
    """Those of the fixtures, and what these lack: words, nulls, and numbers at the ends."""
    for recording in recordings():
        for line in events_of(recording).read_bytes().splitlines():
            kind = json.loads(line).get("type")
            if kind in EVENTS:
                yield msgspec.json.decode(line, type=type(EVENTS[kind]))
    yield replace(TICKER, symbol="ÄΩ漢😀-USDT", bid=f"{10**29}.12345678", ask="0.000000000000000001", sequence=MOST)
    yield replace(TICKER, bid=None, bid_size=None, ask=None, ask_size=None, last="0", sequence=0, exchange_us=-1)
    yield replace(BOOK, depth=None, bids=[("1.10", "0"), ("0.0000100", "0.0")], action="delta", reason=None)
    yield replace(BOOK, epoch=MOST, sequence=-MOST - 1, reason="keyframe", exchange_us=None)
    yield replace(BOOK, action="invalid", bids=[], asks=[], reason="disconnect", sequence=None)
    yield replace(TRADE, side="sell", exchange_us=None, trade_id="00123-ab", size=f"{10**15}.000000000001")


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
    found, unique = {}, uuid.uuid4().hex[:12]
    producer = Producer({"bootstrap.servers": kafka.bootstrap, "enable.idempotence": True})  # they keep their order
    for form in FORMATS:
        names = {kind.topic: f"{form}.{kind.name}.{unique}" for kind in KINDS}
        config = KafkaConfig.model_validate({"schema_registry_url": apicurio.url, "value_format": form, **names})
        registry = Registry(config, 20.0)
        ids = {subject.kind: register(registry, subject).id for subject in our_subjects(config)}
        found[form] = topics_by_kind(config)
        admin = AdminClient({"bootstrap.servers": kafka.bootstrap})
        for made in admin.create_topics([NewTopic(name, 1) for name in names.values()]).values():
            made.result(20)
        writer = RecordWriter(found[form], {kind: value_format(form, kind, number) for kind, number in ids.items()})
        for event in events:
            record = writer.write(event)
            producer.produce(record.topic, record.value, record.key, headers=[*record.headers])
    assert producer.flush(20) == 0
    return found


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


def fields_of(event: MarketEvent) -> dict[str, Any]:
    """An event's fields as they stand in JSON, with levels as records have them."""
    fields: dict[str, Any] = json.loads(msgspec.json.encode(event))
    del fields["type"]
    for side in ("bids", "asks") if "bids" in fields else ():
        fields[side] = [{"price": price, "size": size} for price, size in fields[side]]
    return fields


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
