#!/usr/bin/env bash
# quixstreams 3.28.1 (Python): PostgreSQLSink loses every field that the first record of a batch does not have, or has as null.
#
# Expected: the values of each record are in its row; a field that appears later gets a column, as `schema_auto_update` says.
# Seen: a batch is inserted with the columns of its first row, and null is left out of a row. So after a ticker without a bid, as a
# thin market sends it, the bids of all others of the batch are NULL, and those of a field that appears in the second record as
# well, though its column is created. With an upsert the old value stays, and looks like the new one. There is no error, and the
# offsets are committed. The other order of the same records is right. A batch is what came between two commits.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet --disable-pip-version-check "quixstreams[postgresql]==3.28.1" pgserver==0.1.4
"$work/venv/bin/python" -W ignore - "$work" <<'EOF'
import sys
from importlib.metadata import version

import pgserver
import psycopg2
from quixstreams.sinks.community.postgresql import PostgreSQLSink

quiet = {"symbol": "BTC-USDT", "bid": None, "ask": "65000.2"}
usual = {"symbol": "ETH-USDT", "bid": "3000.1", "ask": "3000.2", "last": "3000.15"}
server = pgserver.get_server(f"{sys.argv[1]}/data")
folder = server.get_uri().partition("host=")[2]
connection = psycopg2.connect(server.get_uri())
print("quixstreams", version("quixstreams"), "PostgreSQL", connection.info.server_version)


def stored(table: str, batches: list[list[dict[str, str | None]]], **settings: object) -> list[tuple[str | None, ...]]:
    sink = PostgreSQLSink(folder, 5432, "postgres", "postgres", "", table, include_metadata=False, **settings)
    sink.setup()
    offset = 0
    for batch in batches:
        for value in batch:
            sink.add(dict(value), b"key", 1795933164725, [], "ticks", 0, offset)
            offset += 1
        sink.flush()
    with connection, connection.cursor() as cursor:
        cursor.execute(f"SELECT symbol, bid, ask, last FROM {table} ORDER BY symbol")
        return cursor.fetchall()


found = {
    "quiet first": stored("quiet_first", [[quiet, usual]]),
    "usual first": stored("usual_first", [[usual, quiet]]),
    "upsert": stored(
        "upsert",
        [[usual], [quiet, usual | {"bid": "3111.1", "ask": "3111.2"}]],
        primary_key_columns="symbol",
        upsert_on_primary_key=True,
    ),
}
connection.close()
server.cleanup()
for name, rows in found.items():
    print(f"{name}:", *rows)
right = [("BTC-USDT", None, "65000.2", None), ("ETH-USDT", "3000.1", "3000.2", "3000.15")]
assert found["usual first"] == right, found
assert found["quiet first"] == [right[0], ("ETH-USDT", None, "3000.2", None)], found
assert found["upsert"] == [right[0], ("ETH-USDT", "3000.1", "3111.2", "3000.15")], found
EOF
