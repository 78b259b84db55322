#!/usr/bin/env bash
# confluent-kafka 2.16.1: a Producer that is dropped with unreported messages keeps their callbacks, and everything these refer to, for ever.
#
# Expected: with the producer go its messages, whose reports nobody can take any more, and so the callbacks.
# Seen: every callback of a message without a report is alive after the producer is gone and garbage was collected; those of
# messages that were reported on (here as timed out) are gone. Whoever replaces producers after fatal errors, as librdkafka asks for,
# and gives each message a callback of its own that holds its record, keeps all records that were on their way at each replacement.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet --disable-pip-version-check confluent-kafka==2.16.1
"$work/venv/bin/python" - <<'EOF'
import gc
import weakref

import confluent_kafka

print("confluent-kafka", confluent_kafka.version())


class Callback:
    def __call__(self, error, message):
        pass


def alive_after(take_reports):
    settings = {"bootstrap.servers": "127.0.0.1:1", "log_level": 0, "message.timeout.ms": 500}
    producer = confluent_kafka.Producer(settings)
    callbacks = [Callback() for _ in range(1000)]
    for callback in callbacks:
        producer.produce("topic", b"value", on_delivery=callback)
    seen = [weakref.ref(callback) for callback in callbacks]
    del callbacks, callback
    if take_reports:
        assert producer.flush(10) == 0
    del producer
    gc.collect()
    return sum(ref() is not None for ref in seen)


reported, dropped = alive_after(True), alive_after(False)
print("callbacks alive, reports taken:", reported, "dropped without:", dropped)
assert (reported, dropped) == (0, 1000), (reported, dropped)
EOF
