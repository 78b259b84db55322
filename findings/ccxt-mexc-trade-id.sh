#!/usr/bin/env bash
# ccxt 4.5.90 (Python): a MEXC trade has an id that ccxt makes from time, side, size and price, so two trades can have the same id.
#
# Expected: `id` is the exchange's, so None here: MEXC answers GET /api/v3/trades with "id":null.
# Seen: two trades of the same size at the same price within a millisecond, as one order that meets two makes them, have the
# same `id`. Whoever drops what he has seen, or makes `id` a key, loses volume; ccxt's own fetch in pages drops the second too.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet --disable-pip-version-check ccxt==4.5.90
"$work/venv/bin/python" - <<'EOF'
import ccxt

print("ccxt", ccxt.__version__)
trade = {"id": None, "price": "40798.94", "qty": "0.000508", "quoteQty": "20.72586152", "time": 1647546934374}
trade |= {"isBuyerMaker": True, "isBestMatch": True}
exchange = ccxt.mexc()
trades = exchange.parse_trades([trade, dict(trade)])
ids = [one["id"] for one in trades]
left = exchange.remove_repeated_elements_from_array(trades)
print("ids:", ids, "left when repeated ones are removed:", len(left))
assert ids == ["1647546934374-sell-0.000508-40798.94-taker"] * 2, ids
assert len(left) == 1, left
EOF
