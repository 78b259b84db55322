#!/usr/bin/env bash
# ccxt 4.5.90 (Python): safe_integer passes through a float, so identifiers and nanoseconds above 2^53 change.
#
# Expected: "safe", and Python's integers have no limit, so the digits of the answer are those of the message.
# Seen: "9007199254740993" becomes 9007199254740992, and a time in nanoseconds is off by up to a hundred of them. Taken for
# update ids that must follow each other, that is a gap or a repetition that the exchange never sent.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet --disable-pip-version-check ccxt==4.5.90
"$work/venv/bin/python" - <<'EOF'
import ccxt

print("ccxt", ccxt.__version__)
exchange = ccxt.Exchange()
for text in ("9007199254740993", "1795933164725686123"):
    found = exchange.safe_integer({"id": text}, "id")
    print(text, "->", found)
    assert found == int(float(text)) != int(text), found
EOF
