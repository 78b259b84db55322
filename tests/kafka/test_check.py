"""The check finds what is wrong, says what to do, and ends in time."""

import json
import socket
import threading
import time

import pytest

from brokers import Kafka
from kafka.publishing import config_for
from support import free_port
from tickwire.broker import EmbeddedBroker
from tickwire.cli.main import main
from tickwire.config.kafka_config import KafkaConfig
from tickwire.kafka.broker_version import broker_version
from tickwire.kafka.check import Finding, check, healthy
from tickwire.kafka.topics import ensure_topics


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
    assert findings["version"][0].text.startswith("Apache Kafka ")
    assert [f"{config.ticker_topic} has 3 partitions" in finding.text for finding in findings["topic"]] == [True, False]
    assert " ms, the median of 5 " in findings["round trip"][0].text


@pytest.mark.kafka
def test_the_version_of_the_tested_kafka_is_read(kafka: Kafka) -> None:
    host, _, port = kafka.bootstrap.rpartition(":")
    release = broker_version(host, int(port), KafkaConfig(), 5)
    assert release is not None
    assert release[0] in "34"


def test_an_embedded_broker_is_fine_and_its_version_unknown(embedded: EmbeddedBroker, unique: str) -> None:
    findings = found(config_for(embedded.bootstrap, unique))
    assert healthy([finding for several in findings.values() for finding in several])
    assert "does not tell" in findings["version"][0].text
    assert all("will be created at start" in finding.text for finding in findings["topic"])


def test_missing_topics_are_trouble_where_they_may_not_be_created(embedded: EmbeddedBroker, unique: str) -> None:
    config = config_for(embedded.bootstrap, unique, create_topics=False)
    findings = found(config)["topic"]
    assert [finding.ok for finding in findings] == [False, False]
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


@pytest.mark.parametrize(
    "answer", [b"HTTP/1.1 400 Bad Request\r\n\r\n", b"\x00\x00\x00\x02ab", b"\x00\x00\x00\x06\x00\x00\x00\x01\x00\x00"]
)
def test_an_answer_that_is_not_kafkas_is_no_version(answer: bytes) -> None:
    def serve() -> None:
        connection, _ = server.accept()
        with connection:
            connection.recv(1000)
            connection.sendall(answer)

    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(10)
        thread = threading.Thread(target=serve)
        thread.start()
        assert broker_version("127.0.0.1", server.getsockname()[1], KafkaConfig(), 5) is None
        thread.join()


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
