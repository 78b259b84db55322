#!/usr/bin/env bash
# ClickHouse 26.9.2 (chdb 4.4.0): a product or sum of wide decimals that does not fit is a wrong number, often negative.
#
# Expected: "Decimal math overflow", which adding two of the same numbers raises, and which narrow decimals raise.
# Seen: 1000 * 1000 in Decimal(38, 18), the usual "wide enough", is -89.87; a price of 65000.1 times 4000000000 in
# Decimal(28, 12) is negative; the sum of three columns is, too. `decimal_check_overflow` is on. DuckDB 2.0.1 raises for these
# products. Cast to fewer places before: half of 38 digits is what a factor may have, places included.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet --disable-pip-version-check chdb==4.4.0
"$work/venv/bin/python" - <<'EOF'
import chdb

print("chdb", chdb.__version__, "ClickHouse", str(chdb.query("SELECT version()", "TSV")).strip())


def ask(expression: str, kind: str, first: str, second: str) -> str:
    rows = f"SELECT CAST(arrayJoin([{first}]) AS {kind}) AS x, CAST({second} AS {kind}) AS y"
    try:
        return str(chdb.query(f"SELECT {expression} FROM ({rows})", "TSV")).strip()
    except RuntimeError as error:
        return "overflow" if "DECIMAL_OVERFLOW" in str(error) else str(error)


checked = str(chdb.query("SELECT value FROM system.settings WHERE name = 'decimal_check_overflow'", "TSV")).strip()
large = "'90000000000000000000000000'"
seen = {
    "1000 * 1000, Decimal(38, 18)": ask("x * y", "Decimal(38, 18)", "'1000'", "'1000'"),
    "65000.1 * 4000000000, Decimal(28, 12)": ask("x * y", "Decimal(28, 12)", "'65000.1'", "'4000000000'"),
    "sum of three, Decimal(38, 12)": ask("sum(x)", "Decimal(38, 12)", f"{large}, {large}, {large}", large),
    "the same added, Decimal(38, 12)": ask("x + y", "Decimal(38, 12)", large, large),
    "1000 * 1000, Decimal(18, 8)": ask("x * y", "Decimal(18, 8)", "'1000'", "'1000'"),
}
print("decimal_check_overflow:", checked)
for name, found in seen.items():
    print(f"{name}: {found}")
assert checked == "1", checked
product, amount, total, added, narrow = seen.values()
assert product.startswith("-89.87"), product
assert float(amount) < 0, amount
assert float(total) < 0, total
assert added == narrow == "overflow", (added, narrow)
EOF
