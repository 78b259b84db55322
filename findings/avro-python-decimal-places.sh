#!/usr/bin/env bash
# avro 1.12.2 (Apache Avro for Python): a decimal with fewer places than the schema is stored too small by powers of ten.
#
# Expected: Decimal("1.5") for a scale of 4 is 1.5000, as fastavro and Avro for Java store it.
# Seen: its digits are stored as they stand, so it is 0.0015, 65000 is 6.5000, and 1E+3 is 0.0001; nothing is raised. Only who
# has exactly as many places as the schema gets back what was written, so a test with such a price passes. One place too many
# is an error. fastavro 1.13.1 reads the same wrong numbers, so they are what stands in the file or topic.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet --disable-pip-version-check avro==1.12.2 fastavro==1.13.1
"$work/venv/bin/python" - <<'EOF'
import io
import json
from decimal import Decimal
from importlib.metadata import version

import avro.io
import avro.schema
import fastavro

print("avro", version("avro"), "fastavro", fastavro.__version__)
price = {"type": "bytes", "logicalType": "decimal", "precision": 20, "scale": 4}
plain = {"type": "record", "name": "Trade", "fields": [{"name": "price", "type": price}]}
schema = avro.schema.parse(json.dumps(plain))
seen = {}
for text in ("65000.1000", "1.5", "65000", "1E+3"):
    stored, by_fastavro = io.BytesIO(), io.BytesIO()
    trade = {"price": Decimal(text)}
    avro.io.DatumWriter(schema).write(trade, avro.io.BinaryEncoder(stored))
    fastavro.schemaless_writer(by_fastavro, plain, trade)
    read = [fastavro.schemaless_reader(io.BytesIO(one.getvalue()), plain)["price"] for one in (stored, by_fastavro)]
    own = avro.io.DatumReader(schema).read(avro.io.BinaryDecoder(io.BytesIO(stored.getvalue())))["price"]
    print(f"{text}: written by avro, read {read[0]}, by itself {own}; written by fastavro, read {read[1]}")
    assert read[0] == own, (read, own)
    assert read[1] == Decimal(text), read
    seen[text] = str(own)
assert seen == {"65000.1000": "65000.1000", "1.5": "0.0015", "65000": "6.5000", "1E+3": "0.0001"}, seen
EOF
