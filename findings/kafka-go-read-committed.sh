#!/usr/bin/env bash
# segmentio/kafka-go 0.4.51: ReadCommitted gives the records of aborted transactions, and Kafka's own markers as messages.
#
# Expected, as the field IsolationLevel says: "With ReadCommitted only non-transactional and committed records are visible."
# Seen: of two transactions, one aborted and one committed, four messages come: both records, and the marker behind each, with a
# key (00000000 for aborted, 00000001 for committed) and a value of zeros. The broker's list of what was aborted is read
# and thrown away. So a program that keeps the newest value of each key has wrong values, and two keys that nobody wrote.
#
# Needs Java 17, Maven and Go 1.24.
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


deadline = time.monotonic() + 60
admin.create_topics([NewTopic("topic", 1)])["topic"].result(30)
writer = Producer(client | {"transactional.id": "writer"})
writer.init_transactions(60)
writer.begin_transaction()
writer.produce("topic", b"aborted", b"key")
assert writer.flush(30) == 0
writer.abort_transaction(60)
ended("topic", 2)
writer.begin_transaction()
writer.produce("topic", b"committed", b"key")
writer.commit_transaction(60)
ended("topic", 4)
committed = read("read_committed", "topic")
print("confluent-kafka, read_committed:", *committed)
assert committed == ["committed"], committed
assert read("read_uncommitted", "topic") == ["aborted", "committed"]
EOF
mkdir "$work/reader"
cd "$work/reader"
cat > main.go <<'EOF'
package main

import (
	"context"
	"fmt"
	"os"
	"time"

	"github.com/segmentio/kafka-go"
)

func main() {
	reader := kafka.NewReader(kafka.ReaderConfig{
		Brokers:        []string{"127.0.0.1:" + os.Args[1]},
		Topic:          "topic",
		IsolationLevel: kafka.ReadCommitted,
		MaxWait:        time.Second,
	})
	patience, cancel := context.WithTimeout(context.Background(), 60*time.Second)
	defer cancel()
	for range 4 {
		message, err := reader.ReadMessage(patience)
		if err != nil {
			panic(err)
		}
		fmt.Printf("%d %q %q\n", message.Offset, message.Key, message.Value)
	}
}
EOF
cat > go.mod <<'EOF'
module finding

go 1.24

require github.com/segmentio/kafka-go v0.4.51
EOF
go mod tidy > log 2>&1
go run . "$port" > seen
echo "kafka-go $(go list -m -f '{{.Version}}' github.com/segmentio/kafka-go), ReadCommitted:"
cat seen
diff seen - <<'EOF'
0 "key" "aborted"
1 "\x00\x00\x00\x00" "\x00\x00\x00\x00\x00\x00"
2 "key" "committed"
3 "\x00\x00\x00\x01" "\x00\x00\x00\x00\x00\x00"
EOF
