#!/usr/bin/env bash
# Apache Kafka 4.3.0 and confluent-kafka 2.16.1: one record with a time too far ahead refuses its neighbours as well, and each
# is told that its own time is invalid.
#
# Expected: the broker's answer names the records that are wrong, so the others are stored, or come back with another error.
# Seen: of three records in one batch, the second three hours ahead, all three fail with INVALID_TIMESTAMP and none is stored.
# Whoever drops a record for its time drops good ones with it; sent again alone, they are taken.
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
"$work/venv/bin/pip" install --quiet --disable-pip-version-check confluent-kafka==2.16.1
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
admin.create_topics([NewTopic("topic", 1)])["topic"].result(30)
now, answers = int(time.time() * 1000), {}


def send(**times: int) -> None:
    producer = Producer(client | {"linger.ms": 1000})
    for name, stamp in times.items():

        def told(error: object, _message: object, name: str = name) -> None:
            answers[name] = error.name() if error else "stored"

        producer.produce("topic", name.encode(), timestamp=stamp, on_delivery=told)
    assert producer.flush(30) == 0


send(first=now, ahead=now + 3 * 3_600_000, third=now)
together = dict(answers)
consumer = Consumer(client | {"group.id": "group"})
stored = consumer.get_watermark_offsets(TopicPartition("topic", 0), timeout=10)[1]
answers.clear()
send(first=now, third=now)
consumer.close()
print("together:", together, "stored:", stored, "without the one ahead:", answers)
assert set(together.values()) == {"INVALID_TIMESTAMP"}, together
assert stored == 0, stored
assert answers == {"first": "stored", "third": "stored"}, answers
EOF
