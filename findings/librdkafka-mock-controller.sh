#!/usr/bin/env bash
# confluent-kafka 2.16.1 (librdkafka 2.16.0): admin requests to its own mock cluster end only when their time is over.
#
# Expected: the mock cluster (test.mock.num.brokers) answers requests about topics and settings, or refuses those that it
# does not know, as a broker does: at once.
# Seen: its metadata name a controller, 0, that is none of its brokers (1, 2, 3). The admin client waits for that broker
# until the request's time is over ("while waiting for controller"), so creating a topic fails after all the time given,
# and more time does not help, while producing, consuming and listing topics work.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet --disable-pip-version-check confluent-kafka==2.16.1
"$work/venv/bin/python" - <<'EOF'
import time

import confluent_kafka
from confluent_kafka.admin import AdminClient, ConfigResource, NewTopic

print("confluent-kafka", confluent_kafka.version(), "librdkafka", confluent_kafka.libversion()[0])
admin = AdminClient({"test.mock.num.brokers": 3, "log_level": 0})
seen = admin.list_topics(timeout=10)
print("controller:", seen.controller_id, "brokers:", sorted(seen.brokers))
topic = ConfigResource(ConfigResource.Type.TOPIC, "ticks")
for given in (1.0, 3.0):
    for name, asked in (
        ("create_topics", lambda: admin.create_topics([NewTopic("ticks", 1, 1)], request_timeout=given)),
        ("describe_configs", lambda: admin.describe_configs([topic], request_timeout=given)),
    ):
        begun = time.monotonic()
        (future,) = asked().values()
        error = future.exception(30)
        waited = time.monotonic() - begun
        print(f"{name}, {given} s given: after {waited:.1f} s: {error}")
        assert "waiting for controller" in str(error), error
        assert waited >= 0.9 * given, waited
assert seen.controller_id not in seen.brokers, seen.controller_id
EOF
