"""When to replace a producer whose log-in was refused: later each time, but soon when its credential files change."""

import logging
import time

from confluent_kafka.admin import AdminClient

from tickwire.config.kafka_config import KafkaConfig
from tickwire.errors import KafkaFailed
from tickwire.kafka.clients import admin_config, make
from tickwire.kafka.credentials import Credentials

logger = logging.getLogger(__name__)

_LONGEST_S = 60.0
_CALM_S = 60.0  # after this long with a producer, a refusal counts as the first


class Readmission:
    """librdkafka retries a log-in twice a second for ever, which locks accounts; so we end the client and wait."""

    def __init__(self, config: KafkaConfig) -> None:
        self._config = config
        self._refused = 0  # in a row
        self._unfit = ""
        self.begun()

    def begun(self) -> None:
        """Note that a producer was made."""
        self._credentials, self._begun_at = Credentials(self._config), time.monotonic()
        self.doubtful = False  # whether it cannot connect for a reason that new files may remove

    def wait(self, now: float) -> float:
        """How many seconds to wait before the next producer after a refused log-in."""
        self._refused = 1 if now - self._begun_at > _CALM_S else self._refused + 1
        return min(2.0 ** min(self._refused - 1, 10), _LONGEST_S)

    @property
    def renewed(self) -> bool:
        """Whether there are new credentials with which a producer can be made; files may change one after the other."""
        if not self._credentials.changed:
            return False
        try:
            make(AdminClient, admin_config(self._config))
        except KafkaFailed as e:
            if str(e) != self._unfit:
                self._unfit = str(e)
                logger.warning("producer.credentials_unfit error=%r", self._unfit)
            return False
        logger.warning("producer.credentials_changed")
        return True
