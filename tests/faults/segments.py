"""Who wrote a record, from the headers of batches in a broker's files.

The format of a batch, magic 2: https://kafka.apache.org/documentation/#recordbatch
"""

import struct
from bisect import bisect_right
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import NamedTuple

from faults.checker import Content, Place

# Base offset, length from the leader's epoch on, ..., last offset's difference, two times, producer's id and its epoch.
_HEADER = struct.Struct(">qi4xB4x2xi8x8xqh")
_MAGIC = 2


class Written(NamedTuple):
    """A batch: its offsets, the id that the broker gave the producer, and the epoch of that id."""

    first: int
    last: int
    producer: int
    epoch: int


def batches(segment: bytes) -> Iterator[Written]:
    """Every whole batch of a segment."""
    at = 0
    while at + _HEADER.size <= len(segment):
        first, length, magic, last, producer, epoch = _HEADER.unpack_from(segment, at)
        if magic != _MAGIC or length <= 0:
            return  # room that the broker has set aside
        yield Written(first, first + last, producer, epoch)
        at += 12 + length


class Segments:
    """The files of the topics of a cluster, whose nodes' folders are in *folder*; every node has every partition."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._partition = cache(self._read)  # once: what is judged grows no more

    def resent(self, first: Place, again: Place) -> bool:
        """Whether the client library sent a record *again* that was stored.

        When the leader of a partition changes while requests are under way, librdkafka may begin a new epoch of its
        producer's id. It then sends what was not answered once more, and the broker cannot know that it has it.
        """
        one, other = self._of(first), self._of(again)
        if one is None or other is None:
            return False
        return one.producer == other.producer >= 0 and one.epoch < other.epoch

    def resent_of(self, log: Mapping[Place, Content]) -> set[Place]:
        """Where copies of a topic's messages are that the client library sent again."""
        firsts: dict[tuple[str, Content], Place] = {}
        return {
            place
            for place, content in sorted(log.items())
            if (first := firsts.setdefault((place.topic, content), place)) is not place and self.resent(first, place)
        }

    def _of(self, place: Place) -> Written | None:
        written = self._partition(f"{place.topic}-{place.partition}")
        at = bisect_right(written, place.offset, key=lambda batch: batch.first) - 1
        return written[at] if at >= 0 and place.offset <= written[at].last else None

    def _read(self, partition: str) -> list[Written]:
        """The batches of a partition, from the node that has most of them: another one may be behind."""
        nodes = [sorted(node.glob("*.log")) for node in self._folder.glob(f"node-*/data/{partition}")]
        return max(([b for path in paths for b in batches(path.read_bytes())] for paths in nodes), key=len, default=[])
