"""The product as shipped: feed and publisher with every guarantee. ``python -m bench.product SPEC``."""

import asyncio
import json
import sys
import tempfile
from typing import Any

import uvloop

from bench.measuring import Meter, resident_mib
from tickwire.cli.allocator import give_memory_back
from tickwire.config.feed_config import FeedConfig
from tickwire.config.kafka_config import KafkaConfig
from tickwire.data_feed import WebSocketDataFeed
from tickwire.kafka.producing.publisher import Publisher

_WARM_UP = 500  # messages before measuring


async def run(spec: dict[str, Any], spill: str) -> None:
    """Read everything and wait until Kafka has acknowledged it."""
    url = f"127.0.0.1:{spec['port']}"
    top = spec["kind"].endswith("top20")
    exchange = "kraken" if spec["kind"].startswith("kraken-") else "binance"
    feed_config = FeedConfig(
        exchange=exchange,
        symbols=spec["names"],
        channels=[spec["channel"]],
        urls={f"{exchange}_ws_url": f"ws://{url}", f"{exchange}_rest_url": f"http://{url}"},
        orderbook_depth=20 if top else 25,
        orderbook_mode="snapshot" if top else "delta",
    )
    # Blocking, so that the source waits and every message is published; everything else is the default.
    kafka = KafkaConfig(
        enabled=True, brokers=spec["brokers"], when_full_ticker="block", when_full_orderbook="block", spill_dir=spill,
        linger_ms=spec.get("linger", 10), value_format=spec.get("format", "json"),
        schema_registry_url=spec.get("registry"), compression=spec.get("compression", "zstd"),
    )  # fmt: skip
    feed, meter = WebSocketDataFeed(feed=feed_config, kafka=kafka), Meter()
    running = asyncio.create_task(feed.run())
    warm = spec["count"] // 3 if spec.get("rate") else min(_WARM_UP, spec["count"] // 10)
    while (seen := _frames(feed)) < spec["first"] + warm:  # noqa: ASYNC110 - it is a counter
        await asyncio.sleep(0.005)
    meter.begin(seen)
    memory: list[float] = []  # MiB after each tenth of the frames
    while (seen := _frames(feed)) < spec["first"] + spec["count"] or not _all_acknowledged(feed):
        await asyncio.sleep(0.25 if spec.get("rate") else 0.02)  # which costs more than a quiet second
        if seen >= spec["count"] * (len(memory) + 1) // 10:
            memory.append(resident_mib())
        if running.done():
            running.result()
    accounting = {name: feed.accounting()[name] for name in ("acknowledged", "events", "frames_rejected")}
    meter.end(seen, memory=memory, **accounting)
    await feed.stop()


def _frames(feed: WebSocketDataFeed) -> int:
    return feed._tally.received  # noqa: SLF001 - an account looks at every record on its way, which would be measured too


def _all_acknowledged(feed: WebSocketDataFeed) -> bool:
    publisher = feed._publishing._publisher  # noqa: SLF001 - as above
    if not isinstance(publisher, Publisher) or publisher._link.busy:  # noqa: SLF001
        return False
    accounting = feed.accounting()
    return bool(accounting["acknowledged"] == sum(accounting["events"].values()))


if __name__ == "__main__":
    give_memory_back()
    with tempfile.TemporaryDirectory() as folder:
        uvloop.run(run(json.loads(sys.argv[1]), folder))
