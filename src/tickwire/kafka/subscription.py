"""What a consumer may read: real topic names, never the dead letters, and topics that exist."""

import re
from collections.abc import Sequence

from tickwire.config.kafka_config import KafkaConfig
from tickwire.errors import UsageError
from tickwire.kafka.topics import ensure_topics

# The library would take a name that begins with ^ for a pattern, which could match the dead letters.
_TOPIC = re.compile(r"[a-zA-Z0-9._-]{1,249}")


def prepare_topics(config: KafkaConfig, topics: Sequence[str]) -> None:
    """Check a subscription, and create those of our topics that are missing if KAFKA_CREATE_TOPICS allows it.

    Raises :exc:`~tickwire.errors.UsageError` for names that cannot be read, :exc:`~tickwire.errors.KafkaFailed` when no
    broker answers or a topic is missing.
    """
    if not topics:
        raise UsageError("--topics names no topic: expected names separated by commas.")
    for topic in topics:
        if not _TOPIC.fullmatch(topic):
            raise UsageError(
                f"--topics {topic!r} is no topic: expected names of the characters a-z, A-Z, 0-9, '.', '_', '-'."
            )
        if topic == config.dlq_topic:
            raise UsageError(
                f"{topic} is the dead-letter topic, and what fails there would be written there again: leave it out of "
                "--topics, and read it with `tickwire dlq inspect`."
            )
    ensure_topics(config, [*topics, *([config.dlq_topic] if config.dlq_enabled else [])])
