#!/usr/bin/env bash
# Polars 2.1.0: a product of decimals keeps the places of its factors, so small amounts become zero.
#
# Expected: twice the places, as in DuckDB and PostgreSQL, which add them up, or an error.
# Seen: 0.000001 * 0.000001 in Decimal(28, 6) is 0.000000, without a word; a fee or a dust amount is gone.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet --disable-pip-version-check polars==2.1.0
"$work/venv/bin/python" - <<'EOF'
import polars as pl

print("polars", pl.__version__)
small = pl.Series(["0.000001"]).cast(pl.Decimal(28, 6))
product = small * small
print(product.dtype, product[0])
assert product.dtype.scale == 6, product.dtype
assert product[0] == 0, product[0]
EOF
