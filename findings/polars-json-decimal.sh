#!/usr/bin/env bash
# Polars 2.1.0: a JSON number decoded into a Decimal has passed through a double, and shows more digits than that has.
#
# Expected: json_decode with a Decimal in its schema reads the digits, as it does when they stand in quotes.
# Seen: 12345678901.12345678 becomes 12345678901.1234570240; with quotes it is exact. json_path_match, which gives text,
# gives a third number, 12345678901.123455. read_ndjson refuses a Decimal in its schema altogether, number or text.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet --disable-pip-version-check polars==2.1.0
"$work/venv/bin/python" - <<'EOF'
import tempfile

import polars as pl

print("polars", pl.__version__)
shape = pl.Struct({"price": pl.Decimal(38, 10)})
number, text = '{"price":12345678901.12345678}', '{"price":"12345678901.12345678"}'
from_number, from_text = (str(pl.Series([one]).str.json_decode(shape)[0]["price"]) for one in (number, text))
by_path = pl.Series([number]).str.json_path_match("$.price")[0]
print(f"from the number: {from_number}\nfrom the text: {from_text}\nby its path: {by_path}")
assert from_number == "12345678901.1234570240", from_number
assert from_text == "12345678901.1234567800", from_text
assert by_path == "12345678901.123455", by_path
for line in (number, text):
    with tempfile.NamedTemporaryFile("w", suffix=".jsonl") as file:
        file.write(line + "\n")
        file.flush()
        try:
            pl.read_ndjson(file.name, schema={"price": pl.Decimal(38, 10)})
        except pl.exceptions.SchemaError as error:
            print("read_ndjson:", str(error).splitlines()[0])
        else:
            raise AssertionError("read_ndjson reads a Decimal")
EOF
