"""Finds records that are too large for their topic before they are sent: a refusal costs a producer and a batch.

A topic's ``max.message.bytes``, or the broker's where it has none of its own, limits a batch as sent, that is,
compressed (https://kafka.apache.org/documentation/#topicconfigs_max.message.bytes). The compressed size is estimated
with zlib, generously for other codecs; whatever passes by mistake is refused by Kafka.
"""

import asyncio
import sys
import zlib
from collections.abc import Callable, Sequence

from confluent_kafka import KafkaError

from tickwire.config.kafka_config import KafkaConfig
from tickwire.errors import KafkaFailed
from tickwire.kafka import codes
from tickwire.kafka.admin.topics import largest_batches
from tickwire.kafka.clients import Cluster
from tickwire.records.codec import Record
from tickwire.records.formats.varints import put_varint, zigzag

_ANSWER_S = 5.0
_AGAIN_S = 5.0
# https://kafka.apache.org/documentation/#recordbatch: a batch's header; a record's attributes and two deltas of 0.
_BATCH_BYTES, _FIXED_BYTES = 61, 3
# Lower bounds of a codec's output relative to zlib's fastest level. Measured on books of 20,000 levels: gzip 0.84, zstd
# 0.87, lz4 and snappy 1.4; the margin is for values with distant repetitions.
_AT_BEST = {"gzip": 0.8, "snappy": 0.7, "lz4": 0.7, "zstd": 0.5}


class SizeLimits:
    """The limits of topics. *changed* is called with the largest value that no topic can refuse, after each query."""

    def __init__(self, config: KafkaConfig, changed: Callable[[int], None]) -> None:
        self._config, self._changed = config, changed
        self._known: dict[str, int] = {}
        self._fits: Record | None = None  # the last record that passed: it may be tried many times
        self._doubtful = asyncio.Event()

    def learn(self, limits: dict[str, int]) -> None:
        """Use these *limits*, by topic, from now on. Topics without a known limit take everything."""
        self._known, self._fits = limits, None
        self._changed(min(limits.values(), default=sys.maxsize) - _BATCH_BYTES)

    def doubt(self) -> None:
        """Note that Kafka refused a record as too large: a limit may have been changed."""
        self._doubtful.set()

    async def watch(self, topics: Sequence[str]) -> None:
        """Ask again after each doubt, until cancelled."""
        while True:
            await self._doubtful.wait()
            self._doubtful.clear()
            self.learn(await asyncio.to_thread(self._ask, topics))
            await asyncio.sleep(_AGAIN_S)

    def refusal(self, record: Record) -> KafkaError | None:
        """Why its topic cannot take a record; None if it may."""
        limit = self._known.get(record.topic)
        if limit is None or record is self._fits or self._least_bytes(record) <= limit:
            self._fits = record
            return None
        return KafkaError(codes.RECORD_TOO_LARGE, f"larger than max.message.bytes of the topic, {limit}")

    def _ask(self, topics: Sequence[str]) -> dict[str, int]:
        try:
            cluster = Cluster(self._config)
            cluster.view(_ANSWER_S)
        except KafkaFailed:  # an outage, which is logged elsewhere
            return self._known
        return largest_batches(cluster, topics, _ANSWER_S)

    def _least_bytes(self, record: Record) -> int:
        """The minimum size of a batch with only this record."""
        codec = self._config.compression
        if codec == "none":
            sizes = [len(record.key), len(record.value), len(record.headers)]
            for name, value in record.headers:
                sizes += len(name.encode()), len(value)
            body = _FIXED_BYTES + sum(map(_varint_bytes, sizes)) + sum(sizes) - len(record.headers)
            return _BATCH_BYTES + _varint_bytes(body) + body
        return _BATCH_BYTES + int(len(zlib.compress(record.value, 1)) * _AT_BEST[codec])


def _varint_bytes(number: int) -> int:
    written = bytearray()
    put_varint(written, zigzag(number))
    return len(written)
