"""The outage buffer: records that wait on disk, in order, until Kafka has acknowledged them."""

from tickwire.kafka.spill.epochs import Epochs
from tickwire.kafka.spill.folder import has_room
from tickwire.kafka.spill.home import SOURCES, Disk, Home, Work, served, settle, take
from tickwire.kafka.spill.log import SpillLog
from tickwire.kafka.spill.owner import Owner
from tickwire.kafka.spill.recovery import Recovery
from tickwire.kafka.spill.sync import Front, Sync, unusable

__all__ = [
    "SOURCES", "Disk", "Epochs", "Front", "Home", "Owner", "Recovery", "SpillLog", "Sync", "Work", "has_room", "served",
    "settle", "take", "unusable",
]  # fmt: skip
