#!/usr/bin/env bash
# KafkaJS 2.2.4: a consumer of committed records gets a part of an aborted transaction, if one that began later was aborted first.
#
# Expected: with readUncommitted false, the default, no record of a transaction that was not committed.
# Seen: the broker lists aborted transactions in the order in which they ended, and KafkaJS takes them to be in the order in which
# they began. So it looks for a only after b: of a1 a2 b a3, with b's transaction aborted before that of a, it gives a1 and a2,
# and not a3. Aborted in the order in which they began, none is given. It takes no more than two writers that give up together.
# confluent-kafka 2.16.1 gives none either way.
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
npm install --silent --no-audit --no-fund --prefix "$work" kafkajs@2.2.4
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
transaction.state.log.replication.factor=1
transaction.state.log.num.partitions=1
transaction.state.log.min.isr=1
group.initial.rebalance.delay.ms=0
EOF
java -cp "$work/libs/*" kafka.tools.StorageTool format --cluster-id=AAAAAAAAAAAAAAAAAAAAAA -c "$work/server.properties" > "$work/log" 2>&1
java -Xmx512m -cp "$work/libs/*" kafka.Kafka "$work/server.properties" >> "$work/log" 2>&1 &
broker=$!
"$work/venv/bin/python" - "$port" <<'EOF'
import sys
import time

import confluent_kafka
from confluent_kafka import Consumer, KafkaException, Producer, TopicPartition
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


def read(isolation: str, topic: str) -> list[str]:
    level = {"isolation.level": isolation, "group.id": "group", "enable.partition.eof": True}
    consumer, values = Consumer(client | level), []
    consumer.assign([TopicPartition(topic, 0, 0)])
    while (message := consumer.poll(30)) is not None and message.error() is None:
        values.append(message.value().decode())
    assert message is not None, "the end was not reached"
    consumer.close()
    return values


def ended(topic: str, stored: int) -> None:
    """Waits for the markers behind transactions, which are written a little after the client is told that one has ended."""
    consumer = Consumer(client | {"isolation.level": "read_uncommitted", "group.id": "group"})
    while consumer.get_watermark_offsets(TopicPartition(topic, 0), timeout=30)[1] < stored:
        assert time.monotonic() < deadline, "a transaction does not end"
        time.sleep(0.1)
    consumer.close()


writers, deadline = {}, time.monotonic() + 60
for name in "abc":
    writers[name] = Producer(client | {"transactional.id": name})
    writers[name].init_transactions(60)
for topic, ends in (("in-order", "ab"), ("crossed", "ba")):
    admin.create_topics([NewTopic(topic, 1)])[topic].result(30)
    writers["a"].begin_transaction()
    writers["b"].begin_transaction()
    for value in ("a1", "a2", "b", "a3"):
        writers[value[0]].produce(topic, value.encode())
        assert writers[value[0]].flush(30) == 0
    for stored, name in enumerate(ends, 5):
        writers[name].abort_transaction(60)
        ended(topic, stored)
    writers["c"].begin_transaction()
    writers["c"].produce(topic, b"committed")
    writers["c"].commit_transaction(60)
    ended(topic, 8)
    assert read("read_uncommitted", topic) == ["a1", "a2", "b", "a3", "committed"]
    committed = read("read_committed", topic)
    print("confluent-kafka, read_committed:", topic, *committed)
    assert committed == ["committed"], committed
EOF
cd "$work"
cat > read.js <<'EOF'
const { Kafka, logLevel } = require('kafkajs')

async function run(port) {
  const kafka = new Kafka({ clientId: 'finding', brokers: [`127.0.0.1:${port}`], logLevel: logLevel.ERROR })
  const consumer = kafka.consumer({ groupId: 'readers', readUncommitted: false })
  const values = { 'in-order': [], crossed: [] }
  await consumer.connect()
  await consumer.subscribe({ topics: Object.keys(values), fromBeginning: true })
  await new Promise((done) =>
    consumer.run({
      eachMessage: async ({ topic, message }) => {
        values[topic].push(message.value.toString())
        if (Object.values(values).every((some) => some.includes('committed'))) done()
      }
    })
  )
  await consumer.disconnect()
  for (const topic in values) console.log(topic, ...values[topic])
}

run(process.argv[2])
EOF
timeout 90 node read.js "$port" > seen
echo "KafkaJS $(node -p 'require("kafkajs/package.json").version'), readUncommitted: false:"
cat seen
diff seen - <<'EOF'
in-order committed
crossed a1 a2 committed
EOF
