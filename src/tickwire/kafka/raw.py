"""Sends one record exactly as given, for checks of an installation."""

from confluent_kafka import KafkaError, KafkaException, Message, Producer

from tickwire.config.kafka_config import KafkaConfig
from tickwire.errors import KafkaFailed
from tickwire.kafka.clients import producer_config, said


def send_raw(config: KafkaConfig, topic: str, key: bytes, value: bytes, seconds: float = 20.0) -> None:
    """Send one record and wait for its acknowledgement. Raises :exc:`~tickwire.errors.KafkaFailed`."""
    reports: list[KafkaError | None] = []

    def reported(error: KafkaError | None, _message: Message) -> None:
        reports.append(error)

    try:
        producer = Producer(producer_config(config))
        producer.produce(topic, value, key, on_delivery=reported)
        producer.flush(seconds)
    except KafkaException as e:
        raise KafkaFailed(f"Kafka refused a record for {topic} ({said(e)}): see `tickwire check`.") from e
    if not reports or reports[0] is not None:
        cause = said(reports[0]) if reports and reports[0] is not None else f"no answer within {seconds:g} s"
        raise KafkaFailed(f"A record for {topic} was not acknowledged ({cause}): see `tickwire check`.")
