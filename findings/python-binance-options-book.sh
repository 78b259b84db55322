#!/usr/bin/env bash
# python-binance 1.0.37: OptionsDepthCacheManager merges whole books as if they were changes, so old levels are never removed.
#
# Expected: the stream it takes, <symbol>@depth10@500ms, sends the ten best levels anew each time; the cache is those.
# Seen: each book is laid over the one before. A level that is no longer among the ten is never sent with size zero, so it
# stays: after the price has moved the best bid in the cache is above the best ask, and the cache grows without end. The
# manager for futures, the class above it, replaces the book.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet --disable-pip-version-check python-binance==1.0.37
"$work/venv/bin/python" - <<'EOF'
import asyncio
from importlib.metadata import version

from binance import OptionsDepthCacheManager

print("python-binance", version("python-binance"))


def frame(number: int, bids: list[list[str]], asks: list[list[str]]) -> dict[str, object]:
    """Give a partial book of options in its documented form."""
    return {"e": "depth", "E": 1795933164725 + number, "T": 1795933164720 + number, "s": "BTC-261225-90000-C", "u": number,
            "pu": number - 1, "b": bids, "a": asks}


class Socket:
    def __init__(self) -> None:
        self.frames = [frame(2, [["1000.000", "4.35"]], [["1010.000", "5.22"]]),
                       frame(3, [["970.000", "1.10"]], [["980.000", "2.07"]])]

    async def __aenter__(self) -> "Socket":
        return self

    async def __aexit__(self, *error: object) -> None:
        pass

    async def recv(self) -> dict[str, object]:
        return self.frames.pop(0)


class Sockets:
    def options_depth_socket(self, symbol: str) -> Socket:
        return Socket()


async def run() -> tuple[list[list[float]], list[list[float]]]:
    async with OptionsDepthCacheManager(None, "BTC-261225-90000-C", bm=Sockets()) as manager:
        await manager.recv()
        cache = await manager.recv()
        return cache.get_bids(), cache.get_asks()


bids, asks = asyncio.run(run())
print("bids, asks:", bids, asks)
assert bids == [[1000.0, 4.35], [970.0, 1.1]], bids
assert asks == [[980.0, 2.07], [1010.0, 5.22]], asks
EOF
