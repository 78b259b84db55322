#!/usr/bin/env bash
# confluent-kafka 2.16.1 (librdkafka 2.16.0) on Apache Kafka 4.3.1: a partition that is paused for a tenth of a second and
# resumed, and has many records, gives none for up to a second.
#
# Expected: resume() has the partition fetched at once.
# Seen, in milliseconds from resume() to the next record:
#  - about 900 if nothing else is read from that broker. The client's thread for the broker had nothing to do and sleeps for
#    a second; resume() does not wake it. Any request to the broker does, such as one for the partition's offsets: 3.
#  - about 400 if another partition of that broker is read, which is empty. One fetch at a time is on its way to a broker;
#    during the pause that is one for the empty partition, which Kafka answers after `fetch.wait.max.ms` (500 by default).
#    With 50 it takes 6.
# `fetch.queue.backoff.ms` is 10 here. Its default of a second, for which a partition with a full queue is not fetched, would
# add a wait, and is documented.
#
# So a program that pauses what it cannot take yet is idle again and again, if what it had taken lasts for less than that.
#
# Takes half a minute. Needs Java 17 and Maven.
set -euo pipefail
work=$(mktemp -d)
trap 'kill -9 $(cat "$work/pid" 2> /dev/null) 2> /dev/null || true; rm -rf "$work"' EXIT
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
import socket
import statistics
import subprocess
import sys
import time
from pathlib import Path

import confluent_kafka
from confluent_kafka import Consumer, KafkaException, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic

work = Path(sys.argv[1])
print("Apache Kafka 4.3.1, confluent-kafka", confluent_kafka.version(), "librdkafka", confluent_kafka.libversion()[0])
sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(2)]
port, controller = (one.getsockname()[1] for one in sockets)
for one in sockets:
    one.close()
java, settings, log = ["java", "-Xmx512m", "-cp", f"{work}/libs/*"], work / "node.properties", (work / "log").open("ab")
settings.write_text(f"""\
process.roles=broker,controller
node.id=1
controller.quorum.voters=1@127.0.0.1:{controller}
listeners=PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller}
controller.listener.names=CONTROLLER
listener.security.protocol.map=CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT
log.dirs={work}/data
""")
identity = "--cluster-id=AAAAAAAAAAAAAAAAAAAAAA"
subprocess.run([*java, "kafka.tools.StorageTool", "format", identity, "-c", settings], stdout=log, stderr=log, check=True)
(work / "pid").write_text(str(subprocess.Popen([*java, "kafka.Kafka", settings], stdout=log, stderr=log).pid))
quiet = {"bootstrap.servers": f"127.0.0.1:{port}", "log_level": 0}
admin, deadline = AdminClient(quiet), time.monotonic() + 60
while True:
    try:
        admin.list_topics(timeout=2)
        break
    except KafkaException:
        assert time.monotonic() < deadline, "the node does not start"
admin.create_topics([NewTopic("topic", 2, 1)])["topic"].result(30)
producer = Producer(quiet | {"queue.buffering.max.messages": 400_000})
for number in range(300_000):
    producer.produce("topic", b"x" * 200, partition=0)
assert producer.flush(60) == 0


def waits(partitions: list[int], *, ask: bool = False, **more: object) -> float:
    """The median of the milliseconds from a resumption to the partition's next record."""
    settings = quiet | {"group.id": "any", "enable.auto.commit": False, "fetch.queue.backoff.ms": 10}
    consumer = Consumer(settings | more)
    consumer.assign([TopicPartition("topic", number, 0) for number in partitions])
    full, found = [TopicPartition("topic", 0)], []
    for _ in range(9):
        got = 0
        while got < 2_000:
            got += sum(not message.error() for message in consumer.consume(500, 1.0))
        consumer.pause(full)
        began = time.monotonic()
        while time.monotonic() < began + 0.1:  # this program is busy with the 2,000
            assert consumer.poll(0.01) is None
        consumer.resume(full)
        began = time.monotonic()
        if ask:
            consumer.get_watermark_offsets(full[0], timeout=5)
        while consumer.poll(1.0) is None:
            pass
        found.append((time.monotonic() - began) * 1000)
    consumer.close()
    return statistics.median(found)


alone, asked, beside = waits([0]), waits([0], ask=True), waits([0, 1])
shorter = waits([0, 1], **{"fetch.wait.max.ms": 50})
print(f"alone: {alone:.0f} ms, {asked:.0f} if its offsets are asked for")
print(f"beside an empty partition: {beside:.0f} ms, {shorter:.0f} with fetch.wait.max.ms=50")
assert 600 < alone < 1_100, "this has changed: resume() wakes the client's thread for the broker"
assert asked < 100
assert 250 < beside < 600, "this has changed: the fetch for the empty partition is not waited for"
assert shorter < 100
EOF
