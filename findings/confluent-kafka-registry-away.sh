#!/usr/bin/env bash
# confluent-kafka 2.16.1: records that DeserializingConsumer cannot read while a schema registry restarts are lost to it.
#
# Expected: poll() raises while the registry answers 503, and gives the same record once the registry is back.
# Seen: the consumer has moved past a record when poll() raises. Ten records, a registry that is away for three polls: records
# 0, 1 and 2 never come, and committing what was read commits past them.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet --disable-pip-version-check 'confluent-kafka[avro,schemaregistry]==2.16.1'
"$work/venv/bin/python" - <<'EOF'
import json
import threading
import time
import warnings
from http.server import BaseHTTPRequestHandler, HTTPServer

warnings.simplefilter("ignore")  # DeserializingConsumer is called experimental

import confluent_kafka
from confluent_kafka import DeserializingConsumer, Producer
from confluent_kafka.error import ValueDeserializationError
from confluent_kafka.schema_registry import SchemaRegistryClient
from confluent_kafka.schema_registry.avro import AvroDeserializer

print("confluent-kafka", confluent_kafka.__version__)
away = threading.Event()
away.set()

SCHEMA = json.dumps({"type": "record", "name": "Trade", "fields": [{"name": "number", "type": "long"}]})


class Registry(BaseHTTPRequestHandler):
    """Knows one schema, number 1: a trade with a number."""

    def do_GET(self) -> None:
        status, answer = 404, {"error_code": 404, "message": "not found"}
        if away.is_set():
            status, answer = 503, {"error_code": 50001, "message": "starting"}
        elif self.path.startswith("/schemas/ids/1"):
            status, answer = 200, {"schema": SCHEMA}
        body = json.dumps(answer)
        self.send_response(status)
        self.send_header("Content-Type", "application/vnd.schemaregistry.v1+json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body.encode())

    def log_message(self, *_: object) -> None:
        pass


server = HTTPServer(("127.0.0.1", 0), Registry)
threading.Thread(target=server.serve_forever, daemon=True).start()

producer = Producer({"test.mock.num.brokers": 1, "bootstrap.servers": "unused", "log_level": 4})
[broker] = producer.list_topics(timeout=10).brokers.values()
for number in range(10):  # magic byte, schema id 1, the number as a zigzag varint
    producer.produce("trades", b"\0" + (1).to_bytes(4, "big") + bytes([2 * number]), partition=0)
assert producer.flush(10) == 0

registry = SchemaRegistryClient({"url": f"http://127.0.0.1:{server.server_address[1]}", "max.retries": 0})
consumer = DeserializingConsumer(
    {
        "bootstrap.servers": f"{broker.host}:{broker.port}",
        "group.id": "readers",
        "auto.offset.reset": "earliest",
        "value.deserializer": AvroDeserializer(registry),
    }
)
consumer.subscribe(["trades"])
read, raised, deadline = [], 0, time.monotonic() + 60
while len(read) + raised < 10 and time.monotonic() < deadline:
    try:
        message = consumer.poll(1.0)
    except ValueDeserializationError as error:
        raised += 1
        print(f"poll() raised for offset {error.kafka_message.offset()}")
        if raised == 3:
            away.clear()
        continue
    if message is not None:
        read.append(message.value()["number"])
print("read:", read)
[committed] = [part for part in consumer.commit(asynchronous=False) if part.partition == 0]
print("committed offset:", committed.offset)
consumer.close()
assert (raised, read, committed.offset) == (3, [3, 4, 5, 6, 7, 8, 9], 10), (raised, read, committed)
EOF
