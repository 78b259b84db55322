#!/usr/bin/env bash
# deltalake 1.6.6 (delta-rs): a decimal of more than about sixteen digits is not found again, and cannot be deleted.
#
# Expected: `size = X` finds the row whose size is X, and delete deletes it. Decimals are stored exactly, and in Delta a file's
# smallest and greatest value are a hint which files need not be opened.
# Seen: the two are written as doubles, which lie beside the decimal, and the file is passed over. Of a table of one row,
# 1234567890123.12345678 in DECIMAL(28, 8), the filters = and <= give nothing, by PyArrow and by SQL, and delete deletes nothing,
# without an error; >= finds it. 65000.123456789012345678 in DECIMAL(38, 18) is missed by = and >=. pyarrow 26.0.1, given the
# table's file itself, finds both. A value of up to fifteen digits is right.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet --disable-pip-version-check deltalake==1.6.6 pyarrow==26.0.1
"$work/venv/bin/python" - "$work" <<'EOF'
import json
import sys
from decimal import Decimal
from pathlib import Path

import deltalake
import pyarrow as pa
import pyarrow.parquet as pq
from deltalake import DeltaTable, QueryBuilder, write_deltalake

print("deltalake", deltalake.__version__, "pyarrow", pa.__version__)


def seen(number: str, precision: int, scale: int) -> tuple[list[str], list[str], int | None]:
    """Give the comparisons of a stored number with itself that find it, by PyArrow and by SQL, and how often it was deleted."""
    folder = Path(sys.argv[1], number)
    write_deltalake(folder, pa.table({"size": pa.array([Decimal(number)], pa.decimal128(precision, scale))}))
    table = DeltaTable(folder)
    assert table.to_pyarrow_table()["size"].to_pylist() == [Decimal(number)]
    assert pq.read_table(table.file_uris(), filters=[("size", "=", Decimal(number))]).num_rows == 1
    query = QueryBuilder().register("table", table)
    found: tuple[list[str], list[str]] = [], []
    for sign in ("=", "<=", ">="):
        by_arrow = table.to_pyarrow_table(filters=[("size", sign, Decimal(number))])
        by_sql = pa.table(query.execute(f"SELECT size FROM \"table\" WHERE size {sign} '{number}'").read_all())
        for signs, rows in zip(found, (by_arrow, by_sql), strict=True):
            signs.extend([sign] * rows.num_rows)
    log = (folder / "_delta_log" / f"{0:020}.json").read_text().splitlines()
    added = [json.loads(line)["add"]["stats"] for line in log if '"add"' in line]
    deleted = table.delete(f"size = '{number}'")["num_deleted_rows"]
    left = DeltaTable(folder).to_pyarrow_table().num_rows
    print(number, "statistics", added[0], "found by", *found, "deleted", deleted, "left", left)
    return *found, deleted


assert seen("65000.10000000", 28, 8) == (["=", "<=", ">="], ["=", "<=", ">="], 1)
assert seen("1234567890123.12345678", 28, 8) == ([">="], [">="], 0)
assert seen("65000.123456789012345678", 38, 18) == (["<="], ["<="], 0)
EOF
