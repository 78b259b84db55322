#!/usr/bin/env bash
# FastStream 0.7.8 (Python): a record with a header that is not UTF-8 is lost, even with AckPolicy.NACK_ON_ERROR.
#
# Expected: headers are bytes in Kafka, so the handler gets the record; or, with NACK_ON_ERROR, a record that failed is not
# committed and comes again, as one does whose handler raised.
# Seen: a header that cannot be read is an error in the log, too early for the policy: the handler never gets the record, it does
# not come again, and the next record's offset is committed past it. Such headers are common: Confluent's serializers can put the
# id of a schema into a header as bytes, and Spring's dead letters have offsets and times as eight bytes. That such a header
# cannot be read is known (issue 2458 of ag2ai/faststream). The part for aiokafka did the same by hand, also where a header
# has no value.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet --disable-pip-version-check "faststream[confluent]==0.7.8" confluent-kafka==2.16.1
"$work/venv/bin/python" - <<'EOF'
import asyncio
import time
from importlib.metadata import version

from confluent_kafka import Consumer, Producer, TopicPartition
from faststream import AckPolicy, FastStream
from faststream.confluent import KafkaBroker

print("FastStream", version("faststream"), "confluent-kafka", version("confluent-kafka"))
producer = Producer({"test.mock.num.brokers": 1, "log_level": 0})  # librdkafka's broker for tests, within the producer
(mock,) = producer.list_topics(timeout=30).brokers.values()
address = f"{mock.host}:{mock.port}"
for number in range(4):
    headers = {"__value_schema_id": b"\x01" + bytes(range(0x9F, 0xAF))} if number == 1 else {"schema": b"ticker/1"}
    producer.produce("topic", b'{"number": %d}' % number, partition=0, headers=headers)
assert producer.flush(30) == 0
broker, seen = KafkaBroker(address, allow_auto_create_topics=False, logger=None), []
app = FastStream(broker, logger=None)


@broker.subscriber("topic", group_id="group", auto_offset_reset="earliest", ack_policy=AckPolicy.NACK_ON_ERROR)
async def handle(message: dict[str, int]) -> None:
    seen.append(message["number"])
    if seen.count(2) == 1 and message["number"] == 2:
        raise ValueError("the first time")


async def until_last() -> None:
    deadline = time.monotonic() + 60
    while 3 not in seen and time.monotonic() < deadline:
        await asyncio.sleep(0.1)
    app.exit()


async def run() -> None:
    waiting = asyncio.create_task(until_last())
    await app.run()
    await waiting


asyncio.run(run())
consumer = Consumer({"bootstrap.servers": address, "group.id": "group"})
(committed,) = consumer.committed([TopicPartition("topic", 0)], timeout=30)
consumer.close()
print("handled, of 0 to 3, where 2 failed once:", seen, "committed:", committed.offset)
assert seen == [0, 2, 2, 3], seen
assert committed.offset == 4, committed
EOF
