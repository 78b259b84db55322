#!/usr/bin/env bash
# orjson 3.13.0: a JSON integer of more than 64 bits becomes a float, so two trade ids become one.
#
# Expected: an int, as json and msgspec give it and Python can hold it, or an error.
# Seen: 18446744073709551615 is an int, one more is a float. HTX sends an "id" of 26 digits with each trade
# (market.$symbol.trade.detail): neighbours are equal afterwards, and whoever drops what he has seen drops trades. pyarrow
# 26.0.1 and DuckDB 2.0.1 infer a double from the same lines; pandas 3.1.1 refuses them.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet --disable-pip-version-check \
  orjson==3.13.0 msgspec==0.22.0 pyarrow==26.0.1 duckdb==2.0.1 pandas==3.1.1
"$work/venv/bin/python" - <<'EOF'
import io
import json
import tempfile

import duckdb
import msgspec
import orjson
import pandas
import pyarrow
import pyarrow.json

print("orjson", orjson.__version__)
lines = [b'{"id":10180194512782291967181675}', b'{"id":10180194512782291967181676}']
limits = orjson.loads(b"[18446744073709551615,18446744073709551616]")
first, second = (orjson.loads(line)["id"] for line in lines)
print("limits:", limits, "ids:", first, second)
assert [type(limit) for limit in limits] == [int, float], limits
assert first == second == 1.0180194512782293e25, (first, second)
assert all(json.loads(line) == msgspec.json.decode(line) == {"id": int(line[6:-1])} for line in lines)

joined = b"\n".join(lines) + b"\n"
table = pyarrow.json.read_json(io.BytesIO(joined))
print("pyarrow", pyarrow.__version__, table.schema.field("id").type, table.column("id").to_pylist())
assert table.column("id").to_pylist() == [first, first], table
with tempfile.NamedTemporaryFile(suffix=".jsonl") as file:
    file.write(joined)
    file.flush()
    found = duckdb.execute("SELECT typeof(id), id FROM read_json($1)", [file.name]).fetchall()
print("duckdb", duckdb.__version__, found)
assert found == [("DOUBLE", first)] * 2, found
try:
    pandas.read_json(io.BytesIO(joined), lines=True)
except ValueError as error:
    print("pandas", pandas.__version__, "refuses:", error)
else:
    raise AssertionError("pandas reads them")
EOF
