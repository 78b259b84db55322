#!/usr/bin/env bash
# Apicurio Registry 3.3.3: a Protobuf schema requested as `serialized` comes as bytes decoded as text, which loses some of them.
#
# Expected, as Confluent documents it for the same call of its API (GET /schemas/ids/1?format=serialized): the file
# descriptor in base64. confluent-kafka's ProtobufDeserializer with a registry asks for that and nothing else.
# Seen: the descriptor's bytes decoded as UTF-8, so every length of 128 and more is U+FFFD and cannot be had back. The
# client's ProtobufDeserializer (2.16.1) ends with a UnicodeEncodeError at the first record. Without the parameter the .proto
# file comes as it was sent.
#
# Needs Java 21 (JAVA=/path/to/java where it is not the first on the path), Maven and curl.
set -euo pipefail
work=$(mktemp -d)
trap 'kill "${registry:-}" 2>/dev/null || true; rm -rf "$work"' EXIT
mvn -q -B -Dstyle.color=never dependency:copy -DoutputDirectory="$work" \
  -Dartifact=io.apicurio:apicurio-registry-app:3.3.3:tar.gz:all
mkdir "$work/app"
tar -xzf "$work"/*.tar.gz -C "$work/app"
jar=$(find "$work/app" -name '*-runner.jar' -o -name quarkus-run.jar)
port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
"${JAVA:-java}" -Dquarkus.http.host=127.0.0.1 -Dquarkus.http.port="$port" -Dquarkus.management.enabled=false \
  -Dapicurio.storage.kind=sql -jar "$jar" > "$work/log" 2>&1 &
registry=$!
api=http://127.0.0.1:$port/apis/ccompat/v7
curl --silent --output /dev/null --retry 120 --retry-delay 1 --retry-connrefused --max-time 5 "$api/subjects"
python3 - "$api" <<'EOF'
import base64
import json
import sys
import urllib.request

api = sys.argv[1]
fields = "".join(f"  string a_field_with_a_long_name_{number} = {number};\n" for number in range(1, 9))
proto = f'syntax = "proto3";\n\nmessage Trade {{\n{fields}}}\n'


def ask(path: str, body: dict[str, str] | None = None) -> dict[str, object]:
    request = urllib.request.Request(api + path, headers={"Content-Type": "application/vnd.schemaregistry.v1+json"})
    if body is not None:
        request.data = json.dumps(body).encode()
    with urllib.request.urlopen(request, timeout=60) as answer:
        return json.load(answer)


number = ask("/subjects/trades-value/versions", {"schemaType": "PROTOBUF", "schema": proto})["id"]
assert ask(f"/schemas/ids/{number}")["schema"] == proto
seen = str(ask(f"/schemas/ids/{number}?format=serialized")["schema"])
print("Apicurio 3.3.3, ?format=serialized:", ascii(seen[:40]), "...")
assert "\ufffd" in seen
try:
    base64.b64decode(seen, validate=True)
except ValueError as error:
    print("as base64:", error)
else:
    raise SystemExit("it is base64 now")
EOF
