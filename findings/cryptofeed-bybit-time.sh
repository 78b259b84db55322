#!/usr/bin/env bash
# cryptofeed 2.4.1: a book of Bybit has its time in milliseconds, and its changes as text, where all others have seconds and
# Decimals.
#
# Expected: OrderBook.timestamp is seconds since 1970, as for trades of Bybit and for books of OKX; the levels of `delta` are
# pairs of Decimals, and a removal has the size 0.
# Seen: the timestamp is 1672304484978, so the book is of the year 54963, and a latency computed from it is minus fifty
# thousand years; `delta` has the lists of the message, so `size == 0` is never true of "0", and a mirror keeps every level that
# was removed.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet --disable-pip-version-check cryptofeed==2.4.1
"$work/venv/bin/python" - <<'EOF'
import asyncio
from importlib.metadata import version

from cryptofeed.defines import BID, L2_BOOK
from cryptofeed.exchanges import OKX, Bybit
from cryptofeed.symbols import Symbols

print("cryptofeed", version("cryptofeed"))
time, seen = 1672304484978, {}
Symbols.set("BYBIT", {"BTC-USDT-PERP": "BTCUSDT"}, {"instrument_type": {"BTC-USDT-PERP": "perpetual"}})
Symbols.set("OKX", {"BTC-USDT": "BTC-USDT"}, {"instrument_type": {"BTC-USDT": "spot"}})


async def keep(book, received) -> None:
    seen.setdefault(book.exchange, []).append((book.timestamp, book.delta and book.delta[BID]))


def bybit(kind: str, number: int, bids: list[list[str]]) -> dict[str, object]:
    data = {"s": "BTCUSDT", "b": bids, "a": [["16611.00", "0.029"]], "u": number, "seq": number}
    return {"topic": "orderbook.50.BTCUSDT", "type": kind, "ts": time, "data": data, "cts": time}


def okx(kind: str, bids: list[list[str]]) -> dict[str, object]:
    data = {"bids": bids, "asks": [["16611.00", "0.029", "0", "1"]], "ts": str(time), "checksum": 0}
    return {"arg": {"channel": "books", "instId": "BTC-USDT"}, "action": kind, "data": [data]}


async def run() -> None:
    feed = Bybit(symbols=["BTC-USDT-PERP"], channels=[L2_BOOK], callbacks={L2_BOOK: keep})
    await feed._book(bybit("snapshot", 10, [["16493.50", "0.006"]]), 0.0, "perpetual")
    await feed._book(bybit("delta", 11, [["16493.50", "0"]]), 0.0, "perpetual")
    feed = OKX(symbols=["BTC-USDT"], channels=[L2_BOOK], callbacks={L2_BOOK: keep}, checksum_validation=False)
    await feed._book(okx("snapshot", [["16493.50", "0.006", "0", "1"]]), 0.0)
    await feed._book(okx("update", [["16493.50", "0", "0", "0"]]), 0.0)


asyncio.run(run())
for exchange, books in seen.items():
    print(exchange, "time and changes of the second book:", *books[1])
(_, (bybit_time, bybit_change)), (_, (okx_time, okx_change)) = seen["BYBIT"], seen["OKX"]
assert bybit_time == time, bybit_time
assert okx_time == time / 1000, okx_time
assert bybit_change == [["16493.50", "0"]], bybit_change
assert [size for _, size in okx_change] == [0], okx_change
assert not any(size == 0 for _, size in bybit_change)
EOF
