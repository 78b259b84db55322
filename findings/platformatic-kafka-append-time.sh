#!/usr/bin/env bash
# @platformatic/kafka 1.35.0 (npm): if a topic stores the broker's time, `timestamp` is still the producer's.
#
# Expected: with message.timestamp.type=LogAppendTime a record's time is the one at which the broker stored it (KIP-32), as
# KafkaJS 2.2.4 gives it.
# Seen: it is what the producer wrote, a day before here: the broker sets one time and one bit for a whole batch, and both are
# passed over. The client's search by time is done by the broker, so the first record "since an hour ago" says that it is a day
# old, and an age computed from it is off by as much as the producer's clock. Read in 2.12.1 too, which needs a later Node.js.
#
# Needs Java 17, Maven and Node.js.
set -euo pipefail
work=$(mktemp -d)
broker=
trap '[ -z "$broker" ] || { kill -9 "$broker"; wait "$broker" 2> /dev/null; } || true; rm -rf "$work"' EXIT
cat > "$work/pom.xml" <<'EOF'
<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion><groupId>finding</groupId><artifactId>finding</artifactId><version>1</version>
  <dependencies>
    <dependency><groupId>org.apache.kafka</groupId><artifactId>kafka_2.13</artifactId><version>4.3.0</version></dependency>
    <dependency><groupId>org.slf4j</groupId><artifactId>slf4j-simple</artifactId><version>1.7.36</version></dependency>
  </dependencies>
</project>
EOF
mvn -q -B -Dstyle.color=never -f "$work/pom.xml" dependency:copy-dependencies -DoutputDirectory="$work/libs" -DincludeScope=runtime
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet --disable-pip-version-check confluent-kafka==2.16.1
npm install --silent --no-audit --no-fund --prefix "$work" @platformatic/kafka@1.35.0 kafkajs@2.2.4
read -r port controller < <(python3 - <<'EOF'
import socket

sockets = [socket.socket() for _ in range(2)]
for one in sockets:
    one.bind(("127.0.0.1", 0))
print(*(one.getsockname()[1] for one in sockets))
EOF
)
cat > "$work/server.properties" <<EOF
process.roles=broker,controller
node.id=1
controller.quorum.voters=1@127.0.0.1:$controller
listeners=PLAINTEXT://127.0.0.1:$port,CONTROLLER://127.0.0.1:$controller
advertised.listeners=PLAINTEXT://127.0.0.1:$port
controller.listener.names=CONTROLLER
listener.security.protocol.map=CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT
log.dirs=$work/data
offsets.topic.replication.factor=1
group.initial.rebalance.delay.ms=0
EOF
java -cp "$work/libs/*" kafka.tools.StorageTool format --cluster-id=AAAAAAAAAAAAAAAAAAAAAA -c "$work/server.properties" > "$work/log" 2>&1
java -Xmx512m -cp "$work/libs/*" kafka.Kafka "$work/server.properties" >> "$work/log" 2>&1 &
broker=$!
cd "$work"
venv/bin/python - "$port" <<'EOF'
import sys
import time

import confluent_kafka
from confluent_kafka import KafkaException, Producer
from confluent_kafka.admin import AdminClient, NewTopic

print("Apache Kafka 4.3.0, confluent-kafka", confluent_kafka.version())
client = {"bootstrap.servers": f"127.0.0.1:{sys.argv[1]}", "log_level": 0}
admin, deadline = AdminClient(client), time.monotonic() + 90
while True:
    try:
        admin.list_topics(timeout=2)
    except KafkaException:
        assert time.monotonic() < deadline, "the broker does not answer"
    else:
        break
settings = {"message.timestamp.type": "LogAppendTime"}
admin.create_topics([NewTopic("topic", 1, config=settings)])["topic"].result(30)
producer, yesterday = Producer(client), int(time.time() * 1000) - 24 * 3_600_000
for second in range(3):
    producer.produce("topic", f"record {second}".encode(), timestamp=yesterday + second * 1000)
assert producer.flush(30) == 0
EOF
cat > read.js <<'EOF'
const fs = require('node:fs')
const { Consumer, stringDeserializers } = require('@platformatic/kafka')
const { Kafka, logLevel } = require('kafkajs')
const path = require.resolve('@platformatic/kafka').replace(/dist.*/, 'package.json')
const version = JSON.parse(fs.readFileSync(path)).version
const address = `127.0.0.1:${process.argv[2]}`
const hours = (time) => Math.round((Date.now() - Number(time)) / 3_600_000)

async function kafkajs() {
  const consumer = new Kafka({ clientId: 'finding', brokers: [address], logLevel: logLevel.ERROR }).consumer({ groupId: 'one' })
  const ages = []
  await consumer.connect()
  await consumer.subscribe({ topics: ['topic'], fromBeginning: true })
  await new Promise((done) =>
    consumer.run({ eachMessage: async ({ message }) => ages.push(hours(message.timestamp)) === 3 && done() })
  )
  await consumer.disconnect()
  console.log('KafkaJS', require('kafkajs/package.json').version, 'hours old:', ...ages)
}

async function platformatic() {
  const client = { clientId: 'finding', bootstrapBrokers: [address], deserializers: stringDeserializers }
  const consumer = new Consumer({ groupId: 'two', ...client })
  const since = BigInt(Date.now() - 3_600_000)
  const found = await consumer.listOffsets({ topics: ['topic'], timestamp: since })
  console.log('@platformatic/kafka', version, 'first since an hour ago:', Number(found.get('topic')[0]))
  const stream = await consumer.consume({ topics: ['topic'], mode: 'earliest', autocommit: false })
  const ages = []
  await new Promise((done) => stream.on('data', (message) => ages.push(hours(message.timestamp)) === 3 && done()))
  await consumer.close(true)
  console.log('@platformatic/kafka', version, 'hours old:', ...ages)
}

kafkajs().then(platformatic)
EOF
timeout 90 node read.js "$port" > seen
cat seen
diff seen - <<'EOF'
KafkaJS 2.2.4 hours old: 0 0 0
@platformatic/kafka 1.35.0 first since an hour ago: 0
@platformatic/kafka 1.35.0 hours old: 24 24 24
EOF
