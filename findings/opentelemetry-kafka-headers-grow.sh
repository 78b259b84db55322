#!/usr/bin/env bash
# opentelemetry-instrumentation-confluent-kafka 0.66b1: a list of headers used for several records grows with each of them.
#
# Expected: a record has the headers that produce() was given, and one `traceparent` of its own.
# Seen: the trace is put into the caller's own list, and stays there. So the third record has three of them, the thousandth a
# thousand, up to the size that the broker refuses; and the package's own consumer, which takes the first, links every record to
# the trace of the first. A producer whose headers are always the same, such as the name of a schema, has every reason to keep
# one list. With a new list for each record, each has one. The packages for kafka-python and aiokafka did the same by hand.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet --disable-pip-version-check confluent-kafka==2.16.1 opentelemetry-sdk==1.45.1 \
  opentelemetry-instrumentation-confluent-kafka==0.66b1
"$work/venv/bin/python" - <<'EOF'
from importlib.metadata import version

import confluent_kafka
from confluent_kafka import Consumer, Producer, TopicPartition
from opentelemetry.instrumentation.confluent_kafka import ConfluentKafkaInstrumentor
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

print("confluent-kafka", confluent_kafka.version(), "instrumentation", version("opentelemetry-instrumentation-confluent-kafka"))
spans, tracing = InMemorySpanExporter(), TracerProvider()
tracing.add_span_processor(SimpleSpanProcessor(spans))
plain = Producer({"test.mock.num.brokers": 1, "log_level": 0})  # librdkafka's broker for tests, within the producer
(broker,) = plain.list_topics(timeout=30).brokers.values()
client = {"bootstrap.servers": f"{broker.host}:{broker.port}", "log_level": 0, "group.id": "group"}
producer = ConfluentKafkaInstrumentor.instrument_producer(plain, tracing)


def seen(topic: str, *lists: list[tuple[str, bytes]]) -> tuple[list[list[str]], list[int]]:
    """Give the names of the headers of one record for each list, and which record's trace the consumer took each to be of."""
    spans.clear()
    for headers in lists:
        producer.produce(topic, b"value", partition=0, headers=headers)
    assert producer.flush(30) == 0
    sent = [span.context.trace_id for span in spans.get_finished_spans()]
    spans.clear()
    consumer = ConfluentKafkaInstrumentor.instrument_consumer(Consumer(client), tracing)
    consumer.original_consumer().assign([TopicPartition(topic, 0, 0)])
    records = [consumer.poll(30) for _ in lists]
    consumer.close()
    links = [span.links[0].context.trace_id for span in spans.get_finished_spans() if span.links]
    return [[name for name, _ in record.headers()] for record in records], [sent.index(trace) + 1 for trace in links]


constant = [("schema", b"ticker/1")]
fresh = seen("fresh", *(list(constant) for _ in range(3)))
print("a list for each record:", *fresh)
shared = seen("shared", constant, constant, constant)
print("one list:", *shared)
assert fresh == ([["schema", "traceparent"]] * 3, [1, 2, 3]), fresh
assert shared == ([["schema"] + ["traceparent"] * count for count in (1, 2, 3)], [1, 1, 1]), shared
EOF
