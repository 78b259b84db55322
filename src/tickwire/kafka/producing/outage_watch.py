"""Logs outages: when one begins, how much waits, when it is over."""

import logging
from datetime import UTC, datetime

from confluent_kafka import KafkaError

from tickwire import metrics
from tickwire.config.kafka_config import KafkaConfig
from tickwire.kafka.causes import no_token, nobody_answers
from tickwire.kafka.codes import ALL_DOWN, NO_ANSWER
from tickwire.kafka.complaints import Complaints, Unsaid
from tickwire.kafka.producing.outage_buffer import OutageBuffer

logger = logging.getLogger(__name__)

_EVERY_S = 10.0
_UNCLEAR_S = 1.0  # the same, with no complaint of the client's
_SILENT_S = 5.0  # without an acknowledgement although records wait


class OutageWatch:
    """Logs one line when Kafka stops acknowledging, one every ten seconds after that, and one when it is back.

    Time before :meth:`begin` does not count, however long a start takes.
    """

    def __init__(self, config: KafkaConfig, buffer: OutageBuffer) -> None:
        self._buffer = buffer
        self._complaints = Complaints(config)
        self._unsaid = Unsaid(lambda: no_token(config, NO_ANSWER, slow=False) or nobody_answers(config), self.heard)
        self._all_down = False
        self._acknowledged = 0
        self._progress_at = 0.0
        self._since: datetime | None = None
        self._next_line = 0.0

    def begin(self, now: float) -> None:
        """Start measuring at *now*, before the first record."""
        self._progress_at = now

    def heard(self, error: KafkaError) -> None:
        """Log the client's connection errors, each once until Kafka is back; the client recovers by itself."""
        if error.code() == ALL_DOWN:
            self._all_down = True
        elif words := self._complaints.new(error):
            logger.warning("publisher.trouble code=%s error=%r", error.name(), words)

    @property
    def cause(self) -> str:
        """The latest trouble since Kafka acknowledged something; empty if none was heard of."""
        return self._complaints.last

    @property
    def outage(self) -> bool:
        """Whether Kafka does not acknowledge."""
        return self._since is not None

    @property
    def unsafe(self) -> bool:
        """Whether Kafka does not acknowledge, or has not acknowledged yet what waited for that."""
        return self.outage or self._buffer.catching_up

    def look(self, now: float, acknowledged: int, in_memory: int) -> bool:
        """Note the totals *acknowledged* so far and waiting *in_memory* only; return True when an outage begins."""
        waiting = in_memory + self._buffer.records
        if acknowledged > self._acknowledged or not waiting:
            if acknowledged > self._acknowledged:
                self._complaints.clear()
                self._all_down = False
            self._acknowledged, self._progress_at = acknowledged, now
            if self._since is not None:
                logger.info("publisher.recovered since=%s waiting=%d", self._since.isoformat(), waiting)
                self._since = None
                self._buffer.back()
            metrics.OUTAGE.set(0)
            return False
        silent = now - self._progress_at
        if silent >= _UNCLEAR_S and not self.cause:
            self._unsaid.ask()
        if begins := self._since is None and (silent >= _SILENT_S or self._all_down):
            self._since = datetime.fromtimestamp(datetime.now(UTC).timestamp() - silent, UTC)
            self._next_line = now
        metrics.OUTAGE.set(0 if self._since is None else max(1, silent))
        if self._since is not None and now >= self._next_line:
            self._next_line = now + _EVERY_S
            logger.warning(
                "publisher.outage since=%s in_memory=%d spilled=%d room_bytes=%d cause=%r",
                self._since.isoformat(timespec="seconds"),
                in_memory,
                self._buffer.records,
                self._buffer.room,
                self.cause or "none told yet: see the lines before",
            )
        return begins
