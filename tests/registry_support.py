"""Schemas that differ from ours in one place, and a scripted server."""

import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from tickwire.config.kafka_config import KafkaConfig
from tickwire.records.formats.framing import WriterSchema
from tickwire.registry.client import Registry
from tickwire.schemas import schema_text


def avro(kind: str = "ticker", change: Callable[[dict[str, Any]], object] = lambda _: None) -> WriterSchema:
    """Our schema, with a change."""
    schema = json.loads(schema_text(kind, "avro"))
    change(schema)
    return WriterSchema("avro", json.dumps(schema))


def proto(old: str = "", new: str = "", kind: str = "ticker") -> WriterSchema:
    """Our schema as text, with a part replaced."""
    text = schema_text(kind, "protobuf")
    assert old in text
    return WriterSchema("protobuf", text.replace(old, new, 1))


def with_field(**field: Any) -> Callable[[dict[str, Any]], object]:
    """Add a field to an Avro record."""
    return lambda schema: schema["fields"].append(field)


def client(url: str, seconds: float = 5.0, **settings: Any) -> Registry:
    """A client of the registry at *url*."""
    return Registry(KafkaConfig(schema_registry_url=url, **settings), seconds)


class Scripted:
    """Answers every request with the same status, headers and body; :attr:`asked` has the requests."""

    def __init__(self) -> None:
        self.status, self.headers, self.body = 200, {"Content-Type": "application/json"}, b"[]"
        self.pause_s = 0.0  # between two bytes of the body
        self.asked: list[tuple[str, str, dict[str, str]]] = []
        self.url = ""

    def says(self, status: int, body: object, **headers: str) -> None:
        """Set the answer from now on."""
        self.status = status
        self.body = body if isinstance(body, bytes) else json.dumps(body).encode()
        self.headers = {name.replace("_", "-"): value for name, value in headers.items()}


@contextmanager
def scripted(port: int = 0) -> Iterator[Scripted]:
    """A server on loopback; port 0 chooses a free one."""
    script = Scripted()
    ending = threading.Event()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            script.asked.append((self.command, self.path, dict(self.headers)))
            self.rfile.read(int(self.headers.get("Content-Length", 0)))
            self.send_response(script.status)
            for name, value in {"Content-Length": str(len(script.body)), **script.headers}.items():
                self.send_header(name, value)
            self.end_headers()
            if not script.pause_s:
                self.wfile.write(script.body)
                return
            for byte in script.body:
                self.wfile.write(bytes([byte]))
                if ending.wait(script.pause_s):
                    return

        do_POST = do_PUT = do_GET  # noqa: N815 - the library's names

        def log_message(self, *_: Any) -> None: ...

        def handle(self) -> None:
            try:
                super().handle()
            except ConnectionError:  # who asked has had enough
                time.sleep(0)

    server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
    script.url = f"http://127.0.0.1:{server.server_port}"
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    try:
        yield script
    finally:
        ending.set()
        server.shutdown()
        server.server_close()
