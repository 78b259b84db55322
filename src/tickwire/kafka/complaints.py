"""A client's connection errors, each reported once: in an outage the client repeats them many times a second."""

from confluent_kafka import KafkaError

from tickwire.config.kafka_config import KafkaConfig
from tickwire.kafka.causes import said, without_secrets

_MOST = 100  # different messages that are remembered


class Complaints:
    """The messages since the client last worked."""

    def __init__(self, config: KafkaConfig) -> None:
        self._config = config
        self._heard: set[str] = set()
        self.last = ""

    def new(self, error: KafkaError) -> str | None:
        """The message without secrets, or None if it came before."""
        words = without_secrets(said(error), self._config)
        self.last = words
        if words in self._heard or len(self._heard) >= _MOST:
            return None
        self._heard.add(words)
        return words

    def clear(self) -> None:
        """Forget all messages, because the client works again."""
        self._heard.clear()
        self.last = ""
