"""The check finds what is wrong, says what to do, and ends in time."""

import json
import socket
import time
from pathlib import Path

import pytest

from brokers import Kafka
from consumer_support import create
from kafka.publishing import config_for
from support import free_port
from tickwire.broker import EmbeddedBroker, MemoryRegistry
from tickwire.cli.main import main
from tickwire.config.kafka_config import KafkaConfig
from tickwire.kafka.admin.check import Finding, check, healthy
from tickwire.kafka.admin.topics import ensure_topics
from tickwire.registry.client import Registry
from tickwire.registry.subjects import our_schema, our_subjects, register


def run(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str]:
    with pytest.raises(SystemExit) as ended:
        main(["check", *arguments])
    out, err = capsys.readouterr()
    assert err == ""
    assert isinstance(ended.value.code, int)
    return ended.value.code, out


def found(config: KafkaConfig, seconds: float = 8.0) -> dict[str, list[Finding]]:
    findings: dict[str, list[Finding]] = {}
    for finding in check(config, seconds):
        findings.setdefault(finding.step, []).append(finding)
    return findings


@pytest.mark.kafka
def test_a_healthy_kafka_is_described(kafka: Kafka, unique: str) -> None:
    config = config_for(kafka.bootstrap, unique)
    ensure_topics(config, config.topics)
    findings = found(config)
    assert all(finding.ok for several in findings.values() for finding in several)
    assert "embedded" not in findings["cluster"][0].text
    assert [f"{config.ticker_topic} has 3 partitions" in finding.text for finding in findings["topic"]] == [
        True,
        False,
        False,
    ]
    assert " ms, the median of 5 " in findings["round trip"][0].text


def test_an_embedded_broker_is_fine_and_named(embedded: EmbeddedBroker, unique: str) -> None:
    findings = found(config_for(embedded.bootstrap, unique))
    assert healthy([finding for several in findings.values() for finding in several])
    assert "the embedded broker" in findings["cluster"][0].text
    assert all("will be created at start" in finding.text for finding in findings["topic"])


@pytest.mark.parametrize("anywhere", ["embedded", pytest.param("kafka", marks=pytest.mark.kafka)])
def test_a_topic_that_takes_less_than_a_batch_is_a_hint(
    anywhere: str, unique: str, request: pytest.FixtureRequest
) -> None:
    config = config_for(request.getfixturevalue(anywhere).bootstrap, unique, batch_size=20_000)
    create(config, config.ticker_topic, settings={"max.message.bytes": "10000"})
    create(config, config.orderbook_topic, settings={"max.message.bytes": "20000"})
    findings = found(config)
    [hint] = [finding for finding in findings["topic"] if finding.hint]
    assert hint.text.startswith(f"{config.ticker_topic} takes 10000 bytes at once")
    assert "KAFKA_BATCH_SIZE=10000" in hint.text
    assert healthy([finding for several in findings.values() for finding in several])


@pytest.mark.parametrize(("codec", "hinted"), [("zstd", True), ("lz4", True), ("gzip", False), ("none", False)])
def test_a_codec_that_some_readers_lack_is_a_hint(
    codec: str, hinted: bool, embedded: EmbeddedBroker, unique: str
) -> None:
    findings = list(check(config_for(embedded.bootstrap, unique, compression=codec), 8.0))
    about = [finding for finding in findings if finding.step == "readers"]
    assert [(finding.ok, finding.hint, "kafka-python" in finding.text) for finding in about] == [
        (True, True, True)
    ] * hinted
    assert healthy(findings)


def test_a_secret_without_encryption_is_a_hint(unique: str) -> None:
    config = config_for(
        "nosuch.invalid:9092",
        unique,
        security_protocol="SASL_PLAINTEXT",
        sasl_mechanism="PLAIN",
        sasl_username="reader",
        sasl_password="hush-hush",
    )
    [_, hint] = [finding for finding in check(config, 1.0) if finding.step == "settings"]
    assert (hint.state, "KAFKA_SASL_PASSWORD" in hint.text, "hush" in hint.text) == ("hint", True, False)


def test_missing_topics_are_trouble_where_they_may_not_be_created(embedded: EmbeddedBroker, unique: str) -> None:
    config = config_for(embedded.bootstrap, unique, create_topics=False)
    findings = found(config)["topic"]
    assert [finding.ok for finding in findings] == [False, False, False]
    assert f"--create {config.ticker_topic}" in findings[0].text
    assert not healthy(list(check(config, 8.0)))


def test_the_dead_letter_topic_is_looked_at_where_it_is_used(embedded: EmbeddedBroker, unique: str) -> None:
    config = config_for(embedded.bootstrap, unique, dlq_enabled=True, dlq_topic=f"dlq.{unique}")
    assert [finding.text.split()[0] for finding in found(config)["topic"]] == [*config.topics, f"dlq.{unique}"]


def test_one_dead_address_among_several_is_told_and_harmless(embedded: EmbeddedBroker, unique: str) -> None:
    dead = f"127.0.0.1:{free_port()}"
    config = config_for(f"{dead},{embedded.bootstrap}", unique)
    findings = list(check(config, 8.0))
    assert [finding.ok for finding in findings if finding.step == "address"] == [False, True]
    assert healthy(findings)


def test_nothing_listens() -> None:
    start = time.monotonic()
    findings = list(check(KafkaConfig(brokers=f"127.0.0.1:{free_port()}"), 8.0))
    assert "start Kafka there" in findings[-1].text
    assert not healthy(findings)
    assert time.monotonic() - start < 10


def test_a_port_that_does_not_speak_kafka_ends_in_time(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KAFKA_ENABLED", "true")
    with socket.create_server(("127.0.0.1", 0)) as silent:
        start = time.monotonic()
        code, out = run(capsys, "--timeout", "1", "--brokers", f"127.0.0.1:{silent.getsockname()[1]}")
    assert code == 1
    assert "Nothing answers as Kafka" in out
    assert time.monotonic() - start < 5


def test_the_registry_is_looked_at_where_there_is_one(embedded: EmbeddedBroker, unique: str) -> None:
    with MemoryRegistry() as memory:
        config = config_for(
            embedded.bootstrap, unique, schema_registry_url=memory.url, ticker_format="avro", trades_format="protobuf"
        )
        registry = Registry(config)
        first, ticks, trades = found(config)["registry"]
        assert (first.ok, ticks.ok, trades.ok) == (True, False, False)
        assert "tickwire schemas register" in ticks.text
        register(registry, our_subjects(config)[0])
        registry.register(f"{config.trades_topic}-value", our_schema("trade", "protobuf"))
        _, ticks, trades = found(config)["registry"]
        assert (ticks.state, trades.state) == ("ok", "hint")
        assert "BACKWARD_TRANSITIVE" in trades.text
    findings = found(config)
    assert [finding.ok for finding in findings["registry"]] == [False]
    assert memory.url in findings["registry"][0].text
    assert findings["round trip"][0].ok


def test_the_command_writes_lines_or_json(
    embedded: EmbeddedBroker, unique: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KAFKA_ENABLED", "true")
    monkeypatch.setenv("KAFKA_TICKER_TOPIC", f"ticks.{unique}")
    code, out = run(capsys, "--brokers", embedded.bootstrap)
    assert code == 0
    assert out.endswith("Kafka is ready.\n")
    assert "FAILED" not in out
    code, out = run(capsys, "--brokers", embedded.bootstrap, "--json")
    assert code == 0
    report = json.loads(out)
    assert report["healthy"] is True
    assert [step["step"] for step in report["steps"]][:3] == ["settings", "address", "cluster"]


def test_the_folder_for_what_waits_is_looked_at(
    embedded: EmbeddedBroker,
    unique: str,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    def spill() -> tuple[int, list[str]]:
        code, out = run(capsys, "--brokers", embedded.bootstrap)
        return code, [line.removesuffix("\n") for line in out.splitlines() if " spill " in line]

    monkeypatch.setenv("KAFKA_TICKER_TOPIC", f"ticks.{unique}")
    monkeypatch.setenv("KAFKA_SPILL_DIR", str(tmp_path / "spill"))
    monkeypatch.setenv("KAFKA_SPILL_MAX_BYTES", "65536")
    code, (line,) = spill()
    assert (code, line.startswith("ok "), f"{tmp_path}/spill can be written" in line) == (0, True, True)

    monkeypatch.setenv("KAFKA_SPILL_MAX_BYTES", str(1 << 60))
    kept = tmp_path / "spill" / "binance" / "a"
    kept.mkdir(parents=True)
    (kept / "1.spill").touch()
    code, (_, full, waiting) = spill()
    assert (code, full[:4], waiting[:4]) == (0, "hint", "hint")
    assert "KAFKA_SPILL_MAX_BYTES" in full
    assert "records wait in 1 folders" in waiting

    (tmp_path / "file").touch()
    monkeypatch.setenv("KAFKA_SPILL_DIR", str(tmp_path / "file" / "spill"))
    code, (line,) = spill()
    assert (code, line[:6]) == (1, "FAILED")
    assert "KAFKA_SPILL_DIR" in line
