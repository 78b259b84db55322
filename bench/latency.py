"""Latency from sending the frame until a consumer has the record, by one machine's monotonic clock."""

import bisect
import json
import statistics
import time
from typing import Any

from confluent_kafka import Consumer, KafkaException, TopicPartition

from bench import cells
from bench.cells import TOPICS, Work
from tickwire.broker.ports import free_ports

_SECONDS = 3
_FIRST_SEQUENCE = 400_900_217
_DEADLINE_S = 60.0


def table(bootstrap: str) -> list[str]:
    """p50, p99 and p99.9 by rates and lingers, of the product and of the bare chain right after it."""
    lines = [
        "Tickers; milliseconds from the source's `send` until a consumer's `poll` returns the record.",
        "At 10,000/s medians of three runs, else one run each.",
        "",
        "| frames/s | linger, ms | product: p50 | p99 | p99.9 | bare: p50 | p99 | p99.9 |",
        "| --- | --- | --- | --- | --- | --- | --- | --- |",
    ]
    for _ in range(2):  # a broker's first small requests are slower, because its JVM compiles meanwhile
        measure("bare", bootstrap, Work("tickers", 10_000 * _SECONDS, rate=10_000, linger=0))
    for rate, rounds in ((10_000, 3), (50_000, 1)):
        for linger in (0, 2, 10):
            work = Work("tickers", rate * _SECONDS, rate=rate, linger=linger)
            both = [[measure(cell, bootstrap, work)[0] for cell in ("product", "bare")] for _ in range(rounds)]
            runs = [[*product, *bare] for product, bare in both]
            medians = [statistics.median(column) for column in zip(*runs, strict=True)]
            lines.append(f"| {rate:,} | {linger} | " + " | ".join(f"{at:.1f}" for at in medians) + " |")
    return lines


def measure(cell: str, bootstrap: str, work: Work) -> tuple[tuple[float, float, float], dict[str, Any]]:
    """p50, p99 and p99.9 of one run in milliseconds, and the cell's own figures."""
    [port] = free_ports("127.0.0.1", 1)
    consumer = _at_the_end(bootstrap)
    source = cells.start_source(port, work)
    chain = cells.start(f"bench.{cell}", work.spec(port, bootstrap), before=lambda: cells.pin(cells.OURS))
    try:
        arrived = _read(consumer, work.count)
        measured = cells.result(chain)
        sent: list[tuple[int, int]] = json.loads(source.communicate(timeout=60)[0])["sent"]
    finally:
        consumer.close()
        for process in (source, chain):
            process.kill()
            process.wait()
    firsts = [first for first, _ in sent]
    skip = work.count // 3  # connections, topics' leaders and the interpreter's caches
    waits = sorted(
        (at - sent[bisect.bisect_right(firsts, number) - 1][1]) / 1e6
        for number, at in arrived.items()
        if number >= skip
    )
    p50, p99, p999 = (waits[min(len(waits) - 1, int(len(waits) * share))] for share in (0.5, 0.99, 0.999))
    return (p50, p99, p999), measured


def _at_the_end(bootstrap: str) -> Consumer:
    """A consumer that starts at the end."""
    consumer = Consumer(
        {"bootstrap.servers": bootstrap, "group.id": "bench", "enable.auto.commit": False, "fetch.wait.max.ms": 5}
    )
    numbers = range(cells.PARTITIONS)
    ends = [consumer.get_watermark_offsets(TopicPartition(TOPICS[0], n), timeout=30)[1] for n in numbers]
    consumer.assign([TopicPartition(TOPICS[0], n, end) for n, end in zip(numbers, ends, strict=True)])
    consumer.poll(0)
    return consumer


def _read(consumer: Consumer, count: int) -> dict[int, int]:
    """The arrival time of each frame's record, by the frame's number."""
    arrived: dict[int, int] = {}
    deadline = time.monotonic() + _DEADLINE_S
    while len(arrived) < count:
        message: Any = consumer.poll(1.0)
        if time.monotonic() > deadline:
            raise RuntimeError(f"only {len(arrived)} of {count} records came")
        if message is None:
            continue
        if message.error() is not None:
            raise KafkaException(message.error())
        value: bytes = message.value()
        start = value.index(b'"sequence":') + 11
        arrived[int(value[start : value.index(b",", start)]) - _FIRST_SEQUENCE] = time.monotonic_ns()
    return arrived
