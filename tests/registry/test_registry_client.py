"""What our client makes of answers: Confluent's documented ones, and those that no registry should give."""

import ssl
import subprocess
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

from registry_support import Scripted, avro, client, proto, scripted
from tickwire import metrics
from tickwire.broker.ports import free_ports
from tickwire.config.kafka_config import KafkaConfig
from tickwire.errors import UsageError
from tickwire.registry.client import MAX_SCHEMA, Registry
from tickwire.registry_errors import (
    NoRegistry,
    RegistryAway,
    RegistryFailed,
    RegistryRefused,
    SchemaMissing,
    SchemaRefused,
)

CANARY = "canary-0451"


@pytest.fixture
def script() -> Iterator[Scripted]:
    with scripted() as found:
        yield found


def up(url: str) -> float | None:
    """What the metric says of one registry; None: nothing, as of all that nobody asks."""
    samples = next(iter(metrics.SCHEMA_REGISTRY_UP.collect())).samples
    return next((sample.value for sample in samples if sample.labels["registry"] == url), None)


# Codes of https://docs.confluent.io/platform/current/schema-registry/develop/api.html; the texts are ours.
DOCUMENTED = [
    (404, {"error_code": 40401, "message": "Subject 'Kafka-value' not found."}, SchemaMissing),
    (404, {"error_code": 40402, "message": "Version 5 not found."}, SchemaMissing),
    (404, {"error_code": 40403, "message": "Schema not found"}, SchemaMissing),
    (409, {"error_code": 409, "message": "Schema being registered is incompatible"}, SchemaRefused),
    (422, {"error_code": 42201, "message": "Invalid Avro schema"}, SchemaRefused),
    (401, {"error_code": 40101, "message": "Unauthorized"}, RegistryRefused),
    (403, {"error_code": 40301, "message": "User is denied operation Write on Subject"}, RegistryRefused),
    (429, {"error_code": 429, "message": "Too Many Requests"}, RegistryAway),
    (500, {"error_code": 50001, "message": "Error in the backend data store"}, RegistryAway),
    (500, {"error_code": 50003, "message": "Error while forwarding the request to the primary"}, RegistryAway),
]  # fmt: skip


@pytest.mark.parametrize(("status", "body", "expected"), DOCUMENTED)
def test_a_documented_error_has_its_kind(
    script: Scripted, status: int, body: Any, expected: type[RegistryFailed]
) -> None:
    script.says(status, body)
    with pytest.raises(expected) as caught:
        client(script.url).register("Kafka-value", avro())
    assert caught.type is expected
    assert caught.value.retryable is (expected is RegistryAway)


def test_a_documented_protobuf_version_is_read(script: Scripted) -> None:
    text = 'syntax = "proto3";\n\nmessage Ticker {\n  string exchange = 1;\n}\n'
    body = {"subject": "t-value", "version": 3, "id": 12, "schemaType": "PROTOBUF", "schema": text, "guid": "…"}
    script.says(200, body)
    found = client(script.url).version("t-value")
    assert (found.version, found.id, found.schema.format, found.schema.text) == (3, 12, "protobuf", text)


STRANGE = [
    (200, b"<html>log in</html>", {"Content_Type": "text/html"}, RegistryAway),
    (200, b"", {}, RegistryAway),
    (200, {"unexpected": 1}, {}, RegistryAway),
    (200, b"[" * 1_000_000, {}, RegistryAway),
    (200, b"\xff\xfe", {}, RegistryAway),
    (503, b"<html>busy</html>", {"Content_Type": "text/html"}, RegistryAway),
    (404, b"<html>nothing here</html>", {"Content_Type": "text/html"}, NoRegistry),
    (404, {"detail": "NotFoundException", "error_code": 404, "message": "no resource"}, {}, NoRegistry),
    (302, b"", {"Location": "https://user:canary-0451@elsewhere.example/login?token=canary-0451"}, NoRegistry),
    (308, b"", {"Location": "/elsewhere?token=canary-0451"}, NoRegistry),
    (401, b"<html>who are you</html>", {"Content_Type": "text/html"}, RegistryRefused),
]


@pytest.mark.parametrize(("status", "body", "headers", "expected"), STRANGE)
def test_a_strange_answer_is_one_clear_error_without_secrets(
    script: Scripted, status: int, body: Any, headers: dict[str, str], expected: type
) -> None:
    script.says(status, body, **headers)
    registry = client(script.url, schema_registry_username="me", schema_registry_password=CANARY)
    with pytest.raises(RegistryFailed) as caught:
        registry.subjects()
    assert caught.type is expected
    assert script.url in str(caught.value)
    assert CANARY not in f"{caught.value!r} {caught.value} {caught.value.__cause__!r}"
    assert len(script.asked) == 1


def test_a_redirect_is_not_followed(script: Scripted) -> None:
    with scripted() as other:
        script.says(307, b"", Location=other.url + "/subjects")
        with pytest.raises(NoRegistry, match=other.url):
            client(script.url, schema_registry_token=CANARY).subjects()
        assert other.asked == []


def test_a_slow_answer_ends_in_time(script: Scripted) -> None:
    """Each byte comes in time, all of them do not."""
    script.says(200, b" " * 1000)
    script.pause_s = 0.05
    before = time.monotonic()
    with pytest.raises(RegistryAway, match=r"no answer within 0\.3 s"):
        client(script.url, seconds=0.3).subjects()
    assert time.monotonic() - before < 20


def test_an_answer_without_end_is_given_up(script: Scripted) -> None:
    script.says(200, b'["' + b"a" * 5 * MAX_SCHEMA + b'"]')
    with pytest.raises(RegistryAway, match="more than 4194304 bytes"):
        client(script.url).subjects()


def test_a_larger_schema_than_1_mib_is_refused(script: Scripted) -> None:
    script.says(200, {"schema": "a" * (MAX_SCHEMA + 1)})
    with pytest.raises(SchemaRefused, match="1048576"):
        client(script.url).schema(1)
    script.says(200, {"schema": "a" * MAX_SCHEMA})
    assert len(client(script.url).schema(1).text) == MAX_SCHEMA


def test_nobody_there_is_away_and_shows_in_the_metric(script: Scripted) -> None:
    nobody = f"http://127.0.0.1:{free_ports('127.0.0.1', 1)[0]}"
    assert (up(script.url), up(nobody)) == (None, None)
    client(script.url).subjects()
    with pytest.raises(RegistryAway):
        client(nobody).subjects()
    assert (up(script.url), up(nobody)) == (1, 0)
    with pytest.raises(RegistryAway):
        client("http://no-such-host.invalid").subjects()


def test_the_path_of_the_address_is_kept_and_login_is_sent(script: Scripted) -> None:
    client(script.url + "/apis/ccompat/v7/", schema_registry_username="mé", schema_registry_password="p:w").subjects()
    client(script.url, schema_registry_token="abc").subjects()
    [(_, path, first), (_, _, second)] = script.asked
    assert path == "/apis/ccompat/v7/subjects"
    assert (first["Authorization"], second["Authorization"]) == ("Basic bcOpOnA6dw==", "Bearer abc")


async def test_it_can_be_asked_on_an_event_loop(script: Scripted) -> None:
    assert client(script.url).subjects() == []


def test_without_an_address_it_is_a_usage_error() -> None:
    with pytest.raises(UsageError, match="KAFKA_SCHEMA_REGISTRY_URL"):
        Registry(KafkaConfig())


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    folder = tmp_path_factory.mktemp("tls")
    key, certificate = folder / "key.pem", folder / "cert.pem"
    command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    names = ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost", "-days", "2"]
    files = ["-keyout", str(key), "-out", str(certificate)]
    subprocess.run([*command, *names, *files], check=True, capture_output=True)
    return certificate, key


@pytest.fixture
def https(certificate: tuple[Path, Path]) -> Iterator[str]:
    """A registry that asks for our certificate."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.end_headers()
            self.wfile.write(b"[]")

        def log_message(self, *_: Any) -> None: ...

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*certificate)
    context.load_verify_locations(certificate[0])
    context.verify_mode = ssl.CERT_REQUIRED
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.handle_error = lambda *_: None  # type: ignore[method-assign]  # refused handshakes are what is tested
    server.socket = context.wrap_socket(server.socket, server_side=True)
    Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    yield f"https://localhost:{server.server_port}"
    server.shutdown()
    server.server_close()


def test_certificates_are_checked_on_both_sides(https: str, certificate: tuple[Path, Path]) -> None:
    ours: dict[str, Any] = {"schema_registry_certificate": certificate[0], "schema_registry_key": certificate[1]}
    assert client(https, schema_registry_ca=certificate[0], **ours).subjects() == []
    with pytest.raises(NoRegistry, match="KAFKA_SCHEMA_REGISTRY_CA"):
        client(https, **ours).subjects()
    with pytest.raises(NoRegistry, match="KAFKA_SCHEMA_REGISTRY_CA"):  # of another name
        client(https.replace("localhost", "127.0.0.1"), schema_registry_ca=certificate[0], **ours).subjects()
    with pytest.raises(RegistryFailed):
        client(https, schema_registry_ca=certificate[0]).subjects()


def test_files_that_are_no_certificates_are_a_usage_error(tmp_path: Path) -> None:
    file = tmp_path / "ca.pem"
    file.write_text("nothing")
    with pytest.raises(UsageError, match="KAFKA_SCHEMA_REGISTRY_CA"):
        client("https://localhost", schema_registry_ca=file)


def test_a_proto_file_is_sent_as_protobuf(script: Scripted) -> None:
    script.says(200, {"id": 4})
    assert client(script.url).register("t-value", proto()) == 4
    assert script.asked[0][:2] == ("POST", "/subjects/t-value/versions")
