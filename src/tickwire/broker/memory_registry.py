"""A schema registry in memory, with the answers that Confluent documents, for tests and demos.

https://docs.confluent.io/platform/current/schema-registry/develop/api.html (2026-11-29). It takes Avro and Protobuf
schemas without references and returns them as they were sent (Protobuf with ``?format=serialized`` as a descriptor).
It listens on loopback.
"""

import json
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, NamedTuple, Self
from urllib.parse import parse_qsl, unquote, urlsplit

from tickwire.broker.ports import claim, free_ports
from tickwire.broker.proto_descriptor import serialized
from tickwire.config.addresses import endpoint
from tickwire.records.formats.framing import WriterSchema
from tickwire.registry.shapes import breaks, shape

_HOST = "127.0.0.1"
_TYPE = "application/vnd.schemaregistry.v1+json"
_LEVELS = {
    "NONE", "BACKWARD", "BACKWARD_TRANSITIVE", "FORWARD", "FORWARD_TRANSITIVE", "FULL", "FULL_TRANSITIVE",
}  # fmt: skip
_FORMATS = {"AVRO": "avro", "PROTOBUF": "protobuf"}


class _Refused(Exception):
    """An error answer."""

    def __init__(self, status: int, code: int, message: str) -> None:
        super().__init__(message)
        self.status, self.code = status, code


class _Version(NamedTuple):
    number: int
    id: int


class _Subjects:
    """The registry's content, and its answers."""

    def __init__(self) -> None:
        self.level = "BACKWARD"
        self.levels: dict[str, str] = {}
        self.schemas: dict[int, WriterSchema] = {}
        self.subjects: dict[str, list[_Version]] = {}

    def answer(self, method: str, parts: list[str], body: dict[str, Any]) -> Any:  # noqa: PLR0911 - one a request
        """Answer one request. Raises :exc:`_Refused`."""
        match method, *parts:
            case "GET", "subjects":
                return [*self.subjects]
            case "GET", "subjects", subject, "versions":
                return [version.number for version in self._versions(subject)]
            case "GET", "subjects", subject, "versions", number:
                return self._shown(subject, self._version(subject, number), body)
            case "POST", "subjects", subject:
                return self._shown(subject, self._find(subject, _schema(body)), {})
            case "POST", "subjects", subject, "versions":
                return {"id": self._register(subject, _schema(body))}
            case "GET", "schemas", "ids", number:
                return _written(self._schema(number), body)
            case "GET", "schemas", "ids", number, "versions":
                self._schema(number)
                return [
                    {"subject": name, "version": version.number}
                    for name, versions in self.subjects.items()
                    for version in versions
                    if version.id == int(number)
                ]
            case (("GET" | "PUT"), "config", *rest) if len(rest) <= 1:
                return self._config(method, rest, body)
            case "POST", "compatibility", "subjects", subject, "versions", *_:
                messages = self._incompatible(self._versions(subject), subject, _schema(body))
                return {"is_compatible": not messages, "messages": messages}
        raise _Refused(404, 404, "HTTP 404 Not Found")

    def _config(self, method: str, subject: list[str], body: dict[str, Any]) -> dict[str, str]:
        if method == "PUT":
            level = str(body.get("compatibility"))
            if level not in _LEVELS:
                raise _Refused(422, 42203, f"Invalid compatibility level {level}")
            if subject:
                self.levels[subject[0]] = level
            else:
                self.level = level
            return {"compatibility": level}
        if not subject:
            return {"compatibilityLevel": self.level}
        if subject[0] not in self.levels:
            raise _Refused(404, 40408, f"Subject '{subject[0]}' does not have subject-level compatibility configured")
        return {"compatibilityLevel": self.levels[subject[0]]}

    def _versions(self, subject: str) -> list[_Version]:
        if subject not in self.subjects:
            raise _Refused(404, 40401, f"Subject '{subject}' not found.")
        return self.subjects[subject]

    def _version(self, subject: str, number: str) -> _Version:
        versions = self._versions(subject)
        found = [v for v in versions if str(v.number) == number] if number != "latest" else versions
        if not found:
            raise _Refused(404, 40402, f"Version {number} not found.")
        return found[-1]

    def _schema(self, number: str) -> WriterSchema:
        if not number.isdecimal() or int(number) not in self.schemas:
            raise _Refused(404, 40403, f"Schema {number} not found")
        return self.schemas[int(number)]

    def _find(self, subject: str, schema: WriterSchema) -> _Version:
        wanted = shape(schema)
        for version in self._versions(subject):
            if shape(self.schemas[version.id]) == wanted:
                return version
        raise _Refused(404, 40403, "Schema not found")

    def _register(self, subject: str, schema: WriterSchema) -> int:
        versions = self.subjects.get(subject, [])
        wanted = shape(schema)
        for version in versions:
            if shape(self.schemas[version.id]) == wanted:
                return version.id
        if messages := self._incompatible(versions, subject, schema):
            why = f'Schema being registered is incompatible with an earlier schema for subject "{subject}"'
            raise _Refused(409, 409, f"{why}, details: {messages}")
        known = (number for number, other in self.schemas.items() if shape(other) == wanted)
        number = next(known, len(self.schemas) + 1)
        self.schemas.setdefault(number, schema)
        self.subjects[subject] = [*versions, _Version(len(versions) + 1, number)]
        return number

    def _incompatible(self, versions: list[_Version], subject: str, schema: WriterSchema) -> list[str]:
        level = self.levels.get(subject, self.level)
        against = [self.schemas[version.id] for version in versions]
        if not level.endswith("_TRANSITIVE"):
            against = against[-1:]
        found: list[str] = []
        for other in against:
            if level.startswith(("BACKWARD", "FULL")):
                found += breaks(other, schema)
            if level.startswith(("FORWARD", "FULL")):
                found += breaks(schema, other)
        return found

    def _shown(self, subject: str, version: _Version, asked: dict[str, Any]) -> dict[str, Any]:
        where = {"subject": subject, "version": version.number, "id": version.id}
        return where | _written(self.schemas[version.id], asked)


class MemoryRegistry:
    """A registry that runs inside ``with`` (or between :meth:`start` and :meth:`stop`). Port 0 chooses a free one.

    It keeps its schemas over a stop and start; :meth:`clear` forgets them, as a restart of Apicurio does.
    """

    def __init__(self, port: int = 0) -> None:
        self.port = port
        self._subjects = _Subjects()
        self._lock = threading.Lock()
        self._server: ThreadingHTTPServer | None = None

    @property
    def url(self) -> str:
        """The value for KAFKA_SCHEMA_REGISTRY_URL; the port is known from :meth:`start` on."""
        return f"http://{endpoint(_HOST, self.port)}"

    def start(self) -> None:
        """Start answering, on loopback. Raises :exc:`PortTaken`."""
        if self.port == 0:
            [self.port] = free_ports(_HOST, 1)
        claim("The schema registry", _HOST, self.port)
        self._server = ThreadingHTTPServer((_HOST, self.port), _handler(self._answer))
        threading.Thread(
            target=self._server.serve_forever, args=(0.02,), name="tickwire-memory-registry", daemon=True
        ).start()

    def stop(self) -> None:
        """Stop answering. Stopping twice does nothing."""
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()
            self._server = None

    def clear(self) -> None:
        """Forget all schemas; their ids will be reused."""
        with self._lock:
            self._subjects = _Subjects()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def _answer(self, method: str, path: str, content: bytes) -> tuple[int, Any]:
        url = urlsplit(path)
        parts = [unquote(part) for part in url.path.strip("/").split("/")]
        try:
            body = json.loads(content) if content else dict(parse_qsl(url.query))
            with self._lock:
                return 200, self._subjects.answer(method, parts, body if isinstance(body, dict) else {})
        except _Refused as e:
            return e.status, {"error_code": e.code, "message": str(e)}
        except ValueError as e:
            return 422, {"error_code": 42201, "message": f"Invalid schema: {e}"}


def _handler(answer: Callable[[str, str, bytes], tuple[int, Any]]) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _serve(self) -> None:
            content = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            status, body = answer(self.command, self.path, content)
            data = json.dumps(body).encode()
            self.send_response(status)
            self.send_header("Content-Type", _TYPE)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        do_GET = do_POST = do_PUT = _serve  # noqa: N815 - theirs

        def log_message(self, *_: Any) -> None:
            """Stay quiet."""

    return Handler


def _schema(body: dict[str, Any]) -> WriterSchema:
    kind, text = body.get("schemaType", "AVRO"), body.get("schema")
    if kind not in _FORMATS or not isinstance(text, str) or body.get("references"):
        raise ValueError(f"expected an {' or '.join(_FORMATS)} schema without references")
    schema = WriterSchema(_FORMATS[kind], text)
    shape(schema)
    return schema


def _written(schema: WriterSchema, asked: dict[str, Any]) -> dict[str, str]:
    if schema.format == "avro":  # whose type is left out
        return {"schema": schema.text}
    text = serialized(schema.text) if asked.get("format") == "serialized" else schema.text
    return {"schema": text, "schemaType": schema.format.upper()}
