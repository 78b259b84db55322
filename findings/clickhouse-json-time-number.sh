#!/usr/bin/env bash
# ClickHouse 26.9.2 (chdb 4.4.0): milliseconds in quotes are read as that time, as a JSON number as the end of the year 9999.
#
# Expected: for DateTime64(3) an integer counts milliseconds, as its documentation says and CSV reads it; or one that makes no
# sense as a time is an error.
# Seen: in JSON (also in VALUES) a number is seconds, text of more than ten digits is ticks; what is beyond the last year is
# that year's end, in silence. Every row then has one time: order, windows and a TTL go with it. Exchanges send
# milliseconds as numbers. Read them as Int64 and make the time with fromUnixTimestamp64Milli.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet --disable-pip-version-check chdb==4.4.0
"$work/venv/bin/python" - <<'EOF'
import chdb


def ask(query: str) -> str:
    return str(chdb.query(query, "TSV")).strip()


def read(form: str, text: str, kind: str = "DateTime64(3, \\'UTC\\')") -> str:
    return ask(f"SELECT * FROM format({form}, 't {kind}', '{text}')")


print("chdb", chdb.__version__, "ClickHouse", ask("SELECT version()"))
number, quoted = read("JSONEachRow", '{"t":1795933164725}'), read("JSONEachRow", '{"t":"1795933164725"}')
later, values = read("JSONEachRow", '{"t":1795940000000}'), read("Values", "(1795933164725)")
csv = read("CSV", "1795933164725")
made = ask("""SELECT fromUnixTimestamp64Milli(t, 'UTC') FROM format(JSONEachRow, 't Int64', '{"t":1795933164725}')""")
print(f"number: {number}, two hours later: {later}, in VALUES: {values}")
print(f"quoted: {quoted}, in CSV: {csv}, as Int64 and then made a time: {made}")
assert number == later == values, (number, later, values)
assert number.startswith("9999-12-31 23:59:59"), number
assert quoted == csv == made == "2026-11-29 06:19:24.725", (quoted, csv, made)
EOF
