#!/usr/bin/env bash
# ccxt 4.5.90 (Python): for Deribit a new snapshot is merged into the old book, and a hole in the sequence is ignored.
#
# Expected: "type": "snapshot" begins the book anew, as for other exchanges there; and a change whose prev_change_id is not the
# last change_id is an error, as an update that does not follow is for OKX.
# Seen: snapshot and change are treated alike, and the books outlive their connection. So after it broke, levels that went in
# between stay for good, and the best bid is above the best ask. A change that does not follow is laid over as well, and
# `nonce`, where a user would look for the change_id to see it himself, is the time.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet --disable-pip-version-check ccxt==4.5.90
"$work/venv/bin/python" - <<'EOF'
import asyncio

import ccxt.pro

print("ccxt", ccxt.__version__)


class Client:
    """Stand in for the connection, which hands results to who waits for them."""

    def resolve(self, result: object, message_hash: str) -> None:
        self.result = result


def frame(kind: str, number: int, bids: list[list[object]], asks: list[list[object]], **rest: int) -> dict[str, object]:
    data = {"type": kind, "timestamp": 1795933164725 + number, "instrument_name": "BTC-PERPETUAL", "change_id": number}
    params = {"channel": "book.BTC-PERPETUAL.100ms", "data": data | {"bids": bids, "asks": asks} | rest}
    return {"jsonrpc": "2.0", "method": "subscription", "params": params}


async def run() -> list[tuple[list[float], list[float], int]]:
    exchange, client, seen = ccxt.pro.deribit(), Client(), []
    frames = [
        frame("snapshot", 100, [["new", 65000.0, 10.0]], [["new", 65000.5, 10.0]]),
        # The connection was lost, the market fell; this is the first message of the next one.
        frame("snapshot", 900, [["new", 64000.0, 10.0]], [["new", 64000.5, 10.0]]),
        frame("change", 950, [["new", 63999.5, 10.0]], [], prev_change_id=940),
    ]
    for one in frames:
        exchange.handle_order_book(client, one)
        book = client.result
        seen.append(([price for price, *_ in book["bids"]], [price for price, *_ in book["asks"]], book["nonce"]))
    await exchange.close()
    return seen


first, second, third = asyncio.run(run())
print(f"bids, asks, nonce: {first}\nafter the second snapshot: {second}\nafter a change that does not follow: {third}")
assert first[:2] == ([65000.0], [65000.5]), first
assert second[:2] == ([65000.0, 64000.0], [64000.5, 65000.5]), second
assert third[0] == [65000.0, 64000.0, 63999.5], third
assert third[2] == 1795933164725 + 950, third
EOF
