"""Our client on the registries that exist, and ours in memory beside them: where they agree, one claim for all.

Where they differ the test says how. Nothing else starts Apicurio: it takes seconds.
"""

import base64
import json
import urllib.request
from collections.abc import Iterator
from typing import Any

import pytest
from google.protobuf.descriptor_pb2 import FileDescriptorProto  # type: ignore[import-untyped]

from brokers import CACHE, skip_without
from record_support import descriptor
from registry_support import avro, client, proto, with_field
from tickwire.broker import ApicurioRegistry, MemoryRegistry, java_and_maven_missing
from tickwire.broker.apicurio import VERSIONS
from tickwire.broker.maven import find_java
from tickwire.errors import UsageError
from tickwire.records.formats.framing import WriterSchema
from tickwire.records.kinds import KINDS
from tickwire.registry.client import MAX_SCHEMA, Registry
from tickwire.registry.shapes import differences
from tickwire.registry_errors import SchemaMissing, SchemaRefused

OLD, NEW = VERSIONS
LEVEL = "BACKWARD_TRANSITIVE"

pytestmark = pytest.mark.timeout(600)  # the first run fetches the registries


@pytest.fixture(
    scope="module",
    params=["memory", *(pytest.param(version, marks=pytest.mark.kafka) for version in VERSIONS)],
)
def running(request: pytest.FixtureRequest) -> Iterator[tuple[str, str]]:
    """Each registry, by name and address."""
    if request.param == "memory":
        with MemoryRegistry() as registry:
            yield request.param, registry.url
        return
    if missing := java_and_maven_missing():
        skip_without(missing)
    try:
        find_java(VERSIONS[request.param])
    except UsageError as error:  # Debian 12 has Java 17 and no later one
        pytest.skip(str(error))
    apicurio = ApicurioRegistry(CACHE, version=request.param)
    apicurio.start()
    try:
        yield request.param, apicurio.url
    finally:
        apicurio.kill()


@pytest.fixture
def which(running: tuple[str, str]) -> str:
    return running[0]


@pytest.fixture
def registry(running: tuple[str, str]) -> Registry:
    return client(running[1], seconds=20.0)


@pytest.fixture
def subject(unique: str) -> str:
    return f"{unique}.v1.raw-value"


@pytest.mark.parametrize("kind", [kind.name for kind in KINDS])
@pytest.mark.parametrize("form", [avro, lambda kind: proto(kind=kind), descriptor], ids=["avro", "proto", "descriptor"])
def test_what_is_registered_is_found_and_is_what_was_sent(
    registry: Registry, subject: str, kind: str, form: Any
) -> None:
    schema = form(kind)
    schema_id = registry.register(subject, schema)
    version = registry.version(subject)
    assert (version.subject, version.version, version.id) == (subject, 1, schema_id)
    for stored in (version.schema, registry.schema(schema_id)):
        assert stored.format == schema.format
        assert differences(schema, stored) == []
    assert registry.id_of(subject, schema) == schema_id
    assert registry.versions(subject) == [1]
    assert subject in registry.subjects()


def test_the_same_schema_again_keeps_its_id(registry: Registry, subject: str) -> None:
    assert registry.register(subject, avro()) == registry.register(subject, avro())
    assert registry.versions(subject) == [1]


def test_what_is_not_there_is_missing(registry: Registry, subject: str) -> None:
    for ask in (
        lambda: registry.version(subject),
        lambda: registry.versions(subject),
        lambda: registry.schema(987_654),
        lambda: registry.id_of(subject, avro()),
    ):
        with pytest.raises(SchemaMissing):
            ask()
    registry.register(subject, avro())
    with pytest.raises(SchemaMissing):
        registry.version(subject, 77)
    with pytest.raises(SchemaMissing):
        registry.id_of(subject, avro(change=with_field(name="venue", type="string", default="")))


def test_a_level_that_was_set_is_read_back(registry: Registry, subject: str) -> None:
    registry.register(subject, avro())
    assert registry.compatibility(subject) in {None, "NONE"}  # Apicurio 2.6.13 and 3.3.3: the registry's own, NONE
    registry.set_compatibility(subject, LEVEL)
    assert registry.compatibility(subject) == LEVEL


def test_a_level_set_before_the_first_version_is_kept(registry: Registry, subject: str) -> None:
    registry.set_compatibility(subject, LEVEL)
    registry.register(subject, avro())
    assert registry.compatibility(subject) == LEVEL


def test_an_incompatible_avro_schema_is_refused(registry: Registry, subject: str) -> None:
    second = avro(change=with_field(name="venue", type="string"))
    registry.register(subject, avro())
    registry.set_compatibility(subject, LEVEL)
    assert registry.incompatible(subject, second) is not None
    with pytest.raises(SchemaRefused, match="venue"):
        registry.register(subject, second)
    assert registry.versions(subject) == [1]


def test_an_incompatible_protobuf_schema_is_refused(registry: Registry, subject: str) -> None:
    second = proto("string symbol = 2;", "int64 symbol = 2;")
    registry.register(subject, proto())
    registry.set_compatibility(subject, LEVEL)
    assert registry.incompatible(subject, second) is not None
    with pytest.raises(SchemaRefused):
        registry.register(subject, second)
    assert registry.versions(subject) == [1]


@pytest.mark.parametrize(
    ("older", "newer"),
    [
        (avro(), avro(change=with_field(name="venue", type="string", default=""))),
        (proto(), proto("int64 received_us = 15;", "int64 received_us = 15; optional string venue = 16;")),
    ],
    ids=["avro", "proto"],
)
def test_a_compatible_version_is_taken(
    registry: Registry, subject: str, older: WriterSchema, newer: WriterSchema
) -> None:
    registry.register(subject, older)
    registry.set_compatibility(subject, LEVEL)
    assert registry.incompatible(subject, newer) is None
    registry.register(subject, newer)
    assert registry.versions(subject) == [1, 2]
    assert differences(newer, registry.version(subject).schema) == []


def test_transitive_means_every_version_before(registry: Registry, subject: str) -> None:
    """The second version has dropped a field, the third has it again with another type."""
    second = avro(change=lambda s: s["fields"].pop(2))
    third = avro(change=lambda s: s["fields"][2].update(type="long", default=0))
    registry.register(subject, avro())
    registry.set_compatibility(subject, LEVEL)
    registry.register(subject, second)
    with pytest.raises(SchemaRefused):
        registry.register(subject, third)


def test_a_change_of_a_doc_alone(registry: Registry, which: str, subject: str) -> None:
    """Apicurio 3.3.3 answers with the old id and stores nothing, which our comparison sees."""
    changed = avro(change=lambda schema: schema["fields"][3].update(doc="Other."))
    first = registry.register(subject, avro())
    second = registry.register(subject, changed)
    stored = registry.version(subject).schema
    if which == NEW:
        assert second == first
        assert [d.where for d in differences(changed, stored)] == ["bid.doc"]
    else:
        assert second != first
        assert differences(changed, stored) == []


@pytest.mark.parametrize("kind", [kind.name for kind in KINDS])
def test_a_proto_text_asked_for_as_serialized(running: tuple[str, str], subject: str, kind: str) -> None:
    """Confluent documents a descriptor. Apicurio 2.6.13 answers the text, 3.3.3 one that is broken."""
    which, url = running
    number = client(url, seconds=20.0).register(subject, proto(kind=kind))
    with urllib.request.urlopen(f"{url}/schemas/ids/{number}?format=serialized", timeout=20) as answer:
        said = json.load(answer)["schema"]
    if which == OLD:
        assert said == proto(kind=kind).text
    elif which == NEW:
        assert "\ufffd" in said
    else:
        file, stock = (FileDescriptorProto.FromString(base64.b64decode(text)) for text in (said, descriptor(kind).text))
        for of in (file, stock):
            for part in ("name", "options"):
                of.ClearField(part)
        assert file == stock


def test_what_is_no_schema_is_refused(registry: Registry, subject: str) -> None:
    with pytest.raises(SchemaRefused):
        registry.register(subject, WriterSchema("avro", '{"type": "rec'))


def test_a_schema_of_1_mib_is_taken_and_read(registry: Registry, subject: str) -> None:
    def padded(size: int) -> WriterSchema:
        schema = json.loads(avro().text) | {"doc": ""}
        schema["doc"] = "d" * (size - len(json.dumps(schema)))
        return WriterSchema("avro", json.dumps(schema))

    schema = padded(MAX_SCHEMA - 1024)  # registries lay it out in another way
    assert differences(schema, registry.schema(registry.register(subject, schema))) == []
    with pytest.raises(SchemaRefused, match="more than 1048576 bytes"):
        registry.register(subject, padded(MAX_SCHEMA + 1))


def test_names_of_subjects_are_quoted(registry: Registry, unique: str) -> None:
    subject = f"a b?{unique}#%-value"
    registry.register(subject, avro())
    assert registry.versions(subject) == [1]
