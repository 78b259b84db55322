#!/usr/bin/env bash
# DuckDB 2.0.1: a JSON number read as text has the digits of a double; read as DECIMAL it keeps its own.
#
# Expected: VARCHAR, the cautious choice, keeps what the file says, as casting text does.
# Seen: 12345678901.12345678 read as VARCHAR, or taken out with ->>, is 12345678901.123457. As DECIMAL(38, 10) it is exact.
# So a price that is to stay text must be a string in the JSON; a number must be read as DECIMAL at once.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet --disable-pip-version-check duckdb==2.0.1
"$work/venv/bin/python" - <<'EOF'
import duckdb

print("duckdb", duckdb.__version__)
number = '{"price":12345678901.12345678}'
row = duckdb.execute(
    """SELECT from_json($1, '{"price":"VARCHAR"}').price, $1::JSON ->> 'price',
              from_json($1, '{"price":"DECIMAL(38, 10)"}').price::VARCHAR""",
    [number],
).fetchone()
print("as VARCHAR, by ->>, as DECIMAL:", *row)
assert row == ("12345678901.123457", "12345678901.123457", "12345678901.1234567800"), row
EOF
