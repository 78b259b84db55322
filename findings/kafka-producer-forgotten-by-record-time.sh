#!/usr/bin/env bash
# Apache Kafka 4.3.0 and confluent-kafka 2.16.1: an idempotent producer whose records' times are more than a day old is
# forgotten when the broker starts again, and what it sends once more is then stored twice.
#
# Expected: `producer.id.expiration.ms` (a day by default), for which "a topic partition leader will wait before expiring
# producer IDs", counts from when a producer last wrote. So a batch whose answer was lost because the broker was killed is
# recognised when it comes again, whatever times its records have.
# Seen: it counts from the largest time in the producer's last batch. Records of now are stored once; the same with times of
# two days ago are stored twice. Whoever sends old records (a backfill, a queue on disk) has at-least-once there.
#
# Needs Java 17 and Maven.
set -euo pipefail
work=$(mktemp -d)
trap '[ ! -s "$work/pid" ] || kill -9 "$(cat "$work/pid")" 2> /dev/null || true; rm -rf "$work"' EXIT
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
read -r port inner controller < <(python3 - <<'EOF'
import socket

sockets = [socket.socket() for _ in range(3)]
for one in sockets:
    one.bind(("127.0.0.1", 0))
print(*(one.getsockname()[1] for one in sockets))
EOF
)
# Producers go by a proxy, which holds the broker's answers back for a while; everybody else asks the broker itself.
cat > "$work/server.properties" <<EOF
process.roles=broker,controller
node.id=1
controller.quorum.voters=1@127.0.0.1:$controller
listeners=PLAINTEXT://127.0.0.1:$port,PROXIED://127.0.0.1:$inner,CONTROLLER://127.0.0.1:$controller
advertised.listeners=PLAINTEXT://127.0.0.1:$port,PROXIED://127.0.0.1:PROXY
controller.listener.names=CONTROLLER
listener.security.protocol.map=CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT,PROXIED:PLAINTEXT
log.dirs=$work/data
offsets.topic.replication.factor=1
EOF
"$work/venv/bin/python" - "$work" "$port" "$inner" <<'EOF'
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import confluent_kafka
from confluent_kafka import Consumer, KafkaException, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic

work, port, inner = Path(sys.argv[1]), *map(int, sys.argv[2:])
print("Apache Kafka 4.3.0, confluent-kafka", confluent_kafka.version())
answers = threading.Event()  # whether the broker's answers reach producers
answers.set()
listener = socket.create_server(("127.0.0.1", 0))


def carry(source: socket.socket, target: socket.socket, gate: threading.Event | None) -> None:
    try:
        while data := source.recv(65536):
            if gate is None or gate.is_set():
                target.sendall(data)
    except OSError:
        pass
    for one in (source, target):
        try:
            one.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass


def serve() -> None:
    while True:
        client, _ = listener.accept()
        try:
            broker = socket.create_connection(("127.0.0.1", inner))
        except OSError:
            client.close()
            continue
        threading.Thread(target=carry, args=(client, broker, None), daemon=True).start()
        threading.Thread(target=carry, args=(broker, client, answers), daemon=True).start()


threading.Thread(target=serve, daemon=True).start()
proxy = listener.getsockname()[1]
properties = work / "server.properties"
properties.write_text(properties.read_text().replace("PROXY", str(proxy)).replace(f"{proxy}IED", "PROXIED"))
java, log = ["java", "-Xmx512m", "-cp", f"{work}/libs/*"], (work / "log").open("ab")
identity = "--cluster-id=AAAAAAAAAAAAAAAAAAAAAA"
subprocess.run([*java, "kafka.tools.StorageTool", "format", identity, "-c", properties], stdout=log, stderr=log, check=True)
direct = {"bootstrap.servers": f"127.0.0.1:{port}", "log_level": 0}


def start() -> subprocess.Popen[bytes]:
    broker = subprocess.Popen([*java, "kafka.Kafka", properties], stdout=log, stderr=log)
    (work / "pid").write_text(str(broker.pid))
    deadline = time.monotonic() + 90
    while True:
        try:
            AdminClient(direct).list_topics(timeout=2)
        except KafkaException:
            assert time.monotonic() < deadline, "the broker does not answer"
        else:
            return broker


def stored(topic: str) -> int:
    consumer = Consumer(direct | {"group.id": "group"})
    try:
        return consumer.get_watermark_offsets(TopicPartition(topic, 0), timeout=30)[1]
    finally:
        consumer.close()


broker, now, counts, acknowledged = start(), int(time.time() * 1000), {}, {}
admin = AdminClient(direct)
for topic, age_h in (("now", 0), ("old", 48)):
    admin.create_topics([NewTopic(topic, 1)])[topic].result(30)
    answers.set()
    told: list[object] = []
    producer = Producer({"bootstrap.servers": f"127.0.0.1:{proxy}", "log_level": 0, "enable.idempotence": True})

    def send(name: bytes) -> None:
        producer.produce(topic, name, timestamp=now - age_h * 3_600_000, on_delivery=lambda error, _: told.append(error))

    send(b"first")
    assert producer.flush(30) == 0
    answers.clear()
    send(b"second")
    deadline = time.monotonic() + 30
    while stored(topic) < 2:
        producer.poll(0.1)
        assert time.monotonic() < deadline, "the second record is not stored"
    broker.send_signal(signal.SIGKILL)
    broker.wait()
    answers.set()
    broker = start()
    assert producer.flush(60) == 0
    assert told == [None, None], told
    counts[topic] = stored(topic)
print("two records each, the broker killed before it could acknowledge the second; stored:", counts)
os.kill(broker.pid, signal.SIGKILL)
assert counts == {"now": 2, "old": 3}, counts
EOF
