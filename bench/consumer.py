"""The consumer as shipped, over what another cell left in the topics. ``python -m bench.consumer SPEC``."""

import json
import sys
import time
from typing import Any

from bench.measuring import Meter
from tickwire.config.kafka_config import KafkaConfig
from tickwire.kafka.consuming.consumer import run_kafka_consumer
from tickwire.kafka.consuming.handlers import RecordHandler
from tickwire.kafka.consuming.market_state import MarketState
from tickwire.kafka.consuming.positions import parse_start

_WARM_UP = 2000


class Counting:
    """A handler that begins and ends the measurement around another one."""

    def __init__(self, handler: RecordHandler, count: int) -> None:
        self._handler, self._count, self._seen = handler, count, 0
        self.meter = Meter()

    def __call__(self, record: Any) -> object:
        self._seen += 1
        if self._seen == _WARM_UP:
            self.meter.begin(_WARM_UP)
        done = self._handler(record)
        if self._seen == self._count:
            self.meter.end(self._count)
        return done


def _ignore(_: Any) -> None: ...


def _decode(record: Any) -> None:
    record.event  # noqa: B018 - decodes


def main() -> None:
    """Read with a handler that does nothing or decodes, or with the one that rebuilds books."""
    spec = json.loads(sys.argv[1])
    kafka = KafkaConfig(enabled=True, brokers=spec["brokers"], schema_registry_url=spec["registry"])
    books = spec["channel"] == "orderbook"
    handler = Counting(MarketState() if books else _decode if spec["decode"] else _ignore, spec["count"])
    run_kafka_consumer(
        kafka,
        topics=[kafka.orderbook_topic if books else kafka.ticker_topic],
        group=f"bench-{time.time_ns()}",
        start=parse_start(spec["since"]),
        handler=handler,
        max_records=spec["count"],
    )


if __name__ == "__main__":
    main()
