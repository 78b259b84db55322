#!/usr/bin/env bash
# influxdb-client 1.50.0 (Python): a time given as text loses its nanoseconds, and trades of one microsecond replace each other.
#
# Expected: with WritePrecision.NS, the default, "...24.725686123Z" is 1795933164725686123.
# Seen: it is 1795933164725686000, without a word; as an integer all nine digits stay. InfluxDB keeps one point for each time
# and set of tags, so of two trades within a microsecond the second replaces the first, and the volume is short.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet --disable-pip-version-check influxdb-client==1.50.0
"$work/venv/bin/python" - <<'EOF'
from importlib.metadata import version

from influxdb_client import Point, WritePrecision

print("influxdb-client", version("influxdb-client"))


def stored(time: object) -> int:
    line = Point("trades").tag("symbol", "BTC-USDT").field("size", 1.0).time(time, WritePrecision.NS).to_line_protocol()
    return int(line.split()[-1])


first, second = (stored(f"2026-11-29T06:19:24.725686{digits}Z") for digits in ("123", "987"))
whole = stored(1795933164725686123)
print("two times given as text:", first, second, "as an integer:", whole)
assert first == second == 1795933164725686000, (first, second)
assert whole == 1795933164725686123, whole
EOF
