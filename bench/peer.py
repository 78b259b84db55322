"""cryptofeed with its Kafka backend, on the same frames, passed without a socket. ``python -m bench.peer SPEC``.

Needs ``pip install .[peer]``. Its backend has a topic for each symbol, and waits for each record before the next.
"""

import asyncio
import json
import sys
import time
from decimal import Decimal
from typing import Any

from bench.frames import SNAPSHOT_ID, Feed
from bench.measuring import Meter
from bench.source import make
from bench.stages import payloads


def make_peer(feed: Feed, spec: dict[str, Any]) -> tuple[Any, Any]:
    """The exchange object and the backend for the requested data."""
    from cryptofeed.backends.kafka import BookKafka, TickerKafka  # noqa: PLC0415 - an extra
    from cryptofeed.defines import L2_BOOK, TICKER  # noqa: PLC0415
    from cryptofeed.exchanges import Binance  # noqa: PLC0415
    from cryptofeed.symbols import Symbols  # noqa: PLC0415
    from cryptofeed.types import OrderBook  # noqa: PLC0415

    known = {f"{name[:-4]}-USDT": name for name in feed.symbols}
    Symbols.set("BINANCE", known, {"instrument_type": dict.fromkeys(known, "spot")})
    to_kafka = {"bootstrap_servers": spec["brokers"]}  # everything else is the default
    top = spec["kind"] == "top20"
    if spec["kind"] == "tickers":
        channel, backend = TICKER, TickerKafka(**to_kafka)
    else:
        # Deltas without periodic snapshots, or the best twenty levels after every change.
        backend = BookKafka(snapshots_only=top, snapshot_interval=10**9, **to_kafka)
        channel = L2_BOOK
    exchange = Binance(
        symbols=list(known), channels=[channel], callbacks={channel: backend}, max_depth=20 if top else 0
    )
    for name, native in known.items() if channel == L2_BOOK else ():
        body = json.loads(feed.bodies[f"/api/v3/depth?symbol={native}"])
        sides = [{Decimal(price): Decimal(size) for price, size in body[side]} for side in ("bids", "asks")]
        exchange._l2_book[name] = OrderBook(  # noqa: SLF001 - where its own snapshot would put it
            "BINANCE", name, max_depth=20 if top else 0, bids=sides[0], asks=sides[1]
        )
        exchange.last_update_id[name] = SNAPSHOT_ID
    return exchange, backend


async def run(spec: dict[str, Any]) -> None:
    """Pass it every frame, and wait until Kafka has what it wrote."""
    kind = "deltas" if spec["kind"] == "top20" else spec["kind"]
    feed = make({"kind": kind, "count": spec["count"], "symbols": len(spec["names"])})
    exchange, backend = make_peer(feed, spec)
    backend.start(asyncio.get_running_loop())
    for payload in payloads(feed.first):
        await exchange.message_handler(payload.decode(), None, time.time())
    await backend.queue.join()
    frames, meter = [payload.decode() for payload in payloads(feed.frames)], Meter()
    meter.begin(0)
    for frame in frames:
        await exchange.message_handler(frame, None, time.time())
    await backend.queue.join()
    meter.end(len(frames))
    await backend.stop()


if __name__ == "__main__":
    asyncio.run(run(json.loads(sys.argv[1])))
