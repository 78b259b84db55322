#!/usr/bin/env bash
# Polars 2.1.0: a field that first appears in row 101 of a JSON file is missing, without an error.
#
# Expected: a column with nulls before it, or an error, as for a value that does not fit the type of the first hundred rows.
# Seen: read_ndjson and scan_ndjson leave it out; in row 100 it is a column. Fields that few records have are the ones with bad
# news (a reason, an error). `infer_schema_length=None` or a schema keeps it.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet --disable-pip-version-check polars==2.1.0
"$work/venv/bin/python" - <<'EOF'
import io

import polars as pl

print("polars", pl.__version__)


def rows(plain: int, last: bytes) -> io.BytesIO:
    return io.BytesIO(b'{"number":1}\n' * plain + last)


late = b'{"number":2,"reason":"gap"}\n'
within, beyond = pl.read_ndjson(rows(99, late)).columns, pl.read_ndjson(rows(100, late)).columns
lazy = pl.scan_ndjson(rows(100, late)).collect().columns
print(f"in row 100: {within}\nin row 101: {beyond}\nin row 101, scanned: {lazy}")
assert within == ["number", "reason"], within
assert beyond == lazy == ["number"], (beyond, lazy)
try:
    pl.read_ndjson(rows(100, b'{"number":1.5}\n'))
except pl.exceptions.ComputeError as error:
    print("a value that does not fit:", error)
else:
    raise AssertionError("the value is read")
EOF
