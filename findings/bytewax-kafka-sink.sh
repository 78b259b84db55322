#!/usr/bin/env bash
# bytewax 0.21.1: a record that Kafka refuses is lost; the dataflow ends without an error, and recovery resumes after it.
#
# Expected: an error when the epoch ends at the latest, as KafkaSink "can support at-least-once processing", so that a run that
# resumes sends the record again.
# Seen: KafkaSink asks for no delivery report, and its flush() waits until none is on its way, stored or failed. Of three records,
# the second larger than the topic takes, two are stored, nothing is printed, the exit code is 0, and a run that resumes from
# the recovery store sends nothing. confluent-kafka 2.16.1 below it says MSG_SIZE_TOO_LARGE to whoever asks; what is denied, or
# times out while brokers are away, is reported in the same way.
#
# Needs Java 17 and Maven.
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
"$work/venv/bin/pip" install --quiet --disable-pip-version-check bytewax==0.21.1 confluent-kafka==2.16.1
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
client, told = {"bootstrap.servers": f"127.0.0.1:{sys.argv[1]}", "log_level": 0}, []
admin, deadline = AdminClient(client), time.monotonic() + 90
while True:
    try:
        admin.list_topics(timeout=2)
    except KafkaException:
        assert time.monotonic() < deadline, "the broker does not answer"
    else:
        break
admin.create_topics([NewTopic("topic", 1, config={"max.message.bytes": "1000"})])["topic"].result(30)
producer = Producer(client)
producer.produce("topic", bytes(2000), on_delivery=lambda error, _: told.append(error.name()))
assert producer.flush(30) == 0
print("a record of 2,000 bytes:", *told)
assert told == ["MSG_SIZE_TOO_LARGE"], told
EOF
cat > flow.py <<'EOF'
import os

import bytewax.operators as op
from bytewax.connectors.kafka import KafkaSink, KafkaSinkMessage
from bytewax.dataflow import Dataflow
from bytewax.testing import TestingSource

records = [KafkaSinkMessage(b"key", value) for value in (b"first", bytes(2000), b"third")]
flow = Dataflow("finding")
op.output("out", op.input("in", flow, TestingSource(records)), KafkaSink([f"127.0.0.1:{os.environ['PORT']}"], "topic"))
EOF
mkdir recovery
venv/bin/python -m bytewax.recovery recovery 1
echo "bytewax $(venv/bin/python -c 'from importlib.metadata import version; print(version("bytewax"))')"
for run in first second; do
  PORT=$port venv/bin/python -m bytewax.run flow -r recovery --snapshot-interval 0 --backup-interval 0 > printed 2>&1
  echo "$run run: exit code 0, $(wc -c < printed) bytes printed"
  diff printed /dev/null
done
venv/bin/python - "$port" <<'EOF'
import sys

from confluent_kafka import Consumer, TopicPartition

client = {"bootstrap.servers": f"127.0.0.1:{sys.argv[1]}", "log_level": 0, "group.id": "group", "enable.partition.eof": True}
consumer, values = Consumer(client), []
consumer.assign([TopicPartition("topic", 0, 0)])
while (message := consumer.poll(30)) is not None and message.error() is None:
    values.append(message.value())
consumer.close()
print("stored after both:", *values)
assert values == [b"first", b"third"], values
EOF
