#!/usr/bin/env bash
# unicorn-binance-local-depth-cache 2.14.0 (Python): it keeps the thousand best prices in the order of their text, so far
# levels push the near ones out of the book.
#
# Expected: "Remove orphaned elements", as its own words for the step are, drops the worst prices. A snapshot has 1,000 levels
# a side here and Binance sends changes of the whole book, so every new level makes it drop one.
# Seen: prices are compared as the text that Binance sends, in which "99999.00000000" is more than "105000.00000000". Bitcoin at
# 105,000, a snapshot of 1,000 bids, then bids below 100,000 as they come: each takes the place of one above, and after the
# thousandth the best bid is 99,999. From then on changes at 105,000 are thrown away as they come. No number was missing, and the
# cache says that it is synchronized. Asks do the same where they have a digit more than the market: 10,000 is less than 3,500.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet --disable-pip-version-check unicorn-binance-local-depth-cache==2.14.0 \
  unicorn-binance-rest-api==2.12.0 unicorn-binance-websocket-api==2.16.1
cd "$work"
venv/bin/python - <<'EOF'
import asyncio
import threading
from importlib.metadata import version

from unicorn_binance_local_depth_cache import BinanceLocalDepthCacheManager

print("unicorn-binance-local-depth-cache", version("unicorn-binance-local-depth-cache"))


def levels(first: int, step: int, count: int) -> list[list[str]]:
    """Give levels as Binance writes them, of prices in hundredths."""
    prices = (first + step * number for number in range(count))
    return [[f"{price // 100}.{price % 100:02}000000", "0.50000000"] for price in prices]


class Rest:
    """Answer in place of GET /api/v3/depth, after the first frame was kept."""

    asked = threading.Event()

    def get_used_weight(self) -> dict[str, int]:
        return {"weight": 1, "status_code": 200}

    def get_order_book(self, symbol: str, limit: int) -> dict[str, object]:
        self.asked.wait(60)
        return {"lastUpdateId": 1000, "bids": levels(10500000, -1, limit), "asks": levels(10500001, 1, limit)}

    def stop_manager(self) -> None:
        pass


class Stream:
    """Hand out frames in place of the connection; the second comes after the snapshot."""

    def __init__(self) -> None:
        self.changes = [levels(9999900 - 10000 * number, -100, 100) for number in range(10)]
        self.changes.append([["105000.00000000", "0.70000000"]])
        self.sent, self.seen = 0, []

    def is_stop_request(self, stream_id: str) -> bool:
        if self.sent > 2:
            self.seen.append([manager.get_bids("btcusdt", limit_count=1), manager.is_depth_cache_synchronized("btcusdt")])
        return self.sent == len(self.changes) + 2

    async def get_stream_data_from_asyncio_queue(self, stream_id: str) -> dict[str, object]:
        if self.sent == 1:
            Rest.asked.set()
        while self.sent == 1 and manager.depth_caches["btcusdt"]["last_update_id"] is None:
            await asyncio.sleep(0.01)
        number, self.sent = self.sent, self.sent + 1
        bids = self.changes[number - 2] if number > 1 else []
        change = {"e": "depthUpdate", "s": "BTCUSDT", "U": 1000 + number, "u": 1000 + number, "b": bids, "a": []}
        return {"stream": "btcusdt@depth", "data": change}

    def __getattr__(self, name: str) -> object:
        return lambda **rest: None


with BinanceLocalDepthCacheManager(ubra_manager=Rest(), warn_on_update=False) as manager:
    connections, stream = manager.ubwa, Stream()
    try:
        manager.ubwa = stream
        manager._add_depthcache(market="btcusdt")
        asyncio.run(manager._manage_depth_cache_async(stream_id="one"))
    finally:
        manager.ubwa = connections
print("best bid and whether it is synchronized, after each 100 bids below 100,000 and after a change of the bid at 105,000:")
print(*stream.seen, sep="\n")
assert stream.seen[:9] == [[[[105000.0, 0.5]], True]] * 9, stream.seen
assert stream.seen[9:] == [[[[99999.0, 0.5]], True]] * 2, stream.seen
EOF
