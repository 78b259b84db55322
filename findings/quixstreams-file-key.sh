#!/usr/bin/env bash
# quixstreams 3.28.1 (Python): its sinks for files write the name of a Python object where a record's key should be.
#
# Expected: the key, as it is for bytes; null for a record without one.
# Seen: only bytes are written as they are. With key_deserializer="str", and for every record without a key, `_key` is
# "<quixstreams.sinks.base.item.SinkItem object at 0x…>", in JSON and in Parquet: the text is made of the record instead of its key.
# Memory is used again, so two records can have the same text. The sinks for S3 and Azure have the same formats. Keys as bytes, the
# default, are right.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet --disable-pip-version-check "quixstreams[parquet]==3.28.1" pyarrow==26.0.1
cd "$work"
venv/bin/python -W ignore - <<'EOF'
import json
from importlib.metadata import version
from pathlib import Path

import pyarrow.parquet as pq
from quixstreams.sinks.community.file.local import LocalFileSink


def stored(format: str, key: bytes | str | None) -> str | None:
    folder = Path(format, type(key).__name__)  # the sink refuses most signs in a path
    sink = LocalFileSink(directory=str(folder), format=format)
    sink.setup()
    sink.add({"symbol": "BTC-USDT"}, key, 1795933164725, [], "ticks", 0, 0)
    sink.flush()
    (file,) = (path for path in folder.rglob("*") if path.is_file())
    row = pq.read_table(file).to_pylist()[0] if format == "parquet" else json.loads(file.read_text())
    return row["_key"]


print("quixstreams", version("quixstreams"))
for format in ("json", "parquet"):
    found = [stored(format, key) for key in (b"binance|BTC-USDT", "binance|BTC-USDT", None)]
    print(f"{format}, the key as bytes, as text, and none:", *found, sep="\n  ")
    assert found[0] == "binance|BTC-USDT", found
    for key in found[1:]:
        assert key is not None and key.startswith("<quixstreams.sinks.base.item.SinkItem object at 0x"), found
EOF
