#!/usr/bin/env bash
# arcticdb 6.28.2: a Python float in a query is made a 32-bit one, so filters miss the price they name and sums are wrong.
#
# Expected: "Syntax is designed to be similar to Pandas": a column of doubles compared with 65000.1, or multiplied by it, gives
# what pandas gives, as Python's float is a double too.
# Seen: 65000.1 becomes 65000.1015625. So price == 65000.1 finds nothing where isin([65000.1]) finds the row, price < 65000.1 has
# the row of 65000.1, price >= 65000.1 has not, and 0.5 * 65000.1 is 32500.05078125. A column of integers compared with 16777216.0
# has 16777217 as well. A constant that is a double in numpy's dress, numpy.float64(65000.1), is compared as it is.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet --disable-pip-version-check arcticdb==6.28.2 numpy==2.4.6 pandas==2.3.3
cd "$work"
venv/bin/python - <<'EOF'
import arcticdb as adb
import numpy as np
import pandas as pd

print("arcticdb", adb.__version__, "numpy", np.__version__, "pandas", pd.__version__)
prices, sizes = [65000.0, 65000.1, 65000.2], [0.25, 0.5, 0.75]
trades = pd.DataFrame(
    {"price": prices, "size": sizes, "id": [16777215, 16777216, 16777217]},
    index=pd.date_range("2026-11-30", periods=3, freq="s"),
)
library = adb.Arctic("lmdb://data").create_library("trades")
library.write("BTC-USDT", trades)


def found(condition) -> list[float]:
    """Give the prices that a query finds."""
    query = adb.QueryBuilder()
    return list(library.read("BTC-USDT", query_builder=query[condition(query)]).data["price"])


filters = {
    "price == 65000.1": (lambda table: table["price"] == 65000.1, []),
    "price < 65000.1": (lambda table: table["price"] < 65000.1, [65000.0, 65000.1]),
    "price >= 65000.1": (lambda table: table["price"] >= 65000.1, [65000.2]),
    "price in [65000.1]": (lambda table: table["price"].isin([65000.1]), [65000.1]),
    "price == numpy.float64(65000.1)": (lambda table: table["price"] == np.float64(65000.1), [65000.1]),
    "id == 16777216.0": (lambda table: table["id"] == 16777216.0, [65000.1, 65000.2]),
}
for name, (condition, expected) in filters.items():
    print(f"{name}: {found(condition)}, pandas {list(trades[condition(trades)]['price'])}")
    assert found(condition) == expected, name

query = adb.QueryBuilder()
query = query.apply("value", query["size"] * 65000.1)
values = list(library.read("BTC-USDT", query_builder=query).data["value"])
print(f"size * 65000.1: {values}, pandas {list(trades['size'] * 65000.1)}")
assert values == [16250.025390625, 32500.05078125, 48750.076171875], values
assert list(trades["size"] * 65000.1)[1] == 32500.05
EOF
