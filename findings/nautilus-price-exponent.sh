#!/usr/bin/env bash
# nautilus_trader 1.221.0: a price written with an exponent loses the digits after its point.
#
# Expected: Price.from_str is exact, or raises the ValueError that it has for digits which it cannot keep.
# Seen: the places kept are those of the exponent alone, so 1.5e-07 is 0.0000002, a third too much, and 2.4567e-5 is 0.00002.
# The same numbers written out are exact. Bitfinex, HTX and Deribit send JSON numbers, and Python writes a float below 0.0001
# in that form: str(0.00000015) is "1.5e-07".
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet --disable-pip-version-check nautilus_trader==1.221.0
"$work/venv/bin/python" - <<'EOF'
from nautilus_trader import __version__
from nautilus_trader.model.objects import Price, Quantity

print("nautilus_trader", __version__)
seen = {}
for text in ("0.00000015", "1.5e-07", "2.4567e-5"):
    seen[text] = str(Price.from_str(text))
    assert str(Quantity.from_str(text)) == seen[text], Quantity.from_str(text)
    print(text, "->", seen[text])
assert seen["0.00000015"] == "0.00000015", seen
assert seen["1.5e-07"] == "0.0000002", seen
assert seen["2.4567e-5"] == "0.00002", seen
EOF
