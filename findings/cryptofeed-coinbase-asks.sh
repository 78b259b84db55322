#!/usr/bin/env bash
# cryptofeed 2.4.1: the book of Coinbase (Advanced Trade) begins without asks.
#
# Expected: the snapshot's levels, which Coinbase calls "bid" and "offer", are the two sides of the first book.
# Seen: of the snapshot only the bids are taken, for cryptofeed looks for "ask". Updates take every other word for an ask, so
# the side fills with what changes later: the best ask in the book is whatever level moved, far from the market, and neither
# an error nor a warning says so. A spread or a mid price from it looks plausible after some minutes.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet --disable-pip-version-check cryptofeed==2.4.1
"$work/venv/bin/python" - <<'EOF'
import asyncio
import json
from importlib.metadata import version

from cryptofeed.defines import L2_BOOK
from cryptofeed.exchanges import Coinbase
from cryptofeed.symbols import Symbols

print("cryptofeed", version("cryptofeed"))
Symbols.set("COINBASE", {"BTC-USD": "BTC-USD"}, {"instrument_type": {"BTC-USD": "spot"}})
time = "2026-11-27T10:00:00.714964Z"
books = []


async def keep(book, received) -> None:
    sides = book.book.to_dict()
    books.append([{str(price): str(size) for price, size in sides[side].items()} for side in ("bid", "ask")])


def frame(kind: str, *levels: tuple[str, str, str]) -> str:
    """Give a frame of the channel l2_data in its documented form."""
    updates = [dict(side=s, event_time=time, price_level=price, new_quantity=size) for s, price, size in levels]
    event = {"type": kind, "product_id": "BTC-USD", "updates": updates}
    return json.dumps({"channel": "l2_data", "client_id": "", "timestamp": time, "sequence_num": 0, "events": [event]})


async def run() -> None:
    feed = Coinbase(symbols=["BTC-USD"], channels=[L2_BOOK], callbacks={L2_BOOK: keep})
    snapshot = frame("snapshot", ("bid", "90921.73", "0.06"), ("offer", "90921.74", "0.5"), ("offer", "90922.00", "1"))
    for text in (snapshot, frame("update", ("offer", "90930.00", "2"))):
        await feed.message_handler(text, None, 0.0)


asyncio.run(run())
print(f"bids, asks after the snapshot: {books[0]}\nafter an update: {books[1]}")
assert books[0] == [{"90921.73": "0.06"}, {}], books
assert books[1] == [{"90921.73": "0.06"}, {"90930.00": "2"}], books
EOF
