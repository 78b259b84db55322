"""A running consumer's connection errors, and credentials that are renewed in files."""

import logging

from confluent_kafka import Consumer, KafkaError

from tickwire.config.kafka_config import KafkaConfig
from tickwire.errors import KafkaFailed
from tickwire.kafka.causes import stays
from tickwire.kafka.complaints import ConsumerTroubles
from tickwire.kafka.credentials import Credentials

logger = logging.getLogger(__name__)


class Connection:
    """For one consumer, whose ``error_cb`` is :meth:`heard`; the client recovers by itself."""

    def __init__(self, config: KafkaConfig) -> None:
        self._credentials, self._troubles = Credentials(config), ConsumerTroubles(config)
        self.unsaid = self._troubles.unsaid
        self._doubtful = False
        self._consumed = 0

    def heard(self, error: KafkaError) -> None:
        """Count an error, and log it unless the same was logged since the last record."""
        self._doubtful = self._doubtful or stays(error)
        self._troubles.heard(error)

    @property
    def cause(self) -> str:
        """The latest trouble since the last record; empty if none was heard of."""
        return self._troubles.complaints.last

    def look(self, consumer: Consumer, consumed: int) -> None:
        """Give the client a renewed password after a refused log-in; growing *consumed* means that it is logged in.

        Raises :exc:`~tickwire.errors.KafkaFailed` if certificates or client secrets were renewed, which a client reads
        only when it is made.
        """
        if consumed != self._consumed:
            self._consumed, self._doubtful = consumed, False
            self._troubles.complaints.clear()
        if not self._doubtful or not self._credentials.changed:
            return
        if (login := self._credentials.login()) is not None:
            logger.warning("consumer.credentials_changed")
            consumer.set_sasl_credentials(*login)
            return
        raise KafkaFailed(
            f"Kafka does not let this consumer in any more ({self.cause}), and files of its certificates or "
            "secrets have changed: run again to use them."
        )
