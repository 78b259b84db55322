#!/usr/bin/env bash
# pyarrow 26.0.1: a sum of wide decimals that does not fit is a wrong number, here a negative one, while a product raises.
#
# Expected: an error, as multiplying or adding such columns gives ("Decimal precision out of range") and as DuckDB 2.0.1 gives
# for the sum.
# Seen: three amounts of 9 * 10^19 in decimal128(38, 18), the usual "wide enough" and the type of a token's amounts, add up to
# minus 7 * 10^19; their mean is negative, and so is the sum by group. Cast to fewer places first: narrower columns are summed
# in 38 digits.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet --disable-pip-version-check pyarrow==26.0.1 duckdb==2.0.1
"$work/venv/bin/python" - <<'EOF'
from decimal import Decimal

import duckdb
import pyarrow as pa
import pyarrow.compute as pc

print("pyarrow", pa.__version__, "duckdb", duckdb.__version__)
amount = Decimal("90000000000000000000")
amounts = pa.table({"token": ["A"] * 3, "amount": pa.array([amount] * 3, pa.decimal128(38, 18))})
total = pc.sum(amounts["amount"]).as_py()
group = amounts.group_by("token").aggregate([("amount", "sum"), ("amount", "mean")]).to_pylist()[0]
narrow = pc.sum(amounts["amount"].cast(pa.decimal128(30, 8))).as_py()
print("sum:", total, "by group:", group, "of decimal128(30, 8):", narrow)
assert total == group["amount_sum"] < 0, (total, group)
assert group["amount_mean"] < 0, group
assert narrow == 3 * amount, narrow
try:
    pc.add(amounts["amount"], amounts["amount"])
except pa.ArrowInvalid as error:
    print("added:", error)
else:
    raise AssertionError("adding two columns gives an answer")
try:
    duckdb.sql("SELECT sum(amount) FROM amounts").fetchall()
except duckdb.OutOfRangeException as error:
    print("duckdb:", str(error).splitlines()[0])
else:
    raise AssertionError("DuckDB gives a sum")
EOF
