#!/usr/bin/env bash
# ccxt 4.5.90 (Python): watch_order_book with a limit discards the levels beyond it, and gives a wrong best price later.
#
# Expected: "the maximum amount of order book entries to return", of a book that is kept whole.
# Seen: the kept book is cut each time it is returned. On Coinbase Exchange, which sends every level once and then changes, the
# second-best level is gone for good with limit=1: when the best is taken out, the bids are empty although there are two, and
# the next change, far below, is the best bid. Without a limit the answer is right; cut that one.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet --disable-pip-version-check ccxt==4.5.90
"$work/venv/bin/python" - <<'EOF'
import asyncio

import ccxt.pro

print("ccxt", ccxt.__version__)
frames = [{"type": "snapshot", "product_id": "BTC-USD", "bids": [["100", "1"], ["99", "1"], ["98", "1"]], "asks": []}]
for price, size in (("100", "0"), ("50", "1")):
    changes = [["buy", price, size]]
    frames.append({"type": "l2update", "product_id": "BTC-USD", "time": "2026-11-27T10:00:00.265Z", "changes": changes})


class Client:
    """Stand in for the connection, which keeps what was subscribed and who waits for it."""

    def __init__(self) -> None:
        self.subscriptions: dict[str, object] = {}

    def resolve(self, result: object, message_hash: str) -> None:
        self.result = result


class Exchange(ccxt.pro.coinbaseexchange):
    """Read the next frame from the list where the network would be asked."""

    client, position = Client(), 0

    async def watch(self, url: str, message_hash: str, message: object, subscribe_hash: str, subscription: object) -> object:
        self.client.subscriptions[subscribe_hash] = subscription
        self.handle_order_book(self.client, frames[self.position])
        self.position += 1
        return self.client.result

    def authenticate(self) -> dict[str, str]:
        return {}


async def best(limit: int | None) -> list[float | None]:
    exchange, found = Exchange(), []
    exchange.set_markets([{"id": "BTC-USD", "symbol": "BTC/USD", "base": "BTC", "quote": "USD", "type": "spot", "spot": True}])
    for _ in frames:
        bids = (await exchange.watch_order_book("BTC/USD", limit))["bids"]
        found.append(bids[0][0] if bids else None)
    await exchange.close()
    return found


whole, cut = asyncio.run(best(None)), asyncio.run(best(1))
print(f"best bid, without a limit: {whole}\nwith limit=1: {cut}")
assert whole == [100, 99, 99], whole
assert cut == [100, None, 50], cut
EOF
