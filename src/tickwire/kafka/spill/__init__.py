"""The outage buffer: records that wait on disk, in order, until Kafka has acknowledged them."""

from tickwire.kafka.spill.log import SpillLog
from tickwire.kafka.spill.recovery import Recovery

__all__ = ["Recovery", "SpillLog"]
