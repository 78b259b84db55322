"""Our subjects in the registry: one for each topic, named after it.

https://docs.confluent.io/platform/current/schema-registry/fundamentals/serdes-develop/index.html#subject-name-strategy
"""

from typing import NamedTuple

from tickwire.config.kafka_config import KafkaConfig
from tickwire.errors import UsageError
from tickwire.records.formats.framing import WriterSchema
from tickwire.records.kinds import formats_by_kind, topics_by_kind
from tickwire.registry.client import Registry, Version
from tickwire.registry.shapes import breaks, differences
from tickwire.registry_errors import RegistryFailed, SchemaMissing, SchemaRefused
from tickwire.schemas import schema_text

LEVEL = "BACKWARD_TRANSITIVE"  # a new reader can read values of every earlier version


class Subject(NamedTuple):
    """A topic's subject, with the schema that this version of tickwire writes."""

    name: str
    topic: str
    kind: str
    schema: WriterSchema


class Registered(NamedTuple):
    """The result of a registration: id, version number, and whether it is new."""

    id: int
    version: int
    new: bool


def our_subjects(config: KafkaConfig) -> list[Subject]:
    """The subjects of all topics that are not JSON."""
    topics = topics_by_kind(config)
    return [
        Subject(f"{topics[kind]}-value", topics[kind], kind, our_schema(kind, name))
        for kind, name in formats_by_kind(config).items()
        if name != "json"
    ]


def require_subjects(config: KafkaConfig) -> list[Subject]:
    """The same; raises :exc:`~tickwire.errors.UsageError` if there are none."""
    found = our_subjects(config)
    if not found:
        raise UsageError(
            "Every topic is written as JSON, which needs no schema registry: set KAFKA_VALUE_FORMAT, or the format of "
            "one topic, to avro or protobuf."
        )
    return found


def our_schema(kind: str, name: str) -> WriterSchema:
    """The schema of a kind as it is registered."""
    return WriterSchema(name, schema_text(kind, name))


def newest(registry: Registry, subject: Subject) -> Version | None:
    """The newest version; None if there is none. Raises :exc:`~tickwire.registry_errors.RegistryFailed`."""
    try:
        return registry.version(subject.name)
    except SchemaMissing:
        return None


def obstacles(registry: Registry, subject: Subject) -> list[str]:
    """Why our schema could not be registered with the existing versions, one phrase for each field.

    Raises :exc:`~tickwire.registry_errors.RegistryFailed`.
    """
    try:
        numbers = registry.versions(subject.name)
    except SchemaMissing:
        return []
    found: list[str] = []
    for number in numbers:
        before = registry.version(subject.name, number).schema
        try:
            found += [f"{why} (of version {number})" for why in breaks(before, subject.schema)]
        except ValueError as e:
            found.append(f"version {number} cannot be read: {e}")
    if not found and (why := registry.incompatible(subject.name, subject.schema)) is not None:
        found.append(why or "the registry does not say why")
    return found


def register(registry: Registry, subject: Subject) -> Registered:
    """Register our schema in its subject with the level :data:`LEVEL`, and check that it is stored as sent.

    Raises :exc:`~tickwire.registry_errors.RegistryFailed`, which names the conflicting field.
    """
    if found := obstacles(registry, subject):
        raise _refused(registry, subject, f"{found[0]}{_more(found)}")
    before = newest(registry, subject)
    registry.set_compatibility(subject.name, LEVEL)
    if (level := registry.compatibility(subject.name)) != LEVEL:
        raise _refused(registry, subject, f"it was told {LEVEL} and keeps {level or 'no level'}")
    schema_id = registry.register(subject.name, subject.schema)
    check_stored(registry, subject, registry.schema(schema_id))
    after = registry.version(subject.name)
    check_stored(registry, subject, after.schema)
    return Registered(schema_id, after.version, before is None or before.version != after.version)


def check_stored(registry: Registry, subject: Subject, stored: WriterSchema) -> None:
    """Raise :exc:`~tickwire.registry_errors.SchemaRefused` if the stored schema is not the one that was sent."""
    try:
        found = [f"stored is something else than was sent: {d}" for d in differences(subject.schema, stored)]
    except ValueError as e:
        found = [f"what is stored cannot be read: {e}"]
    if found:
        raise _refused(registry, subject, f"{found[0]}{_more(found)}")


def _refused(registry: Registry, subject: Subject, why: str) -> RegistryFailed:
    return SchemaRefused(registry.url, f"subject {subject.name}: {why}")


def _more(found: list[str]) -> str:
    return f", and {len(found) - 1} more" if len(found) > 1 else ""
