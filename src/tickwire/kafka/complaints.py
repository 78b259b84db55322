"""A client's connection errors, each reported once: in an outage the client repeats them many times a second.

Some it keeps to itself: it asks a failing token endpoint again and again in silence.
"""

import logging
import threading
import time
from collections.abc import Callable

from confluent_kafka import KafkaError

from tickwire import metrics
from tickwire.config.kafka_config import KafkaConfig
from tickwire.kafka.causes import no_token, said, without_secrets
from tickwire.kafka.codes import ALL_DOWN, NO_ANSWER

logger = logging.getLogger(__name__)

_EVERY_S = 10.0
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


class Unsaid:
    """Finds the cause that a client keeps to itself, with *find*; *heard* is told it. Both are called in a thread."""

    def __init__(self, find: Callable[[], str | None], heard: Callable[[KafkaError], object]) -> None:
        self._find, self._heard = find, heard
        self._ask_at = 0.0

    def ask(self) -> None:
        """Do it unless it was done in the last ten seconds; does not wait for the answer."""
        now = time.monotonic()
        if now >= self._ask_at:
            self._ask_at = now + _EVERY_S
            threading.Thread(target=self._ask, name="tickwire-ask", daemon=True).start()

    def _ask(self) -> None:
        if why := self._find():
            self._heard(KafkaError(NO_ANSWER, why))


class ConsumerTroubles:
    """A consumer's connection errors, from which it recovers by itself; :meth:`heard` is its ``error_cb``."""

    def __init__(self, config: KafkaConfig) -> None:
        self.complaints = Complaints(config)
        self.unsaid = Unsaid(lambda: no_token(config, NO_ANSWER, slow=False), self.heard)

    def heard(self, error: KafkaError) -> None:
        """Count an error, log it unless that was done already, and find out whether there are no tokens."""
        metrics.CONSUMER_ERRORS.labels("").inc()
        if (words := self.complaints.new(error)) is not None and error.code() != ALL_DOWN:
            logger.warning("consumer.client_error code=%s error=%r", error.name(), words)
        self.unsaid.ask()
