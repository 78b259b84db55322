"""What a client says about its connections, once each: it says the same many times a second while it is in trouble."""

from confluent_kafka import KafkaError

from tickwire.config.kafka_config import KafkaConfig
from tickwire.kafka.causes import said, without_secrets

_MOST = 100  # different ones that are remembered


class Complaints:
    """Those since the client was last well."""

    def __init__(self, config: KafkaConfig) -> None:
        self._config = config
        self._heard: set[str] = set()
        self.last = ""

    def new(self, error: KafkaError) -> str | None:
        """The words, without secrets, where they were not heard yet."""
        words = without_secrets(said(error), self._config)
        self.last = words
        if words in self._heard or len(self._heard) >= _MOST:
            return None
        self._heard.add(words)
        return words

    def clear(self) -> None:
        """All is well again."""
        self._heard.clear()
        self.last = ""
