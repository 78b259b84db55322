"""``tickwire schemas`` on a registry in memory; what registries answer is tested beside the client."""

import json
from collections.abc import Iterator

import pytest

from registry_support import avro, client, proto, scripted, with_field
from tickwire.broker import MemoryRegistry
from tickwire.cli.main import main
from tickwire.records.formats.framing import WriterSchema
from tickwire.registry.client import Registry
from tickwire.registry.subjects import LEVEL, our_schema

SUBJECTS = ["ticks.v1.raw-value", "orderbook.v1.raw-value", "trades.v1.raw-value"]
TICKS = SUBJECTS[0]


@pytest.fixture
def memory(monkeypatch: pytest.MonkeyPatch) -> Iterator[MemoryRegistry]:
    with MemoryRegistry() as registry:
        monkeypatch.setenv("KAFKA_SCHEMA_REGISTRY_URL", registry.url)
        monkeypatch.setenv("KAFKA_VALUE_FORMAT", "avro")
        yield registry


@pytest.fixture
def registry(memory: MemoryRegistry) -> Registry:
    return client(memory.url)


def schemas(*arguments: str) -> int | str | None:
    with pytest.raises(SystemExit) as ended:
        main(["schemas", *arguments], name="tickwire")
    return ended.value.code


@pytest.mark.parametrize("name", ["avro", "protobuf"])
def test_all_is_registered_once_and_as_it_was_sent(
    registry: Registry, name: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("KAFKA_VALUE_FORMAT", name)
    assert schemas("check") == 0
    assert registry.subjects() == []
    capsys.readouterr()
    assert schemas("register", "--json") == 0
    first = json.loads(capsys.readouterr().out)
    assert [(row["subject"], row["version"], row["new"]) for row in first] == [(name, 1, True) for name in SUBJECTS]
    assert [registry.compatibility(subject) for subject in SUBJECTS] == [LEVEL] * 3
    assert [registry.schema(row["id"]) for row in first] == [
        our_schema(kind, name) for kind in ("ticker", "orderbook", "trade")
    ]
    assert schemas("register", "--json") == 0
    assert json.loads(capsys.readouterr().out) == [row | {"new": False} for row in first]
    assert (schemas("check"), schemas("diff")) == (0, 0)


def test_only_topics_that_are_not_json_have_a_subject(registry: Registry, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KAFKA_VALUE_FORMAT", "json")
    monkeypatch.setenv("KAFKA_TRADES_FORMAT", "protobuf")
    monkeypatch.setenv("KAFKA_TRADES_TOPIC", "fills")
    assert schemas("register") == 0
    assert registry.subjects() == ["fills-value"]


INCOMPATIBLE = [
    ("avro", avro(change=lambda schema: schema["fields"][-1].update(type="double")), "received_us"),
    ("protobuf", proto("string symbol = 2;", "int64 symbol = 2;"), "symbol"),
]


@pytest.mark.parametrize(("name", "before", "field"), INCOMPATIBLE, ids=["avro", "protobuf"])
def test_a_change_that_readers_cannot_read_ends_with_1_and_names_the_field(
    registry: Registry,
    name: str,
    before: WriterSchema,
    field: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("KAFKA_VALUE_FORMAT", name)
    registry.register(TICKS, before)
    assert schemas("check") == 1
    assert field in capsys.readouterr().out
    assert schemas("register") == 1
    [error] = capsys.readouterr().err.splitlines()
    assert f".{field}:" in error or f" {field}:" in error
    assert registry.versions(TICKS) == [1]


def test_every_version_before_counts(registry: Registry, capsys: pytest.CaptureFixture[str]) -> None:
    registry.set_compatibility(TICKS, "NONE")
    registry.register(TICKS, avro(change=lambda schema: schema["fields"][2].update(type="long")))
    registry.register(TICKS, avro(change=lambda schema: schema["fields"].pop(7)))
    assert schemas("check", "--json") == 1
    found = json.loads(capsys.readouterr().out)
    assert found[TICKS] == ["exchange_symbol: long cannot be read as string (of version 1)"]


def test_a_registry_that_stores_something_else_ends_with_1_and_names_the_field(
    registry: Registry, capsys: pytest.CaptureFixture[str]
) -> None:
    """As Apicurio 3.3.3 does with a change of a doc: it answers with the id that was there before."""
    changed = avro(change=lambda schema: schema["fields"][3].update(doc="Other."))

    class Deaf(Registry):
        def register(self, subject: str, schema: WriterSchema) -> int:
            return super().register(subject, changed)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("tickwire.cli.schemas.Registry", Deaf)
        assert schemas("register") == 1
    assert "bid.doc" in capsys.readouterr().err


def test_a_difference_is_shown_and_ends_with_1(registry: Registry, capsys: pytest.CaptureFixture[str]) -> None:
    assert schemas("diff") == 1
    assert "tickwire schemas register" in capsys.readouterr().err
    for kind, subject in zip(("ticker", "orderbook", "trade"), SUBJECTS, strict=True):
        registry.register(subject, avro(kind))
    registry.register(TICKS, avro(change=with_field(name="venue", type="string", default="")))
    assert schemas("diff", "--json") == 1
    found = json.loads(capsys.readouterr().out)
    assert [line.partition(":")[0] for line in found[TICKS]] == ["venue"]
    assert [found[subject] for subject in SUBJECTS[1:]] == [[], []]


def test_the_list_shows_what_is_there(registry: Registry, capsys: pytest.CaptureFixture[str]) -> None:
    registry.register(TICKS, avro())
    assert schemas("list", "--json") == 0
    first, second, _ = json.loads(capsys.readouterr().out)
    assert first == {"subject": TICKS, "format": "avro", "versions": 1, "id": 1, "level": None}
    assert (second["versions"], second["id"]) == (0, None)
    assert schemas("list") == 0


def test_without_a_format_it_is_a_usage_error(
    memory: MemoryRegistry, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("KAFKA_VALUE_FORMAT", "json")
    assert schemas("list") == 2
    assert "KAFKA_VALUE_FORMAT" in capsys.readouterr().err


@pytest.mark.parametrize("command", ["list", "check", "register", "diff"])
def test_a_registry_in_trouble_is_one_sentence(
    command: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("KAFKA_VALUE_FORMAT", "avro")
    with scripted() as script:
        monkeypatch.setenv("KAFKA_SCHEMA_REGISTRY_URL", script.url)
        script.says(200, b"<html>", Content_Type="text/html")
        assert schemas(command) == 1
    [error] = capsys.readouterr().err.splitlines()
    assert script.url in error
