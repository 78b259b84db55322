"""Settings become properties of librdkafka, and its errors become one sentence."""

import logging
import socket
import time
from typing import get_args

import pytest
from confluent_kafka import Consumer, KafkaError, Producer
from pydantic import SecretStr

from kafka.mock_cluster import MockCluster
from support import free_port
from tickwire.broker import EmbeddedBroker
from tickwire.config.kafka_config import Compression, KafkaConfig
from tickwire.errors import KafkaFailed
from tickwire.kafka.causes import explain
from tickwire.kafka.clients import (
    ClientLog,
    Cluster,
    admin_config,
    common_config,
    connect_check,
    consumer_config,
    producer_config,
)
from tickwire.kafka.complaints import Complaints
from tickwire.kafka.probing import Door, look


def login(**values: object) -> KafkaConfig:
    defaults: dict[str, object] = {
        "security_protocol": "SASL_PLAINTEXT",
        "sasl_mechanism": "PLAIN",
        "sasl_username": "reader",
        "sasl_password": SecretStr("hush-hush"),
    }
    return KafkaConfig.model_validate(defaults | values)


@pytest.mark.parametrize("compression", get_args(Compression))
def test_librdkafka_accepts_every_property(compression: str) -> None:
    config = KafkaConfig.model_validate({"brokers": "127.0.0.1:1", "compression": compression})
    Producer(producer_config(config))
    Consumer(consumer_config(config, "group")).close()


def test_zstd_does_the_least_work_and_no_other_codec_gets_a_level() -> None:
    levels = {
        codec: producer_config(KafkaConfig.model_validate({"compression": codec})).get("compression.level")
        for codec in get_args(Compression)
    }
    assert levels == {"none": None, "gzip": None, "snappy": None, "lz4": None, "zstd": 1}


def test_the_producer_is_idempotent_never_gives_up_and_partitions_as_java_does() -> None:
    settings = producer_config(
        KafkaConfig(compression="lz4", linger_ms=3, batch_size=999, queue_max_messages=77, queue_max_bytes=2_097_152)
    )
    assert settings["acks"] == "all"
    assert settings["enable.idempotence"] is True
    assert settings["message.timeout.ms"] == 0
    assert settings["partitioner"] == "murmur2_random"
    assert settings["compression.type"] == "lz4"
    assert (settings["linger.ms"], settings["batch.size"]) == (3, 999)
    assert settings["queue.buffering.max.messages"] == 77
    assert settings["queue.buffering.max.kbytes"] == 2048
    assert settings["message.max.bytes"] == 1_000_000_000, "the limit of the topic counts"


def test_kafkas_tools_tell_producers_consumers_and_admin_clients_apart() -> None:
    config = KafkaConfig(client_id="desk")
    names = [
        made["client.id"] for made in (producer_config(config), consumer_config(config, "g"), admin_config(config))
    ]
    assert names == ["desk", "desk-tickwire-consumer", "desk-tickwire-admin"]


def test_the_consumer_commits_by_itself_and_never_skips() -> None:
    settings = consumer_config(KafkaConfig(), "group-1")
    assert settings["group.id"] == "group-1"
    assert settings["enable.auto.commit"] is False
    assert settings["enable.auto.offset.store"] is False
    assert settings["auto.offset.reset"] == "error"


@pytest.mark.parametrize("made", [common_config, admin_config, producer_config])
def test_no_client_creates_topics_by_accident_or_reports_on_us(made: object) -> None:
    assert callable(made)
    settings = made(KafkaConfig())
    assert settings["allow.auto.create.topics"] is False
    assert settings["enable.metrics.push"] is False


def test_a_login_is_passed_on() -> None:
    settings = common_config(login())
    assert settings["security.protocol"] == "SASL_PLAINTEXT"
    assert settings["sasl.mechanism"] == "PLAIN"
    assert (settings["sasl.username"], settings["sasl.password"]) == ("reader", "hush-hush")


def test_tokens_are_fetched_by_librdkafka_itself() -> None:
    config = KafkaConfig(
        security_protocol="SASL_SSL",
        sasl_mechanism="OAUTHBEARER",
        sasl_oauth_token_endpoint_url="https://id.example.com/token",
        sasl_oauth_client_id="tickwire",
        sasl_oauth_client_secret=SecretStr("hush-hush"),
        sasl_oauth_scope="kafka",
    )
    settings = common_config(config)
    assert settings["sasl.oauthbearer.method"] == "oidc"
    assert settings["sasl.oauthbearer.token.endpoint.url"] == "https://id.example.com/token"
    assert settings["sasl.oauthbearer.client.secret"] == "hush-hush"
    Producer(settings)


def test_what_is_not_set_is_not_passed_on() -> None:
    assert not [name for name in common_config(KafkaConfig()) if name.startswith(("sasl", "ssl", "security"))]


def test_librdkafkas_own_lines_stay_off_standard_error(capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(KafkaFailed):
        connect_check(KafkaConfig(brokers="127.0.0.1:1"), 0.5)
    assert capfd.readouterr().err == ""


def test_a_log_line_cannot_steer_a_terminal(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    ClientLog().log(40, "%s [%s]", "FAIL", "\x1b[2J")
    assert caplog.messages
    assert "\x1b" not in caplog.text


def test_a_broker_that_answers_is_described(embedded: EmbeddedBroker) -> None:
    view = connect_check(KafkaConfig(brokers=embedded.bootstrap))
    assert [f"{node.host}:{node.port}" for node in view.nodes] == [embedded.bootstrap]


def test_a_controller_that_is_none_of_the_brokers_is_as_good_as_none(
    embedded: EmbeddedBroker, mock: MockCluster
) -> None:
    """Else librdkafka waits for it until a request's time is over: its mock cluster names 0, and has broker 1."""
    found = []
    for bootstrap in (embedded.bootstrap, mock.bootstrap):
        cluster = Cluster(KafkaConfig(brokers=bootstrap))
        found.append((cluster.view(10).controller >= 0, cluster.controlled))
    assert found == [(True, True), (True, False)]


def test_a_broker_that_offers_whatever_mechanism_it_is_asked_for_has_no_login(embedded: EmbeddedBroker) -> None:
    assert look(embedded.bootstrap, 10, tls=False, mechanism=None) == Door(tls=False, mechanisms=())


def test_nothing_listens() -> None:
    port = free_port()
    start = time.monotonic()
    with pytest.raises(KafkaFailed, match=rf"Nothing answers as Kafka at 127\.0\.0\.1:{port} .*refused.*KAFKA_BROKERS"):
        connect_check(KafkaConfig(brokers=f"127.0.0.1:{port}"), 1.0)
    assert time.monotonic() - start < 3


def test_something_listens_and_says_nothing() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        with pytest.raises(KafkaFailed, match=r"no answer within 0\.6 s"):
            connect_check(KafkaConfig(brokers=f"127.0.0.1:{port}"), 0.6)


def test_an_unknown_host_is_not_waited_for() -> None:
    start = time.monotonic()
    with pytest.raises(KafkaFailed, match=r"nosuch\.invalid:9092\) is unknown"):
        connect_check(KafkaConfig(brokers="nosuch.invalid:9092"), 60.0)
    assert time.monotonic() - start < 20


def test_a_refused_login_is_not_waited_for_and_shows_no_password(embedded: EmbeddedBroker) -> None:
    start = time.monotonic()
    with pytest.raises(KafkaFailed, match="refused the login of reader with PLAIN") as caught:
        connect_check(login(brokers=embedded.bootstrap), 60.0)
    assert time.monotonic() - start < 20
    assert "KAFKA_SASL_PASSWORD" in str(caught.value)
    assert "hush-hush" not in str(caught.value)


def test_a_file_that_is_no_certificate_is_named(tmp_path_factory: pytest.TempPathFactory) -> None:
    file = tmp_path_factory.mktemp("tls") / "ca.pem"
    file.write_text("no certificate")
    with pytest.raises(KafkaFailed, match=r"cannot be set up .*ssl\.ca\.location"):
        connect_check(KafkaConfig(security_protocol="SSL", ssl_ca_location=file))


@pytest.mark.parametrize(
    ("code", "words", "advice"),
    [
        (KafkaError._SSL, "ssl://k:1/bootstrap: SSL handshake failed (after 3ms in state CONNECT)", "KAFKA_SSL_CA_LOC"),
        (KafkaError._TRANSPORT, "might be caused by incorrect security.protocol", "KAFKA_SECURITY_PROTOCOL"),
        (KafkaError.CLUSTER_AUTHORIZATION_FAILED, "Cluster authorization failed", "the right"),
    ],
)
def test_every_cause_has_its_advice(code: int, words: str, advice: str) -> None:
    text = explain(KafkaError(code, words), KafkaConfig(brokers="k:1"))
    assert advice in text
    assert "k:1" in text
    assert "/bootstrap" not in text
    assert "in state" not in text


def test_a_missing_login_is_told_from_a_refused_one() -> None:
    error = KafkaError(KafkaError._AUTHENTICATION, "refused")
    assert "KAFKA_SASL_OAUTH_" in explain(
        error,
        KafkaConfig(
            security_protocol="SASL_SSL",
            sasl_mechanism="OAUTHBEARER",
            sasl_oauth_token_endpoint_url="https://id.example.com/token",
            sasl_oauth_client_id="tickwire",
            sasl_oauth_client_secret=SecretStr("hush-hush"),
        ),
    )
    assert "wants a log-in" in explain(error, KafkaConfig())


def test_how_often_the_library_kept_silent_makes_no_other_complaint() -> None:
    complaints, words = Complaints(KafkaConfig()), "Connect to ipv4#10.0.0.1:1 failed: Connection refused"
    ends = ["", ", 1 identical error(s) suppressed", ", 29 identical error(s) suppressed"]
    framed = [f"a:1/bootstrap: {words} (after 7ms in state CONNECT{end})" for end in ends]
    told = [complaints.new(KafkaError(KafkaError._TRANSPORT, text)) for text in framed]
    assert told == [words, None, None]
