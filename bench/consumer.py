"""The consumer as shipped, on what another cell left in the topics. ``python -m bench.consumer SPEC``."""

import json
import sys
import time
from typing import Any

from bench.measuring import Meter
from tickwire.cli.allocator import give_memory_back
from tickwire.config.kafka_config import KafkaConfig
from tickwire.kafka.consuming.consumer import run_kafka_consumer
from tickwire.kafka.consuming.market_state import MarketState
from tickwire.kafka.consuming.positions import parse_start
from tickwire.kafka.consuming.report import ConsumerReport

_WARM_UP = 2000


class Watch:
    """Begins and ends the measurement by the counts, each time the consumer asks whether to stop."""

    def __init__(self, topic: str, count: int) -> None:
        self._topic, self._count = topic, count
        self._report: ConsumerReport | None = None
        self._meter: Meter | None = None

    def tick(self, report: ConsumerReport) -> None:
        self._report = report

    def is_done(self) -> bool:
        seen = 0 if self._report is None else self._report.processed[self._topic]
        if self._meter is None and seen >= _WARM_UP:
            self._meter = Meter()
            self._meter.begin(seen)
        if self._meter is None or seen < self._count:
            return False
        self._meter.end(seen)
        return True


def _ignore(_: Any) -> None: ...


def _decode(record: Any) -> None:
    record.event  # noqa: B018 - decodes


def main() -> None:
    """Read with a handler that does nothing, decodes, or rebuilds books."""
    spec = json.loads(sys.argv[1])
    kafka = KafkaConfig(enabled=True, brokers=spec["brokers"], schema_registry_url=spec["registry"])
    books = spec["channel"] == "orderbook"
    topic = kafka.orderbook_topic if books else kafka.ticker_topic
    watch = Watch(topic, spec["count"])
    run_kafka_consumer(
        kafka,
        topics=[topic],
        group=f"bench-{time.time_ns()}",
        start=parse_start(spec["since"]),
        handler=MarketState() if books else _decode if spec["decode"] else _ignore,
        stopping=watch.is_done,
        observer=watch,
    )


if __name__ == "__main__":
    give_memory_back()
    main()
