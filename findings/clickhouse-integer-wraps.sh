#!/usr/bin/env bash
# ClickHouse 26.9.2 (chdb 4.4.0): an integer that is too large for its column loses its upper bits when it is read.
#
# Expected: an error, which a decimal that is too large gets in the same place.
# Seen: in JSON and CSV alike, 9223372036854775808 in an Int64 is -9223372036854775808, 256 in a UInt8 is 0, and the "id" of 26
# digits that HTX sends with a trade is 8307568275426411371 in a UInt64. toInt64 of text does it as well, and
# toInt64OrNull and accurateCastOrNull give null. UInt256 or String holds them.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet --disable-pip-version-check chdb==4.4.0
"$work/venv/bin/python" - <<'EOF'
import chdb


def ask(query: str) -> str:
    try:
        return str(chdb.query(query, "TSV")).strip()
    except RuntimeError as error:
        return "refused" if "ARGUMENT_OUT_OF_BOUND" in str(error) else str(error)


print("chdb", chdb.__version__, "ClickHouse", ask("SELECT version()"))
cases = [("Int64", "9223372036854775808"), ("UInt8", "256"), ("UInt64", "10180194512782291967181675")]
seen = []
for kind, number in [*cases, ("UInt256", "10180194512782291967181675"), ("Decimal(9, 2)", "99999999999.99")]:
    rows = {"JSONEachRow": f'{{"n":{number}}}', "CSV": number}
    found = [ask(f"SELECT * FROM format({form}, 'n {kind}', '{text}')") for form, text in rows.items()]
    print(f"{number} in {kind}, from JSON and CSV: {found}")
    seen.append(found)
cast = ask("SELECT toInt64('9223372036854775808'), toInt64OrNull('9223372036854775808'), accurateCastOrNull('256', 'UInt8')")
print("toInt64, toInt64OrNull, accurateCastOrNull:", cast)
wrapped = ["-9223372036854775808", "0", "8307568275426411371"]
assert seen == [[one, one] for one in [*wrapped, "10180194512782291967181675", "refused"]], seen
assert cast == "-9223372036854775808\t\\N\t\\N", cast
EOF
