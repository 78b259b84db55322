#!/usr/bin/env bash
# Apache Kafka 4.3.0 and confluent-kafka 2.16.1: after records that a broker refused because its disk was full, its next
# start deletes every acknowledged record of the segment.
#
# Expected: what is refused with an error that cannot be tried again (UNKNOWN_SERVER_ERROR) is not stored; with room on
# the disk the partition goes on; what was acknowledged can be read after a restart, be it an orderly one or not.
# Seen: the broker writes a batch to its log, then fails at the index beside it, which is mapped into memory and needs
# a first page. It answers with the error and keeps its end offset, so the next batch gets the same offsets. With room
# again it goes on to refuse everything, and to write it. When it is started again after a kill, it finds a batch whose
# last offset is lower than that of the one before ("Found invalid offset during recovery"), deletes the segment, and
# begins anew at offset 0.
#
# Needs Java 17, Maven, and a Linux on which everybody may mount a file system in a namespace of their own (unshare).
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
read -r port controller < <(python3 - <<'EOF'
import socket

sockets = [socket.socket() for _ in range(2)]
for one in sockets:
    one.bind(("127.0.0.1", 0))
print(*(one.getsockname()[1] for one in sockets))
EOF
)
mkdir "$work/data" "$work/metadata"
cat > "$work/server.properties" <<EOF
process.roles=broker,controller
node.id=1
controller.quorum.voters=1@127.0.0.1:$controller
listeners=PLAINTEXT://127.0.0.1:$port,CONTROLLER://127.0.0.1:$controller
controller.listener.names=CONTROLLER
log.dirs=$work/data
metadata.log.dir=$work/metadata
offsets.topic.replication.factor=1
EOF
cat > "$work/finding.py" <<'EOF'
import subprocess
import sys
import time
from pathlib import Path

import confluent_kafka
from confluent_kafka import Consumer, KafkaException, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic

work, port = Path(sys.argv[1]), sys.argv[2]
print("Apache Kafka 4.3.0, confluent-kafka", confluent_kafka.version())
properties, log = work / "server.properties", (work / "log").open("ab")
java = ["java", "-Xmx512m", "-cp", f"{work}/libs/*"]
identity = "--cluster-id=AAAAAAAAAAAAAAAAAAAAAA"
subprocess.run([*java, "kafka.tools.StorageTool", "format", identity, "-c", properties], stdout=log, stderr=log, check=True)
settings = {"bootstrap.servers": f"127.0.0.1:{port}", "log_level": 0}


def start() -> subprocess.Popen[bytes]:
    broker = subprocess.Popen([*java, "kafka.Kafka", properties], stdout=log, stderr=log)
    (work / "pid").write_text(str(broker.pid))
    deadline = time.monotonic() + 90
    while True:
        try:
            AdminClient(settings).list_topics(timeout=2)
        except KafkaException:
            assert time.monotonic() < deadline, "the broker does not answer"
        else:
            return broker


def send(topic: str, *names: str) -> list[object]:
    """Send one batch; return each record's offset, or the error's name."""
    told: list[object] = []
    producer = Producer(settings | {"acks": "all", "linger.ms": 500})
    for name in names:
        producer.produce(
            topic,
            name.encode().ljust(550),
            on_delivery=lambda error, message: told.append(error.name() if error else message.offset()),
        )
    assert producer.flush(30) == 0
    return told


def read(topic: str) -> dict[int, str]:
    consumer = Consumer(settings | {"group.id": "group", "enable.auto.commit": False, "enable.partition.eof": True})
    consumer.assign([TopicPartition(topic, 0, 0)])
    found = {}
    while not (message := consumer.poll(30)).error():
        found[message.offset()] = message.value().decode().rstrip()
    consumer.close()
    return found


def fill_disk(topic: str) -> tuple[int, dict[int, str]]:
    """Send until the disk is in the way, and once more with room; return how many were acknowledged, and what is read."""
    admin.create_topics([NewTopic(topic, 1)])[topic].result(30)
    segment, filler = work / f"data/{topic}-0/00000000000000000000.log", work / "data/filler"
    count = 0
    # The first entry of the index is due with the next batch then, which has room in the page that the log ends in.
    while not segment.exists() or segment.stat().st_size <= 4096:
        assert send(topic, f"before-{count}") == [count]
        count += 1
    with filler.open("wb", buffering=0) as file:
        try:
            while True:
                file.write(bytes(4096))
        except OSError as error:
            print("the disk:", error.strerror)
    refused = send(topic, "refused-1", "refused-2", "refused-3")
    filler.unlink()
    print("three records in one batch:", refused)
    again = send(topic, "again")
    print("another, with room on the disk:", again)
    assert refused == ["UNKNOWN"] * 3, refused
    assert again == ["UNKNOWN"], again
    return count, read(topic)


broker = start()
admin = AdminClient(settings)  # alive until it has answered
count, before = fill_disk("topic")
print("in the topic:", before)
assert before == {n: f"before-{n}" for n in range(count)}, before
broker.kill()
broker.wait()
broker = start()
after = [send("topic", f"after-{number}")[0] for number in (1, 2, 3)]
print("after a restart, three more, at the offsets:", after)
end = read("topic")
print("in the topic:", end)
broker.kill()
broker.wait()
assert end == {0: "after-1", 1: "after-2", 2: "after-3"}, end
EOF
unshare --map-root-user --mount bash -c "mount -t tmpfs -o size=32m tmpfs '$work/data' && '$work/venv/bin/python' '$work/finding.py' '$work' '$port'"
