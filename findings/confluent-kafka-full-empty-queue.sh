#!/usr/bin/env bash
# confluent-kafka 2.16.1: a message larger than the producer's queue fails with "Queue full", even if the queue is empty.
#
# Expected: an error that says the message can never be taken, as MSG_SIZE_TOO_LARGE does for message.max.bytes.
# Seen: BufferError "Local: Queue full" from a producer that has nothing queued, below message.max.bytes. The usual answer to
# BufferError is to poll and try again; for such a message no number of tries helps. Nothing but the sizes tells the two apart.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet --disable-pip-version-check confluent-kafka==2.16.1
"$work/venv/bin/python" - <<'EOF'
import confluent_kafka

print("confluent-kafka", confluent_kafka.version())
settings = {"bootstrap.servers": "127.0.0.1:1", "log_level": 0, "message.max.bytes": 1_000_000}
producer = confluent_kafka.Producer(settings | {"queue.buffering.max.kbytes": 1, "message.timeout.ms": 1000})
said = []
for _ in range(3):
    producer.poll(0.1)
    try:
        producer.produce("topic", b"x" * 5_000)
    except BufferError as error:
        said.append(str(error))
waiting = producer.flush(2)
print("tries:", said, "messages that waited:", waiting)
assert said == ["Local: Queue full"] * 3, said
assert waiting == 0, waiting
EOF
