#!/usr/bin/env bash
# pybit 5.17.0: orderbook_stream always gives the same object as the book, unsorted, and calls it a snapshot each time.
#
# Expected: each callback gets a book of its own, best price first, as Bybit's snapshot is; and a hole in `u` is noticed.
# Seen: every message has the same lists, so what was put aside changes with the next frame; a new level is appended, so
# data["b"][0] is not the best bid after the first improvement; `type` is "snapshot" although the exchange sent "delta"; and
# an update number that is left out changes nothing of that.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet --disable-pip-version-check pybit==5.17.0
"$work/venv/bin/python" - <<'EOF'
from importlib.metadata import version

from pybit._websocket_stream import _V5WebSocketManager

print("pybit", version("pybit"))
topic = "orderbook.50.BTCUSDT"
# The object behind pybit.unified_trading.WebSocket, made without its connection.
stream = _V5WebSocketManager.__new__(_V5WebSocketManager)
stream.data, stream.callback_directory, got = {}, {}, []
stream._set_callback(topic, got.append)


def frame(kind: str, number: int, bids: list[list[str]]) -> dict[str, object]:
    data = {"s": "BTCUSDT", "b": bids, "a": [["16493.60", "1"]], "u": number, "seq": 7961638724 + number}
    return {"topic": topic, "type": kind, "ts": 1672304484978, "data": data, "cts": 1672304484976}


stream._handle_incoming_message(frame("snapshot", 10, [["16493.50", "0.006"], ["16493.00", "0.100"]]))
kept = got[0]["data"]["b"]
print("bids put aside:", kept)
stream._handle_incoming_message(frame("delta", 12, [["16493.55", "2"]]))  # 11 is missing
print("the same after the next frame:", kept, "second message:", got[1]["type"], got[1]["data"]["u"])
assert [price for price, _ in kept] == ["16493.50", "16493.00", "16493.55"], kept
assert got[1]["data"] is got[0]["data"]
assert (got[1]["type"], got[1]["data"]["u"]) == ("snapshot", 12), got[1]
EOF
