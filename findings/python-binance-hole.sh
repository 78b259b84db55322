#!/usr/bin/env bash
# python-binance 1.0.37: DepthCacheManager fetches a new snapshot after a hole, and applies the old change to it unchecked.
#
# Expected: what follows a hole is compared with the new snapshot, by the exchange's own rule: dropped when the snapshot has it
# already, and another hole when the snapshot is not as new.
# Seen: it is laid over the snapshot in any case. A snapshot that is newer loses a level to an older change, and its number goes
# back; one that is older keeps the hole, and nothing tells. The first change after the start is taken for a hole as well, as
# the rule lets it begin before the snapshot and this wants the next number exactly.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet --disable-pip-version-check python-binance==1.0.37
"$work/venv/bin/python" - <<'EOF'
import asyncio
from importlib.metadata import version

from binance import DepthCacheManager

print("python-binance", version("python-binance"))


def change(first: int, last: int, bids: list[list[str]]) -> dict[str, object]:
    return {"e": "depthUpdate", "E": 1795933164725, "s": "BTCUSDT", "U": first, "u": last, "b": bids, "a": []}


class Exchange:
    """Hand out snapshots and changes in the order in which they are asked for."""

    def __init__(self, snapshots: list[dict[str, object]], changes: list[dict[str, object]]) -> None:
        self.snapshots, self.changes, self.asked = snapshots, changes, 0

    async def get_order_book(self, symbol: str, limit: int) -> dict[str, object]:
        self.asked += 1
        return self.snapshots.pop(0)

    def depth_socket(self, symbol: str, interval: int | None = None) -> "Exchange":
        return self

    async def __aenter__(self) -> "Exchange":
        return self

    async def __aexit__(self, *error: object) -> None:
        pass

    async def recv(self) -> dict[str, object]:
        return self.changes.pop(0)


def snapshot(number: int, *bids: list[str]) -> dict[str, object]:
    return {"lastUpdateId": number, "bids": list(bids), "asks": []}


async def bids(second: dict[str, object], late: dict[str, object]) -> tuple[list[list[float]], int]:
    """Give the bids after a hole, and how often a snapshot was fetched."""
    start = snapshot(100, ["9.00000000", "1.00000000"])
    exchange = Exchange([start, second], [late])
    async with DepthCacheManager(exchange, "BTCUSDT", bm=exchange) as manager:
        cache = await manager.recv()
        return cache.get_bids(), exchange.asked


# At 150 the level 9 had gone, at 160 it came back with size 7; the snapshot of 200 has it.
newer = asyncio.run(bids(snapshot(200, ["9.00000000", "7.00000000"]), change(140, 150, [["9.00000000", "0.00000000"]])))
# The snapshot is of 110, the change begins with 140: what happened from 111 to 139 is in neither.
older = asyncio.run(bids(snapshot(110, ["9.00000000", "1.00000000"]), change(140, 150, [["8.00000000", "2.00000000"]])))
print(f"newer snapshot, bids and snapshots fetched: {newer}\nolder snapshot: {older}")
assert newer == ([], 2), newer
assert older == ([[9.0, 1.0], [8.0, 2.0]], 2), older
EOF
