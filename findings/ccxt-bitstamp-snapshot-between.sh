#!/usr/bin/env bash
# ccxt 4.5.90 (Python): Bitstamp's book begins without the changes that came after its snapshot, and they never come back.
#
# Expected: of the changes that were kept while the snapshot was fetched, those that are newer than it are laid over it, as for
# Gate, KuCoin and Binance there. Bitstamp numbers neither changes nor snapshots; each has a `microtimestamp`.
# Seen: that is so only where the snapshot has the very microsecond of one of the kept changes. Where it has one between two of
# them, all that were kept are dropped, older and newer. Here the best bid was taken out, and a better ask came, right after the
# snapshot: the book that is given has the old bid, lacks the ask, and goes on with the next change. As Bitstamp sends a level
# when it changes and not again, and nothing numbers changes, it stays wrong until the level changes, and no check can tell.
# Frames are of the channel diff_order_book and GET /api/v2/order_book/, as Bitstamp's documentation has them in November 2026.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet --disable-pip-version-check ccxt==4.5.90
"$work/venv/bin/python" - <<'EOF'
import asyncio

import ccxt.pro

print("ccxt", ccxt.__version__)
START = 1795933164000000


class Client:
    """Stand in for the connection, which hands results to who waits for them."""

    error = None
    results: list[tuple[list[float], list[float]]] = []

    def resolve(self, book: dict, message_hash: str) -> None:
        self.results.append(([price for price, *_ in book["bids"]], [price for price, *_ in book["asks"]]))

    def reject(self, error: Exception, message_hash: str) -> None:
        raise error


def change(time: int, bids: list[list[str]], asks: list[list[str]]) -> dict[str, object]:
    data = {"timestamp": str((START + time) // 10**6), "microtimestamp": str(START + time), "bids": bids, "asks": asks}
    return {"event": "data", "channel": "diff_order_book_btcusd", "data": data}


async def book(snapshot_time: int) -> tuple[list[float], list[float]]:
    """Give the prices of the book where the snapshot has a time; the third change is at 3,000 µs, the fourth at 4,000."""
    exchange, client = ccxt.pro.bitstamp(), Client()
    market = {"id": "btcusd", "symbol": "BTC/USD", "base": "BTC", "quote": "USD", "type": "spot", "spot": True}
    exchange.set_markets([market])
    snapshot = change(snapshot_time, [["65000", "1"], ["64999", "1"]], [["65002", "1"]])["data"]

    async def answer(params: dict[str, object]) -> dict[str, object]:
        return snapshot

    exchange.publicGetOrderBookPair = answer
    exchange.open()
    exchange.handle_order_book_subscription(client, {"channel": "diff_order_book_btcusd"})
    exchange.handle_order_book(client, change(1000, [["64000", "1"]], []))
    exchange.handle_order_book(client, change(2000, [["64000", "0"]], []))
    exchange.handle_order_book(client, change(3000, [["65000", "1"]], []))
    exchange.handle_order_book(client, change(4000, [["65000", "0"]], []))
    exchange.handle_order_book(client, change(5000, [], [["65001", "1"]]))
    for time in (6000, 7000):
        exchange.handle_order_book(client, change(time, [], [["66000", str(time)]]))
    client.results.clear()
    while not client.results:
        await asyncio.sleep(0)
    exchange.handle_order_book(client, change(8000, [], [["66000", "0"]]))
    await exchange.close()
    return client.results


async def run() -> None:
    same, between = [list(await book(time)) for time in (3000, 3500)]
    print(f"bids, asks with the snapshot at the time of the third change, and after the next: {same}")
    print(f"with the snapshot half a millisecond later: {between}")
    assert same == [([64999.0], [65001.0, 65002.0, 66000.0]), ([64999.0], [65001.0, 65002.0])], same
    assert between == [([65000.0, 64999.0], [65002.0])] * 2, between


asyncio.run(run())
EOF
