#!/usr/bin/env bash
# hftbacktest 2.4.4: its converter of Tardis files truncates every later snapshot to the size of the first.
#
# Expected: convert() gives a snapshot as it stands in the file, one event a level.
# Seen: after a snapshot of two bids and one ask, the next, of four bids and three asks, is two bids and one ask. The event
# that clears the book before it reaches to the last level that was kept, so older levels beyond it stay. The first snapshot of
# a file may well be the smaller one (a market that opens); nothing says that levels are gone.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet --disable-pip-version-check hftbacktest==2.4.4
"$work/venv/bin/python" - <<'EOF'
import tempfile
from importlib.metadata import version
from pathlib import Path

from hftbacktest.data.utils.tardis import convert
from hftbacktest.types import BUY_EVENT, DEPTH_CLEAR_EVENT, DEPTH_SNAPSHOT_EVENT

print("hftbacktest", version("hftbacktest"))
time = 1795933164725686


def rows(after: int, kind: str, bids: list[float], asks: list[float]) -> str:
    levels = [("bid", price) for price in bids] + [("ask", price) for price in asks]
    at = f"{time + after},{time + after + 5}"
    return "".join(f"deribit,BTC-PERPETUAL,{at},{kind},{side},{price},1\n" for side, price in levels)


with tempfile.TemporaryDirectory() as folder:
    file = Path(folder, "deribit_incremental_book_L2.csv")
    file.write_text(
        "exchange,symbol,timestamp,local_timestamp,is_snapshot,side,price,amount\n"
        + rows(0, "true", [100, 99], [101])
        + rows(10, "false", [99], [])
        + rows(1000, "true", [100, 99, 98, 97], [101, 102, 103])
        + rows(1010, "false", [98], [])
    )
    events = convert([str(file)], buffer_size=1000, ss_buffer_size=100)
found = {}
for event in events:
    kind, side = int(event["ev"]) & 0xFF, "bid" if int(event["ev"]) & BUY_EVENT else "ask"
    if event["exch_ts"] == (time + 1000) * 1000:
        found.setdefault((kind, side), []).append(float(event["px"]))
bids, asks = (found[DEPTH_SNAPSHOT_EVENT, side] for side in ("bid", "ask"))
cleared = found[DEPTH_CLEAR_EVENT, "bid"]
print("second snapshot, bids:", bids, "asks:", asks, "bids cleared down to", cleared)
assert bids == [100.0, 99.0], bids
assert asks == [101.0], asks
assert cleared == [99.0], cleared
EOF
