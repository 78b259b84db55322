#!/usr/bin/env bash
# Apache Kafka 4.3.1 and confluent-kafka 2.16.1 (librdkafka 2.16.0): when one of three nodes freezes, clients that have all
# three addresses write and read nothing for a minute, although Kafka has a new leader for every partition after a few
# seconds.
#
# Expected: a node that does not answer is told apart by asking another one who leads its partitions, as soon as Kafka
# itself has given it up (9 seconds, `broker.session.timeout.ms`), and the client goes on there.
# Seen: the client waits for the frozen node's answer, and asks nobody else before `socket.timeout.ms` is over, a minute by
# default. With 15 seconds the same client goes on after about 16.
#
# Takes two minutes. Needs Java 17 and Maven.
set -euo pipefail
work=$(mktemp -d)
trap 'kill -9 $(cat "$work"/pid-* 2> /dev/null) 2> /dev/null || true; rm -rf "$work"' EXIT
cat > "$work/pom.xml" <<'EOF'
<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion><groupId>finding</groupId><artifactId>finding</artifactId><version>1</version>
  <dependencies>
    <dependency><groupId>org.apache.kafka</groupId><artifactId>kafka_2.13</artifactId><version>4.3.1</version></dependency>
    <dependency><groupId>org.slf4j</groupId><artifactId>slf4j-simple</artifactId><version>1.7.36</version></dependency>
  </dependencies>
</project>
EOF
mvn -q -B -Dstyle.color=never -f "$work/pom.xml" dependency:copy-dependencies -DoutputDirectory="$work/libs" -DincludeScope=runtime
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet --disable-pip-version-check confluent-kafka==2.16.1
"$work/venv/bin/python" - "$work" <<'EOF'
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

work = Path(sys.argv[1])
print("Apache Kafka 4.3.1, confluent-kafka", confluent_kafka.version(), "librdkafka", confluent_kafka.libversion()[0])
NODES = 1, 2, 3
sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(6)]
ports = [one.getsockname()[1] for one in sockets]
for one in sockets:
    one.close()
brokers = ",".join(f"127.0.0.1:{port}" for port in ports[:3])
java, identity = ["java", "-Xmx512m", "-cp", f"{work}/libs/*"], "--cluster-id=AAAAAAAAAAAAAAAAAAAAAA"
pids: dict[int, int] = {}
for node in NODES:
    settings, log = work / f"node-{node}.properties", (work / f"log-{node}").open("ab")
    settings.write_text(f"""\
process.roles=broker,controller
node.id={node}
controller.quorum.voters={",".join(f"{n}@127.0.0.1:{ports[2 + n]}" for n in NODES)}
listeners=PLAINTEXT://127.0.0.1:{ports[node - 1]},CONTROLLER://127.0.0.1:{ports[2 + node]}
controller.listener.names=CONTROLLER
listener.security.protocol.map=CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT
log.dirs={work}/data-{node}
default.replication.factor=3
min.insync.replicas=2
""")
    subprocess.run([*java, "kafka.tools.StorageTool", "format", identity, "-c", settings], stdout=log, stderr=log, check=True)
    pids[node] = subprocess.Popen([*java, "kafka.Kafka", settings], stdout=log, stderr=log).pid
    (work / f"pid-{node}").write_text(str(pids[node]))
quiet = {"bootstrap.servers": brokers, "log_level": 0}
admin, deadline = AdminClient(quiet), time.monotonic() + 90
while True:
    try:
        if len(admin.list_topics(timeout=2).brokers) == 3:
            break
    except KafkaException:
        pass
    assert time.monotonic() < deadline, "the nodes do not see each other"
admin.create_topics([NewTopic("topic", 6, 3)])["topic"].result(30)
over = threading.Event()
longest: dict[str, float] = {}


def note(who: str, sent: bytes) -> None:
    longest[who] = max(longest.get(who, 0.0), time.monotonic() - float(sent))


def write(who: str, more: dict[str, int]) -> None:
    producer, number = Producer(quiet | {"enable.idempotence": True, "message.timeout.ms": 0} | more), 0
    while not over.is_set():
        number += 1
        value = str(time.monotonic()).encode()
        producer.produce("topic", value, who, number % 6, on_delivery=lambda _, message: note(who, message.value()))
        producer.poll(0.05)
    producer.flush(30)


def read(who: str, more: dict[str, int]) -> None:
    consumer = Consumer(quiet | {"group.id": who} | more)
    consumer.assign([TopicPartition("topic", number, 0) for number in range(6)])
    while not over.is_set():
        message = consumer.poll(0.1)
        if message is not None and message.error() is None and message.key() == b"producer, 15 s":
            note(who, message.value())
    consumer.close()


PATIENCE = {"by default": {}, "15 s": {"socket.timeout.ms": 15_000}}
threads = [threading.Thread(target=write, args=(f"producer, {name}", more)) for name, more in PATIENCE.items()]
# Consumers look at the records of the quick producer alone.
threads += [threading.Thread(target=read, args=(f"consumer, {name}", more)) for name, more in PATIENCE.items()]
for thread in threads:
    thread.start()
time.sleep(10)
longest.clear()
os.kill(pids[1], signal.SIGSTOP)
time.sleep(75)
os.kill(pids[1], signal.SIGCONT)
time.sleep(10)
over.set()
for thread in threads:
    thread.join()
for who, seconds in sorted(longest.items()):
    print(f"{who}: the longest a record took was {seconds:.1f} s")
for who in ("producer", "consumer"):
    assert longest[f"{who}, by default"] > 55, longest
    assert longest[f"{who}, 15 s"] < 30, longest
EOF
