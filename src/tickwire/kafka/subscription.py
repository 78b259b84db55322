"""What a consumer may read: real topic names, never the dead letters, and topics that exist."""

from collections.abc import Sequence

from tickwire.config.kafka_config import KafkaConfig
from tickwire.errors import UsageError
from tickwire.kafka.topics import ensure_topics


def prepare_topics(config: KafkaConfig, topics: Sequence[str]) -> None:
    """Check a subscription, and create those of our topics that are missing if KAFKA_CREATE_TOPICS allows it.

    Raises :exc:`~tickwire.errors.UsageError` for names that cannot be read, :exc:`~tickwire.errors.KafkaFailed` when no
    broker answers or a topic is missing.
    """
    for topic in topics:
        if topic == config.dlq_topic:
            raise UsageError(
                f"{topic} is the dead-letter topic, and what fails there would be written there again: leave it out of "
                "--topics, and read it with `tickwire dlq inspect`."
            )
    ensure_topics(config, [*topics, *([config.dlq_topic] if config.dlq_enabled else [])])
