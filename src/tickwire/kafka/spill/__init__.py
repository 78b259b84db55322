"""The outage buffer: records that wait on disk, in order, until Kafka has acknowledged them."""

from tickwire.kafka.spill.folder import check_free
from tickwire.kafka.spill.log import SpillLog
from tickwire.kafka.spill.recovery import Recovery
from tickwire.kafka.spill.segment import SUFFIX

__all__ = ["SUFFIX", "Recovery", "SpillLog", "check_free"]
