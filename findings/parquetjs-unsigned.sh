#!/usr/bin/env bash
# @dsnp/parquetjs 1.8.8 (npm): unsigned numbers of a Parquet file are read as signed, so large ones are negative.
#
# Expected: the file says that a column is UINT_32 or UINT_64, and what pyarrow wrote is read back.
# Seen: 3000000000 is -1294967296 and 18446744073709551615 is -1. A decimal is a number if the writer kept it as an integer,
# and bare bytes if not (pyarrow's own choice): the scale stands in the file, and is used in the one case only. Sequence
# numbers and checksums are what exchanges keep in such columns.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet --disable-pip-version-check pyarrow==26.0.1
npm install --silent --no-audit --no-fund --prefix "$work" @dsnp/parquetjs@1.8.8
cd "$work"
venv/bin/python - <<'EOF'
from decimal import Decimal

import pyarrow as pa
import pyarrow.parquet as pq

columns = {
    "checksum": pa.array([3000000000], pa.uint32()),
    "sequence": pa.array([18446744073709551615], pa.uint64()),
    "price": pa.array([Decimal("65000.10")], pa.decimal128(18, 8)),
}
table = pa.table(columns)
for name, as_integer in (("bytes", False), ("integers", True)):
    pq.write_table(table, f"{name}.parquet", store_decimal_as_integer=as_integer, use_dictionary=False, compression="NONE")
    print("pyarrow", pa.__version__, "reads", *pq.read_table(f"{name}.parquet").to_pylist()[0].values())
EOF
cat > read.js <<'EOF'
const assert = require('node:assert')
const fs = require('node:fs')
const { ParquetReader } = require('@dsnp/parquetjs')
console.log('@dsnp/parquetjs', JSON.parse(fs.readFileSync('node_modules/@dsnp/parquetjs/package.json')).version)

async function row(name) {
  const reader = await ParquetReader.openFile(`${name}.parquet`)
  const first = await reader.getCursor().next()
  await reader.close()
  return first
}

async function run() {
  const bytes = await row('bytes')
  const integers = await row('integers')
  console.log(bytes, 'decimals as integers:', integers.price)
  assert.strictEqual(bytes.checksum, -1294967296)
  assert.strictEqual(bytes.sequence, -1n)
  assert.ok(Buffer.isBuffer(bytes.price))
  assert.strictEqual(integers.price, 65000.1)
}

run()
EOF
node read.js
