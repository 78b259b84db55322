"""The Dockerfile, as far as it can be held against something without an engine."""

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from fnmatch import fnmatch
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import pytest

from deploy.tools import ROOT

TEXT = re.sub(r"\s*\\\n\s*", " ", (ROOT / "Dockerfile").read_text())


def instructions(name: str) -> list[str]:
    return re.findall(rf"^{name} (.*)$", TEXT, flags=re.MULTILINE)


def test_it_runs_as_a_user_without_rights_and_takes_no_compiler_along() -> None:
    _, last = TEXT.split("\nFROM ")[1:]
    assert instructions("USER") == ["10001:10001"]
    assert "gcc" not in last
    assert instructions("VOLUME") == ["/var/lib/tickwire"]
    assert "KAFKA_SPILL_DIR=/var/lib/tickwire/spill" in last


def test_what_it_copies_is_there_and_let_through() -> None:
    (files, folder, _) = instructions("COPY")
    let = [line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")]
    for name in [*files.split()[:-1], folder.split()[0]]:
        assert (ROOT / name).exists()
        assert any(fnmatch(name, pattern) for pattern in let), name


class _Health(BaseHTTPRequestHandler):
    status = 200

    def do_GET(self) -> None:
        self.send_response(self.status if self.path == "/health/live" else 404)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def page() -> Iterator[ThreadingHTTPServer]:
    with ThreadingHTTPServer(("127.0.0.1", 0), type("Health", (_Health,), {})) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        yield server
        server.shutdown()


@pytest.mark.parametrize(("status", "code"), [(200, 0), (503, 1)])
def test_its_health_check_asks_whether_the_process_lives(page: ThreadingHTTPServer, status: int, code: int) -> None:
    page.RequestHandlerClass.status = status  # type: ignore[attr-defined]
    (check,) = instructions("HEALTHCHECK")
    command = json.loads(check.partition(" CMD ")[2])
    assert command[0] == "python"
    done = subprocess.run(
        [sys.executable, *command[1:]],
        env={"KAFKA_METRICS_PORT": str(page.server_address[1])},
        capture_output=True,
        check=False,
        timeout=20,
    )
    assert done.returncode == code, done.stderr
