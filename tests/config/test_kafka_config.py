"""What KafkaConfig accepts, alone and together."""

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr, ValidationError

from tickwire.config.kafka_config import KafkaConfig
from tickwire.errors import InvalidSetting, SettingsError

CANARY = "canary-5e1f"
SPECIFIED = {
    "enabled": False,
    "brokers": "localhost:9092",
    "client_id": "bot-v6",
    "security_protocol": None,
    "sasl_mechanism": None,
    "sasl_username": None,
    "sasl_password": None,
    "ticker_topic": "ticks.v1.raw",
    "orderbook_topic": "orderbook.v1.raw",
    "trades_topic": "trades.v1.raw",
    "value_format": "json",
    "compression": "zstd",
    "linger_ms": 10,
    "batch_size": 131072,
    "queue_max_messages": 100_000,
    "queue_max_bytes": 67_108_864,
    "when_full_ticker": "conflate",
    "when_full_orderbook": "spill",
    "when_full_trades": "spill",
    "max_block_ms": 30_000,
    "spill_max_bytes": 4 * 1024**3,
    "spill_fsync_ms": 500,
    "shutdown_seconds": 10.0,
    "metrics_enabled": False,
    "metrics_port": 8000,
    "dlq_enabled": False,
    "dlq_topic": "events.v1.dlq",
    "metrics_host": "127.0.0.1",
    "group_id": "tickwire",
    "topic_partitions": 6,
    "topic_replication": -1,
    "create_topics": True,
    "consumer_concurrency": 1,
    "max_attempts": 10,
    "on_offset_lost": "stop",
    "group_protocol": "classic",
    "dlq_max_ratio": 0.2,
    "dlq_max_consecutive": 100,
}
LOGIN: dict[str, Any] = {"sasl_username": "u", "sasl_password": SecretStr(CANARY)}
OAUTH: dict[str, Any] = {
    "sasl_oauth_token_endpoint_url": "https://login.example/token",
    "sasl_oauth_client_id": "id",
    "sasl_oauth_client_secret": SecretStr(CANARY),
}
PLAIN: dict[str, Any] = {"security_protocol": "SASL_SSL", "sasl_mechanism": "PLAIN"}
BEARER: dict[str, Any] = {"security_protocol": "SASL_SSL", "sasl_mechanism": "OAUTHBEARER"}


def refusal(**values: Any) -> str:
    with pytest.raises(SettingsError) as caught:
        KafkaConfig(**values)
    return str(caught.value)


def test_the_defaults_are_those_of_the_specification() -> None:
    config = KafkaConfig()
    assert {name: getattr(config, name) for name in SPECIFIED} == SPECIFIED
    others = KafkaConfig.model_fields.keys() - SPECIFIED.keys()
    assert {name for name in others if getattr(config, name) is not None} == set()
    assert config.topics == ("ticks.v1.raw", "orderbook.v1.raw", "trades.v1.raw")


def test_a_direct_call_does_not_read_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KAFKA_BROKERS", "elsewhere:1")
    assert KafkaConfig().brokers == "localhost:9092"


def test_settings_cannot_be_changed_later() -> None:
    with pytest.raises(ValidationError):
        KafkaConfig().brokers = "other:1"  # type: ignore[misc]


@pytest.mark.parametrize("brokers", ["a:1", "a:1,b:65535", "[::1]:9092", "10.0.0.1:9092", "my_host.local:9092"])
def test_broker_lists_are_accepted(brokers: str) -> None:
    assert KafkaConfig(brokers=brokers).brokers == brokers


def test_blanks_around_brokers_are_removed() -> None:
    assert KafkaConfig(brokers=" a:1 , b:2 ").brokers == "a:1,b:2"


@pytest.mark.parametrize(
    "brokers",
    ["", " ", "a", "a:", ":1", "a:0", "a:65536", "a:1,", "a:1,,b:2", "::1:9092", "[::1", "[x]:1", "a b:1", "tcp://a:1"],
)
def test_wrong_broker_lists_are_refused(brokers: str) -> None:
    assert "KAFKA_BROKERS" in refusal(brokers=brokers)


@given(st.lists(st.tuples(st.from_regex(r"[a-z0-9.-]{1,20}", fullmatch=True), st.integers()), min_size=1, max_size=4))
def test_every_port_from_1_to_65535_is_accepted_and_no_other(brokers: list[tuple[str, int]]) -> None:
    text = ",".join(f"{host}:{port}" for host, port in brokers)
    if all(1 <= port <= 65535 for _, port in brokers):
        assert KafkaConfig(brokers=text).brokers == text
    else:
        assert "KAFKA_BROKERS" in refusal(brokers=text)


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("enabled", "maybe", "a valid boolean"),
        ("client_id", "", "at least one character"),
        ("compression", "brotli", "none, gzip, snappy, lz4 or zstd"),
        ("linger_ms", "soon", "a valid integer"),
        ("linger_ms", "1.5", "a valid integer"),
        ("linger_ms", -1, "greater than or equal to 0"),
        ("batch_size", 0, "greater than or equal to 1"),
        ("topic_partitions", 0, "greater than or equal to 1"),
        ("topic_replication", -2, "greater than or equal to -1"),
        ("metrics_port", 0, "greater than or equal to 1"),
        ("metrics_port", 65536, "less than or equal to 65535"),
        ("security_protocol", "TLS", "PLAINTEXT, SSL, SASL_PLAINTEXT or SASL_SSL"),
        ("ssl_ca_location", "/nowhere/ca.pem", "the path of an existing file"),
    ],
)
def test_a_wrong_value_is_refused_by_variable_value_and_expectation(name: str, value: Any, expected: str) -> None:
    with pytest.raises(InvalidSetting) as caught:
        KafkaConfig(**{name: value})
    assert caught.value.variable == f"KAFKA_{name.upper()}"
    assert str(value) in caught.value.value
    assert caught.value.expected == expected
    assert caught.value.exit_code == 2


def test_a_replication_of_zero_is_refused() -> None:
    assert "KAFKA_TOPIC_REPLICATION" in refusal(topic_replication=0)


def test_an_unknown_argument_is_refused_by_name() -> None:
    assert "KAFKA_BROKER:" in refusal(broker="a:1")


def test_names_of_protocols_may_be_written_small_and_compression_large() -> None:
    small: dict[str, Any] = {"security_protocol": "sasl_ssl", "sasl_mechanism": "plain", "compression": "LZ4"}
    config = KafkaConfig(**small, **LOGIN)
    assert (config.security_protocol, config.sasl_mechanism, config.compression) == ("SASL_SSL", "PLAIN", "lz4")


@pytest.mark.parametrize("topic", ["", ".", "..", "a b", "a/b", "ü", "x" * 250, "a\n"])
def test_names_that_kafka_refuses_are_refused(topic: str) -> None:
    assert "KAFKA_TICKER_TOPIC" in refusal(ticker_topic=topic)


@pytest.mark.parametrize("topic", ["__consumer_offsets", "__x", "_schemas"])
@pytest.mark.parametrize("name", ["ticker_topic", "orderbook_topic", "trades_topic", "dlq_topic"])
def test_a_topic_of_kafka_itself_is_none_of_ours(name: str, topic: str) -> None:
    assert "Kafka's own" in refusal(**{name: topic})


@pytest.mark.parametrize(
    ("protocol", "brokers", "mechanism", "secret"),
    [
        ("SASL_PLAINTEXT", "kafka-1:9092,127.0.0.1:9092", PLAIN, "kafka-1:9092"),
        ("SASL_PLAINTEXT", "localhost:9092,[::1]:9092", PLAIN, None),
        ("SASL_SSL", "kafka-1:9092", PLAIN, None),
        ("SASL_PLAINTEXT", "kafka-1:9092", {"sasl_mechanism": "SCRAM-SHA-512"}, None),
    ],
)
def test_a_password_that_goes_out_without_encryption_is_named(
    protocol: Any, brokers: str, mechanism: Any, secret: str | None
) -> None:
    config = KafkaConfig(**{**LOGIN, **mechanism, "security_protocol": protocol, "brokers": brokers})
    named = [text for text in config.unencrypted_secrets if f"to {secret} without" in text]
    assert (len(named), len(config.unencrypted_secrets)) == ((1, 1) if secret else (0, 0))
    assert CANARY not in str(config.unencrypted_secrets)


@pytest.mark.parametrize(
    ("url", "count"),
    [("http://login.example/token", 1), ("https://login.example/token", 0), ("http://127.0.0.1:1/token", 0)],
)
def test_a_client_secret_that_goes_out_without_encryption_is_named(url: str, count: int) -> None:
    values = {**BEARER, **OAUTH, "sasl_oauth_token_endpoint_url": url}
    assert len(KafkaConfig(**values).unencrypted_secrets) == count


REGISTRY: dict[str, Any] = {"schema_registry_url": "https://registry:8081"}


@pytest.mark.parametrize("name", ["value_format", "ticker_format", "orderbook_format", "trades_format"])
def test_a_format_with_schemas_needs_a_registry(name: str) -> None:
    sentence = refusal(**{name: "Avro"})
    assert f"KAFKA_{name}".upper() in sentence
    assert "KAFKA_SCHEMA_REGISTRY_URL" in sentence
    assert getattr(KafkaConfig(**REGISTRY | {name: " Avro "}), name) == "avro"
    plain: dict[str, Any] = {name: "json"}
    assert getattr(KafkaConfig(**plain), name) == "json"


@pytest.mark.parametrize(
    ("values", "named"),
    [
        ({"schema_registry_token": "t"}, "KAFKA_SCHEMA_REGISTRY_URL"),
        (REGISTRY | {"schema_registry_username": "u"}, "KAFKA_SCHEMA_REGISTRY_PASSWORD"),
        (REGISTRY | {"schema_registry_password": "p"}, "KAFKA_SCHEMA_REGISTRY_USERNAME"),
        (REGISTRY | {"schema_registry_certificate": __file__}, "KAFKA_SCHEMA_REGISTRY_KEY"),
        (
            REGISTRY | {"schema_registry_username": "u", "schema_registry_password": "p", "schema_registry_token": "t"},
            "KAFKA_SCHEMA_REGISTRY_TOKEN",
        ),
        ({"schema_registry_url": "https://user:secret@registry"}, "KAFKA_SCHEMA_REGISTRY_URL"),
        ({"schema_registry_url": "registry:8081"}, "KAFKA_SCHEMA_REGISTRY_URL"),
    ],
)
def test_settings_of_the_registry_that_do_not_fit_together_are_refused(values: dict[str, Any], named: str) -> None:
    sentence = refusal(**values)
    assert named in sentence
    assert "secret" not in sentence


def test_a_registry_that_is_reached_without_encryption_is_told() -> None:
    login: dict[str, Any] = {"schema_registry_username": "u", "schema_registry_password": "p"}
    assert KafkaConfig(schema_registry_url="http://127.0.0.1:1", **login).unencrypted_secrets == []
    assert KafkaConfig(schema_registry_url="http://registry").unencrypted_secrets == []
    (sentence,) = KafkaConfig(schema_registry_url="http://registry", **login).unencrypted_secrets
    assert "KAFKA_SCHEMA_REGISTRY_PASSWORD" in sentence


def test_the_longest_topic_name_is_accepted() -> None:
    assert KafkaConfig(ticker_topic="x" * 249).ticker_topic == "x" * 249


@pytest.mark.parametrize("name", ["ticker_topic", "dlq_topic"])
@pytest.mark.parametrize("topic", ["orderbook.v1.raw", "orderbook_v1.raw"])
def test_topics_that_kafka_takes_as_the_same_are_refused(name: str, topic: str) -> None:
    message = refusal(**{name: topic})
    assert f"KAFKA_{name.upper()}" in message
    assert "KAFKA_ORDERBOOK_TOPIC" in message


@pytest.mark.parametrize("protocol", ["SASL_PLAINTEXT", "SASL_SSL"])
@pytest.mark.parametrize("mechanism", ["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"])
def test_a_login_with_user_and_password_is_accepted(protocol: Any, mechanism: Any) -> None:
    config = KafkaConfig(security_protocol=protocol, sasl_mechanism=mechanism, **LOGIN)
    assert config.sasl_password is not None
    assert config.sasl_password.get_secret_value() == CANARY


def test_a_login_with_tokens_is_accepted_with_and_without_scope() -> None:
    values: dict[str, Any] = {"security_protocol": "SASL_SSL", "sasl_mechanism": "OAUTHBEARER", **OAUTH}
    assert KafkaConfig(**values).sasl_oauth_scope is None
    assert KafkaConfig(**values, sasl_oauth_scope="kafka").sasl_oauth_scope == "kafka"


@pytest.mark.parametrize(
    ("values", "named"),
    [
        (LOGIN, "KAFKA_SASL_USERNAME, KAFKA_SASL_PASSWORD"),
        ({"sasl_mechanism": "PLAIN"}, "KAFKA_SASL_MECHANISM"),
        ({"security_protocol": "PLAINTEXT", **LOGIN}, "PLAINTEXT"),
        ({"security_protocol": "SSL", "sasl_username": "u"}, "KAFKA_SASL_USERNAME"),
        ({"security_protocol": "SASL_SSL", **LOGIN}, "KAFKA_SASL_MECHANISM is not set"),
        ({**PLAIN}, "KAFKA_SASL_USERNAME, KAFKA_SASL_PASSWORD"),
        ({**PLAIN, "sasl_username": "u"}, "needs KAFKA_SASL_PASSWORD"),
        ({**PLAIN, **LOGIN, **OAUTH}, "KAFKA_SASL_OAUTH_CLIENT_ID"),
        ({**PLAIN, **LOGIN, "sasl_oauth_scope": "s"}, "SCOPE"),
        ({**BEARER, **LOGIN}, "KAFKA_SASL_OAUTH_CLIENT_SECRET"),
        ({**BEARER, **OAUTH, **LOGIN}, "KAFKA_SASL_USERNAME"),
        ({"security_protocol": "SSL", "ssl_key_location": "k.pem"}, "KAFKA_SSL_CERTIFICATE_LOCATION"),
        ({"security_protocol": "SSL", "ssl_certificate_location": "k.pem"}, "KAFKA_SSL_KEY_LOCATION"),
        ({"security_protocol": "SSL", "ssl_key_password": CANARY}, "KAFKA_SSL_KEY_PASSWORD"),
        ({"ssl_ca_location": "k.pem"}, "KAFKA_SSL_CA_LOCATION"),
        ({**PLAIN, "security_protocol": "SASL_PLAINTEXT", **LOGIN, "ssl_ca_location": "k.pem"}, "SSL_CA"),
    ],
)
def test_settings_that_do_not_fit_together_are_refused_by_name(values: Any, named: str, no_settings: Path) -> None:
    (no_settings / "k.pem").touch()
    message = refusal(**values)
    assert named in message
    assert CANARY not in message


def test_a_client_certificate_is_accepted(no_settings: Path) -> None:
    pem = no_settings / "client.pem"
    pem.touch()
    config = KafkaConfig(
        security_protocol="SSL", ssl_ca_location=no_settings, ssl_certificate_location=pem, ssl_key_location=pem
    )
    assert config.ssl_key_location == pem


@pytest.mark.parametrize(
    "url", ["ftp://a/", "https://", "login.example", "https://a:99999/", "https://u:canary-5e1f@a/"]
)
def test_a_wrong_token_endpoint_is_refused_without_its_password(url: str) -> None:
    message = refusal(**{**OAUTH, "sasl_oauth_token_endpoint_url": url})
    assert "KAFKA_SASL_OAUTH_TOKEN_ENDPOINT_URL" in message
    assert CANARY not in message


@pytest.mark.parametrize("name", KafkaConfig.secrets())
@pytest.mark.parametrize("value", ["", 5, [CANARY], {"x": CANARY}])
def test_a_secret_of_a_wrong_type_is_refused_without_showing_it(name: str, value: object) -> None:
    message = refusal(**{name: value})
    assert f"KAFKA_{name.upper()}" in message
    assert CANARY not in message


def test_secrets_are_in_no_text_made_of_the_settings() -> None:
    config = KafkaConfig(security_protocol="SASL_SSL", sasl_mechanism="PLAIN", **LOGIN)
    assert CANARY not in f"{config} {config!r} {config.model_dump()} {config.model_dump_json()}"
