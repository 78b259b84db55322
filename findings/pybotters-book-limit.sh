#!/usr/bin/env bash
# pybotters 1.11.2 (Python): all books of an exchange share 9,999 levels, and the oldest levels, the best ones, go first.
#
# Expected: a book has the levels that the exchange sent and has not removed; or, at a limit, the worst of them go.
# Seen: a store holds 9,999 items of all symbols together and drops what came in first, without a word and without the "delete"
# that watch() gives for other changes. A snapshot begins with the best asks. So with OKX's channel `books`, 400 levels a side,
# the thirteenth symbol takes all asks and the best bid of the first; and of a single snapshot of Binance with the 5,000 levels
# a side that GET /api/v3/depth gives at most (both by the exchanges' documentation of November 2026) the best ask is missing
# from the start.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet --disable-pip-version-check pybotters==1.11.2
"$work/venv/bin/python" - <<'EOF'
from importlib.metadata import version

import pybotters

print("pybotters", version("pybotters"))


def side(first: int, step: int, count: int, *rest: str) -> list[list[str]]:
    """Give prices with one place, best first."""
    return [[f"{(first + step * number) / 10:.1f}", "1", *rest] for number in range(count)]


def best(book: dict[str, list[dict[str, str]]], bids: str, asks: str, price: str) -> list[list[str]]:
    return [[level[price] for level in book[name][:1]] for name in (bids, asks)]


okx = pybotters.OKXDataStore()
seen = []
with okx.books.watch() as changes:
    for number in range(13):
        book = {"bids": side(650000, -1, 400, "0", "1"), "asks": side(650001, 1, 400, "0", "1"), "ts": "1597026383085"}
        arg = {"channel": "books", "instId": f"COIN{number}-USDT"}
        data = [book | {"checksum": 0, "prevSeqId": -1, "seqId": 123456}]
        okx.onmessage({"arg": arg, "action": "snapshot", "data": data}, None)
        seen.append(best(okx.books.sorted({"instId": "COIN0-USDT"}), "bids", "asks", "px"))
    told = {changes._queue.get_nowait().operation for _ in range(changes._queue.qsize())}
print(f"OKX: best bid and ask of the first symbol with 1, 12 and 13 symbols: {seen[0]} {seen[11]} {seen[12]}")
print(f"OKX: {len(okx.books)} levels are kept of 13 * 800, and the changes told were: {told}")
assert seen[:12] == [[["65000.0"], ["65000.1"]]] * 12, seen
assert seen[12] == [["64999.9"], []], seen
assert len(okx.books) == 9999 and told == {"update"}, told

binance = pybotters.BinanceSpotDataStore()
snapshot = {"lastUpdateId": 160, "bids": side(650000, -1, 5000), "asks": side(650001, 1, 5000)}
binance.orderbook._onresponse("BTCUSDT", snapshot)
after = best(binance.orderbook.sorted({"s": "BTCUSDT"}), "b", "a", "p")
print(f"Binance: best bid and ask of one snapshot, sent as {snapshot['bids'][0][0]} and {snapshot['asks'][0][0]}: {after}")
assert after == [["65000.0"], ["65000.2"]], after
EOF
