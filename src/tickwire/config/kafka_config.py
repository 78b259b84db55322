"""Every ``KAFKA_*`` setting: default, meaning, and checks of combinations."""

import re
from collections.abc import Collection
from ipaddress import IPv6Address
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, BeforeValidator, Field, SecretStr, model_validator
from pydantic_settings import SettingsConfigDict

from tickwire.config.addresses import is_loopback
from tickwire.config.base import lower
from tickwire.config.security import ExistingPath, SecuritySettings, check_sasl, check_tls, http_url, variables
from tickwire.errors import SettingsError

LEAST_QUEUE_BYTES = 1_048_576  # the largest record that topics take by default must fit in
_BROKER = re.compile(r"(?:\[(?P<ipv6>[^\]]*)\]|[A-Za-z0-9._-]+):(?P<port>[0-9]{1,5})")
_TOPIC = re.compile(r"[a-zA-Z0-9._-]{1,249}")  # org.apache.kafka.common.internals.Topic


def _joined(value: object) -> object:
    """Accept a list too, which files may have."""
    several = isinstance(value, (list, tuple)) and all(isinstance(part, str) for part in value)
    return ",".join(value) if several else value  # type: ignore[arg-type]


def _brokers(text: str) -> str:
    brokers = [part.strip() for part in text.split(",")]
    if not all(map(_is_broker, brokers)):
        raise ValueError("a comma-separated list of host:port (an IPv6 address in brackets, a port from 1 to 65535)")
    return ",".join(brokers)


def _is_broker(text: str) -> bool:
    match = _BROKER.fullmatch(text)
    if match is None or not 1 <= int(match["port"]) <= 65535:
        return False
    if match["ipv6"] is None:
        return True
    try:
        IPv6Address(match["ipv6"])
    except ValueError:
        return False
    return True


def foreign_topic(name: str) -> bool:
    """Whether a topic is Kafka's own (``__consumer_offsets``, ``__transaction_state``, ...) or the schema registry's.

    Writing to, deleting or purging one would destroy data of others.
    """
    return name.startswith("__") or name == "_schemas"


def _topic(text: str) -> str:
    if not _TOPIC.fullmatch(text) or text in {".", ".."}:
        raise ValueError("a topic name: 1 to 249 of the characters a-z, A-Z, 0-9, '.', '_' and '-'")
    if foreign_topic(text):
        raise ValueError(
            "a topic of ours: names that begin with '__' are Kafka's own, _schemas is the schema registry's"
        )
    return text


Topic = Annotated[str, AfterValidator(_topic)]
ValueFormatName = Literal["json", "avro", "protobuf"]
GroupProtocol = Literal["classic", "consumer"]
OnOffsetLost = Literal["stop", "earliest"]
Compression = Literal["none", "gzip", "snappy", "lz4", "zstd"]
WhenFullTicker = Literal["conflate", "block", "drop"]
WhenFullOrderBook = Literal["spill", "block", "invalidate"]
WhenFullTrades = Literal["spill", "block", "drop"]


class KafkaConfig(SecuritySettings):
    """How to reach Kafka and what to write where. Arguments and defaults only; `load_kafka` reads the environment.

    Raises SettingsError for invalid values and combinations.
    """

    model_config = SettingsConfigDict(env_prefix="KAFKA_")

    enabled: bool = Field(
        False,
        description="Whether feeds publish to Kafka. Commands whose only purpose is Kafka run if this is not set, but "
        "not if it is false.",
    )
    brokers: Annotated[str, BeforeValidator(_joined), AfterValidator(_brokers)] = Field(
        "localhost:9092", description="Brokers to contact first: host:port, comma-separated, IPv6 in brackets."
    )
    client_id: str = Field(
        "bot-v6",
        min_length=1,
        description="Name of the producer in the brokers' logs and quotas; consumers add -tickwire-consumer to it, "
        "admin clients -tickwire-admin.",
    )
    group_id: str = Field("tickwire", min_length=1, description="Consumer group.")
    group_instance_id: str | None = Field(
        None,
        min_length=1,
        description="Fixed name of this consumer in its group, so that it keeps its partitions over a restart.",
    )
    group_protocol: Annotated[GroupProtocol, BeforeValidator(lower)] = Field(
        "classic", description="classic, or consumer (KIP-848), which needs Kafka 4.0."
    )

    ticker_topic: Topic = Field("ticks.v1.raw", description="Topic of tickers.")
    orderbook_topic: Topic = Field("orderbook.v1.raw", description="Topic of order books.")
    trades_topic: Topic = Field("trades.v1.raw", description="Topic of trades.")
    value_format: Annotated[ValueFormatName, BeforeValidator(lower)] = Field(
        "json", description="Format of values: json, avro or protobuf; the last two need a schema registry."
    )
    ticker_format: Annotated[ValueFormatName | None, BeforeValidator(lower)] = Field(
        None, description="Format of tickers; unset means `KAFKA_VALUE_FORMAT`."
    )
    orderbook_format: Annotated[ValueFormatName | None, BeforeValidator(lower)] = Field(
        None, description="Format of order books; unset means `KAFKA_VALUE_FORMAT`."
    )
    trades_format: Annotated[ValueFormatName | None, BeforeValidator(lower)] = Field(
        None, description="Format of trades; unset means `KAFKA_VALUE_FORMAT`."
    )
    schema_registry_url: Annotated[str, AfterValidator(http_url)] | None = Field(
        None, description="Address of the schema registry (Confluent's API), including its path."
    )
    schema_registry_username: str | None = Field(None, min_length=1, description="User at the schema registry.")
    schema_registry_password: SecretStr | None = Field(
        None, min_length=1, description="Password at the schema registry."
    )
    schema_registry_token: SecretStr | None = Field(
        None, min_length=1, description="Bearer token for the schema registry, instead of user and password."
    )
    schema_registry_ca: ExistingPath | None = Field(
        None, description="File of the certificates to trust at the schema registry (PEM); unset means the system's."
    )
    schema_registry_certificate: ExistingPath | None = Field(
        None, description="Client certificate for the schema registry (PEM file)."
    )
    schema_registry_key: ExistingPath | None = Field(
        None, description="Key of the client certificate for the schema registry (PEM file)."
    )
    create_topics: bool = Field(
        True, description="Create missing topics of ours at start; false makes a missing topic an error."
    )
    topic_partitions: int = Field(6, ge=1, description="Partitions of a topic we create.")
    topic_replication: int = Field(
        -1, ge=-1, le=32767, description="Replicas of each partition of a topic we create; -1 is the broker's default."
    )
    compression: Annotated[Compression, BeforeValidator(lower)] = Field(
        "zstd", description="none, gzip, snappy, lz4 or zstd."
    )
    linger_ms: int = Field(10, ge=0, le=900_000, description="Milliseconds to wait for more records in a batch.")
    batch_size: int = Field(131_072, ge=1, le=2_147_483_647, description="Largest batch, in bytes.")
    queue_max_messages: int = Field(
        100_000, ge=1, le=2_147_483_647, description="Records that may wait in the producer's queue."
    )
    queue_max_bytes: int = Field(
        67_108_864,
        ge=LEAST_QUEUE_BYTES,
        le=2_147_483_647,
        description="Bytes that may wait in the producer's queue; at least 1048576, and so must each worker's share "
        "be.",
    )
    when_full_ticker: Annotated[WhenFullTicker, BeforeValidator(lower)] = Field(
        "conflate",
        description="While the queue is full: conflate keeps only the newest ticker of each symbol, block stops "
        "reading, drop drops.",
    )
    when_full_orderbook: Annotated[WhenFullOrderBook, BeforeValidator(lower)] = Field(
        "spill",
        description="While the queue is full: spill writes to disk, block stops reading, invalidate declares the book "
        "invalid until there is room.",
    )
    when_full_trades: Annotated[WhenFullTrades, BeforeValidator(lower)] = Field(
        "spill", description="While the queue is full: spill writes to disk, block stops reading, drop drops."
    )
    max_block_ms: int = Field(
        30_000,
        ge=0,
        le=3_600_000,
        description="Milliseconds for which block stops reading at most; then tickers and trades are dropped and "
        "books invalidated.",
    )
    spill_dir: Path | None = Field(
        None,
        description="Folder for records that wait on disk for Kafka; unset means tickwire/spill in the user's state "
        "folder.",
    )
    spill_max_bytes: int = Field(4 << 30, ge=65_536, description="Bytes that may wait on disk.")
    spill_fsync_ms: int = Field(
        500, ge=0, le=60_000, description="Milliseconds after which what was written is synced to the disk (fsync)."
    )
    shutdown_seconds: float = Field(
        10.0,
        ge=0,
        le=3600,
        description="Seconds at the end for Kafka to take what is left; the rest is written to disk.",
    )

    consumer_concurrency: int = Field(
        1, ge=1, le=256, description="Threads that handle records; records of one partition stay in order."
    )
    max_attempts: int = Field(
        10, ge=1, le=1000, description="Attempts at a record whose handler fails with an error that may be temporary."
    )
    on_offset_lost: Annotated[OnOffsetLost, BeforeValidator(lower)] = Field(
        "stop", description="If retention removed the record to be read next: stop, or go on at the earliest record."
    )

    dlq_enabled: bool = Field(
        False, description="Send records that cannot be processed to the dead-letter topic instead of stopping."
    )
    dlq_topic: Topic = Field("events.v1.dlq", description="Topic of dead letters.")
    dlq_max_ratio: float = Field(
        0.2, ge=0, le=1, description="Stop the consumer if dead letters are a larger share of the last 1,000 records."
    )
    dlq_max_consecutive: int = Field(
        100, ge=0, description="Stop the consumer if there are more dead letters in a row."
    )
    metrics_enabled: bool = Field(False, description="Serve Prometheus metrics over HTTP.")
    metrics_host: str = Field(
        "127.0.0.1", min_length=1, description="Address the metrics listen on; 0.0.0.0 opens them to the network."
    )
    metrics_port: int = Field(8000, ge=1, le=65535, description="Port of the metrics.")

    @classmethod
    def lists(cls) -> Collection[str]:
        """Add the brokers, which are stored as comma-separated text for the client library."""
        return [*super().lists(), "brokers"]

    @property
    def topics(self) -> tuple[str, ...]:
        """The topics of market data."""
        return tuple(getattr(self, name) for name in _topic_settings() if name != "dlq_topic")

    @property
    def unencrypted_secrets(self) -> list[str]:
        """The secrets that are sent over the network without encryption, a sentence each."""
        found = []
        url = self.sasl_oauth_token_endpoint_url
        if url is not None and url.startswith("http:") and not is_loopback(url):
            found.append(
                f"KAFKA_SASL_OAUTH_CLIENT_SECRET goes to {url} without encryption, so anyone on the way can read it: "
                "take an https:// address."
            )
        registry = self.schema_registry_url
        if registry is not None and registry.startswith("http:") and not is_loopback(registry):
            secrets = variables(self, ("schema_registry_password", "schema_registry_token"), given=True)
            if secrets:
                found.append(
                    f"{secrets} goes to {registry} without encryption, so anyone on the way can read it: "
                    "take an https:// address."
                )
        if self.security_protocol == "SASL_PLAINTEXT" and self.sasl_mechanism in {"PLAIN", "OAUTHBEARER"}:
            far = [broker for broker in self.brokers.split(",") if not is_loopback(f"//{broker}")]
            if far:
                what = "KAFKA_SASL_PASSWORD goes" if self.sasl_mechanism == "PLAIN" else "OAUTHBEARER tokens go"
                found.append(
                    f"{what} to {', '.join(far)} without encryption, so anyone on the way can read it: "
                    "set KAFKA_SECURITY_PROTOCOL=SASL_SSL, or log in with SCRAM-SHA-512."
                )
        return found

    @model_validator(mode="after")
    def _fit_together(self) -> Self:
        check_sasl(self)
        check_tls(self)
        _check_topics(self)
        _check_registry(self)
        if self.topic_replication == 0:
            raise SettingsError("KAFKA_TOPIC_REPLICATION should be -1 or at least 1, but is 0: set one of these.")
        return self


_REGISTRY = ("username", "password", "token", "ca", "certificate", "key")


def _check_registry(config: KafkaConfig) -> None:
    names = [name for name in KafkaConfig.model_fields if name.endswith("_format")]
    if config.schema_registry_url is None:
        for name in names:
            if (chosen := getattr(config, name)) not in {None, "json"}:
                raise SettingsError(
                    f"{config.variable(name)} is {chosen}, which needs a schema registry: "
                    "set its address with KAFKA_SCHEMA_REGISTRY_URL."
                )
        if given := variables(config, tuple(f"schema_registry_{name}" for name in _REGISTRY), given=True):
            raise SettingsError(f"{given} is set without KAFKA_SCHEMA_REGISTRY_URL: set that too or remove it.")
    for one, other in (("username", "password"), ("certificate", "key")):
        pair = f"schema_registry_{one}", f"schema_registry_{other}"
        missing, given = (variables(config, pair, given=is_given) for is_given in (False, True))
        if missing and given:
            raise SettingsError(f"{given} is set without {missing}: set both or remove it.")
    if config.schema_registry_token is not None and config.schema_registry_username is not None:
        raise SettingsError(
            "KAFKA_SCHEMA_REGISTRY_TOKEN and KAFKA_SCHEMA_REGISTRY_USERNAME are two ways to log in: remove one of them."
        )


def _topic_settings() -> list[str]:
    return [name for name in KafkaConfig.model_fields if name.endswith("_topic")]


def _check_topics(config: KafkaConfig) -> None:
    """Check that topics differ; '.' and '_' count as the same, because Kafka treats them so."""
    seen: dict[str, str] = {}
    for name in _topic_settings():
        topic = getattr(config, name)
        variable = config.variable(name)
        other = seen.setdefault(topic.replace(".", "_"), variable)
        if other != variable:
            raise SettingsError(
                f"{other} and {variable} should name different topics ('.' and '_' count as the same), "
                f"but {variable} is {topic!r}: rename one of them."
            )
