"""The topic of dead letters that were replayed too often."""

from confluent_kafka import KafkaError, KafkaException
from confluent_kafka.admin import AdminClient, NewTopic  # type: ignore[attr-defined]  # exported without saying so

from tickwire.config.kafka_config import KafkaConfig
from tickwire.errors import KafkaFailed
from tickwire.kafka.admin.topics import Topics
from tickwire.kafka.clients import admin_config, said
from tickwire.kafka.dead_letters.replay.routes import quarantine_topic

_REQUEST_S = 10.0


def ensure_quarantine(config: KafkaConfig) -> None:
    """Make sure that the topic exists; a new one takes what fits into the dead letters' topic and keeps it for ever.

    Raises :exc:`~tickwire.errors.KafkaFailed`, also when it is missing and KAFKA_CREATE_TOPICS is false.
    """
    name, topics = quarantine_topic(config), Topics(config)
    if config.create_topics and name not in topics.view().topics:
        _create(config, name, topics.describe(config.dlq_topic).largest_message)
    topics.ensure([name])


def _create(config: KafkaConfig, name: str, largest: int | None) -> None:
    settings = {"cleanup.policy": "delete", "retention.ms": "-1"}
    if largest is not None:
        settings["max.message.bytes"] = str(largest)
    new = NewTopic(name, config.topic_partitions, config.topic_replication, config=settings)
    client = AdminClient(admin_config(config))  # alive until it has answered
    try:
        client.create_topics([new], request_timeout=_REQUEST_S)[name].result(_REQUEST_S + 2)
    except KafkaException as e:
        if e.args[0].code() != KafkaError.TOPIC_ALREADY_EXISTS:  # someone else was faster
            raise KafkaFailed(
                f"The quarantine topic {name} could not be created ({said(e)}): "
                f"create it with `tickwire topics --create {name}`."
            ) from e
