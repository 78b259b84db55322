"""The rate of librdkafka alone: prepared values in a plain loop, without a feed. ``python -m bench.ceiling SPEC``."""

import json
import sys
from typing import Any

from confluent_kafka import Producer

from bench.measuring import Meter

_VALUE = (
    b'{"type":"ticker","exchange":"binance","symbol":"C0000-USDT","exchange_symbol":"C0000USDT","bid":"65000.10000000","bid_size":"1.20000000",'
    b'"ask":"65000.20000000","ask_size":"0.50000000","last":null,"sequence":%d,"exchange_us":null,"received_us":1700000000000000}'
)


def run(spec: dict[str, Any]) -> None:
    """Produce and flush."""
    settings = {"bootstrap.servers": spec["brokers"], "enable.idempotence": True, "linger.ms": 10, "batch.size": 131072}
    producer = Producer(settings | {"compression.type": "zstd", "partitioner": "murmur2_random"})
    values = [_VALUE % i for i in range(spec["count"])]
    meter = Meter()
    producer.produce("ticks.v1.raw", values[0], b"binance|C0000-USDT")
    producer.flush()
    meter.begin(0)
    for i, value in enumerate(values):
        while True:
            try:
                producer.produce("ticks.v1.raw", value, b"binance|C0000-USDT", timestamp=1_700_000_000_000)
                break
            except BufferError:
                producer.poll(0.01)
        if not i & 255:
            producer.poll(0)
    producer.flush()
    meter.end(spec["count"])


if __name__ == "__main__":
    run(json.loads(sys.argv[1]))
