#!/usr/bin/env bash
# datafusion 55.0.0 (Python): WHERE price = 139643.8 does not find that price in a DECIMAL column; nearly half of all are lost so.
#
# Expected: a number with a point in SQL is a decimal, as in the standard, DuckDB, Spark or PostgreSQL; or, if it is a double,
# a price of two places finds itself all the same.
# Seen: it is a double, and the double becomes a decimal of more places than a double has, where its error shows. Of 300 prices
# of one or two places below a million, 145 are not found in DECIMAL(28, 8), the scale of most exchanges; the same text in
# quotes is always found. That the number is a double is known (issue 14612 of apache/datafusion): with
# datafusion.sql_parser.parse_float_as_decimal, which is off, all are found.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet --disable-pip-version-check datafusion==55.0.0 pyarrow==26.0.1
"$work/venv/bin/python" - <<'EOF'
import random
from decimal import Decimal

import datafusion
import pyarrow as pa
from datafusion import SessionConfig, SessionContext

print("datafusion", datafusion.__version__)
random.seed(1)
texts = sorted({str(Decimal(random.randint(1, 9_999_999)).scaleb(-random.choice([1, 2]))) for _ in range(300)})
prices = pa.table({"price": pa.array([Decimal(text) for text in texts], pa.decimal128(28, 8))})


def lost(quote: str, as_decimal: str) -> list[str]:
    context = SessionContext(SessionConfig().set("datafusion.sql_parser.parse_float_as_decimal", as_decimal))
    context.from_arrow(prices, name="prices")
    queries = {text: f"SELECT price FROM prices WHERE price = {quote}{text}{quote}" for text in texts}
    return [text for text, query in queries.items() if not context.sql(query).to_pydict()["price"]]


missed = lost("", "false")
print(f"of {len(texts)} prices {len(missed)} are not found, such as {missed[0]}; in quotes", len(lost("'", "false")))
print("with parse_float_as_decimal", len(lost("", "true")))
assert (len(texts), len(missed)) == (300, 145), missed
assert not lost("'", "false")
assert not lost("", "true")
EOF
