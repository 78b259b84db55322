#!/usr/bin/env bash
# librdkafka 2.16.0 (confluent-kafka 2.16.1): a refused log-in is tried again at once, and at the latest a second later.
#
# Expected: reconnect.backoff.ms and reconnect.backoff.max.ms are the least and the longest time before a broker is
# connected to again, growing in between, as their descriptions say: with 5 s and 60 s one log-in in the first 5 seconds,
# so that an account that locks after some refusals is spared while its password is wrong for a moment.
# Seen: one log-in a second for as long as the producer lives, and with the defaults (100 ms and 10 s) more than ten.
# Apache Kafka holds its refusal back (connection.failed.authentication.delay.ms), which makes them about two a second.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet --disable-pip-version-check confluent-kafka==2.16.1
"$work/venv/bin/python" - <<'PYTHON'
import logging
import socketserver
import struct
import threading
import time

import confluent_kafka

logins: list[float] = []


class Broker(socketserver.BaseRequestHandler):
    """Knows ApiVersions, SaslHandshake and SaslAuthenticate, and refuses every log-in."""

    def handle(self) -> None:
        while True:
            size = self.request.recv(4, 0x100)  # MSG_WAITALL
            if len(size) < 4:
                return
            asked = self.request.recv(struct.unpack(">i", size)[0], 0x100)
            key, version, correlation = struct.unpack_from(">hhi", asked)
            if key == 18:  # an error and the versions: 35 sends the client to version 0
                known = ((17, 0, 1), (18, 0, 0), (36, 0, 0))
                body = struct.pack(">hi", 35 if version else 0, len(known)) + b"".join(struct.pack(">hhh", *k) for k in known)
            elif key == 17:
                body = struct.pack(">hih", 0, 1, 5) + b"PLAIN"
            else:  # SASL_AUTHENTICATION_FAILED
                logins.append(time.monotonic())
                body = struct.pack(">hh", 58, 7) + b"refused" + struct.pack(">i", 0)
            self.request.sendall(struct.pack(">ii", len(body) + 4, correlation) + body)


class Server(socketserver.ThreadingTCPServer):
    allow_reuse_address, daemon_threads = True, True


print("librdkafka", confluent_kafka.libversion()[0], "confluent-kafka", confluent_kafka.version())
silent = logging.getLogger("silent")
silent.setLevel(100)
with Server(("127.0.0.1", 0), Broker) as server:
    threading.Thread(target=server.serve_forever, daemon=True).start()
    counts = {}
    for least, longest in ((100, 10_000), (5_000, 60_000)):
        logins.clear()
        producer = confluent_kafka.Producer(
            {
                "bootstrap.servers": f"127.0.0.1:{server.server_address[1]}",
                "security.protocol": "SASL_PLAINTEXT",
                "sasl.mechanism": "PLAIN",
                "sasl.username": "user",
                "sasl.password": "wrong",
                "reconnect.backoff.ms": least,
                "reconnect.backoff.max.ms": longest,
                "logger": silent,
                "error_cb": lambda _: None,
            }
        )
        producer.produce("topic", b"value")
        until = time.monotonic() + 10
        while time.monotonic() < until:
            producer.poll(0.1)
        counts[least] = len(logins)
        print(f"reconnect.backoff.ms={least} reconnect.backoff.max.ms={longest}: {len(logins)} log-ins in 10 s")
        producer.purge()
        del producer
    server.shutdown()
assert counts[100] >= 30, counts
assert counts[5_000] >= 7, counts
PYTHON
