#!/usr/bin/env bash
# apache-arrow 21.2.0 (npm): a decimal is read as its digits without the point, so a price is too large by its scale.
#
# Expected: a Decimal(19, 8) that pyarrow wrote as 65000.10000000 is 65000.1 as a number and as text; one of 65000.10000000 and
# one of scale 2 compare equal.
# Seen: Number(price) is 6500010000000, String(price) and a row's text likewise; the same price of scale 2 is 6500010. JSON has
# the digits as text with quotes in it.
# Where the digits pass 2^53, Number(price) throws instead. Only price.valueOf(scale), with the scale from the type, has the
# point, as a double. Times in nanoseconds come as milliseconds, cut to microseconds.
#
# Needs Node.js.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet --disable-pip-version-check pyarrow==26.0.1
npm install --silent --no-audit --no-fund --prefix "$work" apache-arrow@21.2.0
cd "$work"
venv/bin/python - <<'EOF'
from decimal import Decimal

import pyarrow as pa

price = Decimal("65000.10")
columns = {
    "price": pa.array([price], pa.decimal128(19, 8)),
    "short": pa.array([price], pa.decimal128(19, 2)),
    "long": pa.array([Decimal("12345678901.12345678")], pa.decimal128(19, 8)),
    "time": pa.array([1795933164725686123], pa.timestamp("ns")),
}
table = pa.table(columns)
with pa.OSFile("table.arrow", "wb") as file, pa.ipc.new_file(file, table.schema) as writer:
    writer.write_table(table)
print("pyarrow", pa.__version__, "wrote", *table.drop_columns("time").to_pylist()[0].values(), table.column("time")[0].value)
EOF
node - <<'EOF'
const assert = require('node:assert')
const fs = require('node:fs')
const arrow = require('apache-arrow')
console.log('apache-arrow', JSON.parse(fs.readFileSync('node_modules/apache-arrow/package.json')).version)
const table = arrow.tableFromIPC(fs.readFileSync('table.arrow'))
const [price, short, long, time] = ['price', 'short', 'long', 'time'].map((name) => table.getChild(name).get(0))
const row = String(table.get(0))
console.log('price', Number(price), String(price), JSON.stringify(price), 'short', Number(short), 'row', row)
console.log('with its scale', price.valueOf(8), 'time', time)
assert.deepStrictEqual([Number(price), String(price)], [6500010000000, '6500010000000'])
assert.strictEqual(JSON.parse(JSON.stringify(price)), '"6500010000000"')
assert.strictEqual(Number(short), 6500010)
assert.match(row, /"price": 6500010000000,/)
assert.throws(() => Number(long), TypeError)
assert.strictEqual(price.valueOf(8), 65000.1)
assert.strictEqual(time, 1795933164725.686)
EOF
