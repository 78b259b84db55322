"""What a consumer may read: real topic names, never the dead letters, and topics that exist."""

import re
from collections.abc import Sequence

from tickwire.config.kafka_config import KafkaConfig
from tickwire.errors import UsageError
from tickwire.kafka.admin.rights import consuming, require
from tickwire.kafka.admin.topics import Topics
from tickwire.kafka.codes import gone

# The library would take a name that begins with ^ for a pattern, which could match the dead letters.
_TOPIC = re.compile(r"[a-zA-Z0-9._-]{1,249}")
_OUR_HEADERS = 65_536  # bytes that a dead letter may have more than the record that it was
_BROKER_DEFAULT = 1_048_588  # max.message.bytes, https://kafka.apache.org/documentation/#topicconfigs


def prepare_topics(config: KafkaConfig, topics: Sequence[str], group: str) -> None:
    """Check a subscription, and create those of our topics that are missing if KAFKA_CREATE_TOPICS allows it.

    A topic that is not in *config* is never created: its name is more likely misspelt.
    Raises :exc:`~tickwire.errors.UsageError` for names that cannot be read, :exc:`~tickwire.errors.KafkaFailed` when no
    broker answers, a topic is missing, or this user lacks a right.
    """
    if not topics:
        raise UsageError("--topics names no topic: expected names separated by commas.")
    for topic in topics:
        if not _TOPIC.fullmatch(topic):
            raise UsageError(
                f"--topics {topic!r} is no topic: expected names of the characters a-z, A-Z, 0-9, '.', '_' and '-'."
            )
        if topic == config.dlq_topic:
            raise UsageError(
                f"{topic} is the dead-letter topic, and what fails there would be written there again: leave it out of "
                "--topics, and read it with `tickwire dlq inspect`."
            )
    admin = Topics(config)
    there = admin.view().topics
    for topic in topics:
        if topic not in there and topic not in config.topics:
            raise gone(topic)
    admin.ensure(topics)
    if config.dlq_enabled:
        admin.ensure([config.dlq_topic], lambda: _dead_letter_settings(admin, topics))
    require(admin.cluster, config, consuming(config, topics, group))


def _dead_letter_settings(admin: Topics, sources: Sequence[str]) -> dict[str, str]:
    """Room for our headers beside the largest record, kept twice as long as the sources."""
    details = [admin.describe(source) for source in sources]
    largest = max(source.largest_message or _BROKER_DEFAULT for source in details)
    settings = {"max.message.bytes": str(largest + _OUR_HEADERS), "cleanup.policy": "delete"}
    retentions = [source.retention_ms for source in details if source.retention_ms is not None]
    if retentions:
        settings["retention.ms"] = str(-1 if min(retentions) < 0 else 2 * max(retentions))
    return settings
