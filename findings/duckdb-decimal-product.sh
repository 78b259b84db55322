#!/usr/bin/env bash
# DuckDB 2.0.1: 30 times 30 is out of range in DECIMAL(18, 8), and in DECIMAL(38, 18) hardly any product fits.
#
# Expected: a product of two DECIMAL(18, 8) gets a wider type, as 18 of 38 possible digits are in use.
# Seen: it gets DECIMAL(18, 16), whose limit is 100, and raises. The same numbers as DECIMAL(19, 8) give DECIMAL(38, 16) and
# 900; one digit more in the declaration decides. Two DECIMAL(38, 18), the usual "wide enough", overflow at 1000 * 1000.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet --disable-pip-version-check duckdb==2.0.1
"$work/venv/bin/python" - <<'EOF'
import duckdb

print("duckdb", duckdb.__version__)


def product(kind: str, number: str) -> str:
    try:
        return str(duckdb.execute(f"SELECT x * x FROM (SELECT '{number}'::{kind} AS x)").fetchone()[0])
    except duckdb.OutOfRangeException as error:
        return f"out of range: {str(error)[:60]}"


narrow, wide = product("DECIMAL(18, 8)", "30"), product("DECIMAL(19, 8)", "30")
widest = product("DECIMAL(38, 18)", "1000")
print(f"DECIMAL(18, 8): {narrow}\nDECIMAL(19, 8): {wide}\nDECIMAL(38, 18): {widest}")
assert narrow.startswith("out of range"), narrow
assert wide.startswith("900.0"), wide
assert widest.startswith("out of range"), widest
EOF
