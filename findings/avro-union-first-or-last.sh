#!/usr/bin/env bash
# fastavro 1.13.1 and avro 1.12.2 (Python): of a union's numbers the one takes the first, the other the last, so ids become
# doubles in one of them whichever way the schema is written.
#
# Expected: an int goes to "long", which holds it exactly, wherever "double" stands; Avro for Java goes by the value's type.
# Seen: 9007199254740993 in ["null", "double", "long"] is stored by fastavro as the double 9007199254740992.0, and by avro as
# it is; in ["null", "long", "double"] it is the other way round. The reader gets a float, one less, and no error. A field that
# may be an id or a price needs a union of text and number, or two fields.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet --disable-pip-version-check avro==1.12.2 fastavro==1.13.1
"$work/venv/bin/python" - <<'EOF'
import io
import json
from importlib.metadata import version

import avro.io
import avro.schema
import fastavro

print("fastavro", fastavro.__version__, "avro", version("avro"))
number, seen = 9007199254740993, []
for union in (["null", "double", "long"], ["null", "long", "double"]):
    schema, by_fastavro, by_avro = avro.schema.parse(json.dumps(union)), io.BytesIO(), io.BytesIO()
    fastavro.schemaless_writer(by_fastavro, union, number)
    avro.io.DatumWriter(schema).write(number, avro.io.BinaryEncoder(by_avro))
    found = [repr(fastavro.schemaless_reader(io.BytesIO(one.getvalue()), union)) for one in (by_fastavro, by_avro)]
    print(f"{union}: written by fastavro {found[0]}, by avro {found[1]}")
    seen.append(found)
exact, rounded = "9007199254740993", "9007199254740992.0"
assert seen == [[rounded, exact], [exact, rounded]], seen
EOF
