#!/usr/bin/env bash
# fastavro 1.13.1: a number that does not fit its field is truncated without an error, so a size of 0.5 becomes 0.
#
# Expected: an error, as text for a "long" or 2^63 for a "long" is one, and as Apache's avro 1.12.2 raises for all of these.
# Seen: 0.5 for a "long" is 0 and 1.9 is 1; 1e39 for a "float" is infinity. confluent-kafka's AvroSerializer writes by the same
# call. `validator=True` of fastavro.writer refuses the first two, and takes the third.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet --disable-pip-version-check avro==1.12.2 fastavro==1.13.1
"$work/venv/bin/python" - <<'EOF'
import io
import json
from importlib.metadata import version

import avro.errors
import avro.io
import avro.schema
import fastavro
from fastavro.validation import ValidationError

print("fastavro", fastavro.__version__, "avro", version("avro"))


def stored(kind: str, value: object) -> object:
    file = io.BytesIO()
    try:
        fastavro.schemaless_writer(file, kind, value)
    except (TypeError, OverflowError):
        return "refused"
    return fastavro.schemaless_reader(io.BytesIO(file.getvalue()), kind)


def validated(kind: str, value: object) -> str:
    try:
        fastavro.writer(io.BytesIO(), kind, [value], validator=True)
    except ValidationError:
        return "refused"
    return "taken"


def by_avro(kind: str, value: object) -> str:
    try:
        avro.io.DatumWriter(avro.schema.parse(json.dumps(kind))).write(value, avro.io.BinaryEncoder(io.BytesIO()))
    except (avro.errors.AvroTypeException, OverflowError):
        return "refused"
    return "taken"


cases = [("long", 0.5), ("long", 1.9), ("float", 1e39), ("long", "5"), ("long", 2**63)]
seen = [(stored(*case), validated(*case), by_avro(*case)) for case in cases]
for (kind, value), found in zip(cases, seen, strict=True):
    print(f"{value!r} for {kind!r}: fastavro {found[0]!r}, with validator=True {found[1]}, avro {found[2]}")
assert [one[0] for one in seen] == [0, 1, float("inf"), "refused", "refused"], seen
assert [one[1] for one in seen[:3]] == ["refused", "refused", "taken"], seen
assert {one[2] for one in seen} == {"refused"}, seen
EOF
