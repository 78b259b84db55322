#!/usr/bin/env bash
# DuckDB 2.0.1: read_json rounds prices to whole numbers when its sample, the first 20,480 rows, had no fraction.
#
# Expected: a number that does not fit the guessed type is an error, as a new field and the text "1.5" are there.
# Seen: after 20,480 whole prices, 1.5 is the BIGINT 2 and 0.4 is 0, without a word. One row earlier the column is DOUBLE and
# keeps them. A price that stands on round numbers for a while is enough; `columns` or `sample_size = -1` keeps the fractions.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet --disable-pip-version-check duckdb==2.0.1
"$work/venv/bin/python" - <<'EOF'
import tempfile

import duckdb

print("duckdb", duckdb.__version__)


def last(whole: int, line: str) -> tuple[object, ...] | str:
    """Give type and values of the last two rows after so many whole numbers."""
    with tempfile.NamedTemporaryFile("w", suffix=".jsonl") as file:
        file.write('{"last":false,"price":100}\n' * whole + line)
        file.flush()
        try:
            query = "SELECT any_value(typeof(price)), list(price) FROM read_json($1) WHERE last"
            return duckdb.execute(query, [file.name]).fetchone()
        except duckdb.InvalidInputException as error:
            return str(error)


fractions = '{"last":true,"price":1.5}\n{"last":true,"price":0.4}\n'
within, beyond = last(20_479, fractions), last(20_480, fractions)
text, field = last(20_480, '{"last":true,"price":"1.5"}\n'), last(20_480, '{"last":true,"price":1,"size":2}\n')
print(f"from row 20,480: {within}\nfrom row 20,481: {beyond}\nas text: {text[:90]}\na new field: {field[:120]}")
assert within == ("DOUBLE", [1.5, 0.4]), within
assert beyond == ("BIGINT", [2, 0]), beyond
assert "Failed to cast" in text, text
assert "unknown key" in field, field
EOF
