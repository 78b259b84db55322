#!/usr/bin/env bash
# pandas 3.1.1: read_json converts text in quotes to numbers, so ids given as text change and become equal.
#
# Expected: JSON says what is text and what is a number; text stays text.
# Seen: two trade ids of 26 digits are one float, "0012" is 12, and prices in quotes, put there to keep their digits, are
# floats. In a column where one id has a letter all stay as they are, so one day's file can differ from the next.
# `dtype=False` leaves text alone.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet --disable-pip-version-check pandas==3.1.1
"$work/venv/bin/python" - <<'EOF'
import io

import pandas

print("pandas", pandas.__version__)
rows = """{"trade_id":"10180194512782291967181675","other_id":"0012","price":"12345678901.12345678"}
{"trade_id":"10180194512782291967181676","other_id":"0013","price":"1.10"}
"""


def read(text: str, **settings: object) -> dict[str, list[object]]:
    return pandas.read_json(io.StringIO(text), lines=True, **settings).to_dict("list")


seen, kept, lettered = read(rows), read(rows, dtype=False), read(rows.replace("0013", "0013a"))
print(f"as it comes: {seen}\ndtype=False: {kept}\nother_id with a letter in its column: {lettered['other_id']}")
assert len(set(seen["trade_id"])) == 1, seen
assert seen["other_id"] == [12, 13], seen
assert seen["price"] == [12345678901.123457, 1.1], seen
assert lettered["other_id"] == ["0012", "0013a"], lettered
assert kept["trade_id"] == ["10180194512782291967181675", "10180194512782291967181676"], kept
EOF
