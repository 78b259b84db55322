"""What the page's server answers: to browsers that ask it as they should, and to those that are sent by others."""

import http.client
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from prometheus_client import CollectorRegistry, Counter, Gauge, start_http_server

from browser_support import serve
from consumer_support import config_for
from tickwire.broker import EmbeddedBroker

POLICY = "default-src 'none'; script-src 'self'; style-src 'self'"
CHARTS = "vendor/lightweight-charts-5.2.1.mjs"
JSON = {"content-type": "application/json"}


class Answer(NamedTuple):
    status: int
    headers: dict[str, str]
    body: bytes


@pytest.fixture(scope="module")
def address(embedded: EmbeddedBroker, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with serve(
        config_for(embedded.bootstrap, "server"), tmp_path_factory.mktemp("ui") / "log", "--allow-replay"
    ) as url:
        yield url.removeprefix("http://").rstrip("/")


def ask(address: str, path: str, method: str = "GET", body: str | None = None, **headers: str) -> Answer:
    connection = http.client.HTTPConnection(address, timeout=20)
    connection.request(method, path, body, {name.replace("_", "-"): value for name, value in headers.items()})
    answer = connection.getresponse()
    said = {name.lower(): value for name, value in answer.getheaders()}
    found = Answer(answer.status, said, b"" if "event-stream" in said.get("content-type", "") else answer.read())
    connection.close()
    return found


@pytest.mark.parametrize(
    "path", ["/", "/static/app.js", "/static/vendor/lightweight-charts-5.2.1.mjs", "/events", "/no"]
)
def test_every_answer_forbids_what_is_not_ours_and_sets_no_cookie(address: str, path: str) -> None:
    answer = ask(address, path)
    assert answer.status == (404 if path == "/no" else 200)
    assert answer.headers["content-security-policy"].startswith(POLICY)
    assert "unsafe" not in answer.headers["content-security-policy"]
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert not {"set-cookie", "access-control-allow-origin", "server"} & answer.headers.keys()


def test_the_page_has_nothing_inline_and_nothing_from_elsewhere(address: str) -> None:
    page = ask(address, "/").body.decode()
    assert not any(word in page for word in ("<style", "style=", "onclick", "javascript:", "<script>"))
    assert page.count("http") == 1  # the link that the charting library asks for
    assert "https://www.tradingview.com/" in page


@pytest.mark.parametrize("host", ["evil.example", "evil.example:8080", "localhost.evil.example", ""])
def test_a_host_that_is_not_ours_is_refused(address: str, host: str) -> None:
    assert ask(address, "/events", host=host).status == 400


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1:1", "[::1]:8080"])
def test_names_of_this_machine_are_ours(address: str, host: str) -> None:
    assert ask(address, "/", host=host).status == 200


@pytest.mark.parametrize(
    "headers",
    [
        {},
        JSON,
        {"origin": "http://evil.example"} | JSON,
        {"origin": "null"} | JSON,
        {"origin": "OURS", "content-type": "text/plain"},
    ],
)
def test_a_replay_is_for_our_own_page_alone(address: str, headers: dict[str, str]) -> None:
    said = {name: value.replace("OURS", f"http://{address}") for name, value in headers.items()}
    assert ask(address, "/replay", "POST", '{"wanted":{},"execute":true}', **said).status == 403


@pytest.mark.parametrize(
    ("body", "status", "words"),
    [
        ("{", 400, "not understood"),
        ('{"wanted":{},"command":1}', 400, "not understood"),
        ('{"wanted":{"rm":"x"}}', 400, "rm is no condition"),
        ('{"wanted":{},"execute":true}', 400, "the name of the topic"),
        ('{"wanted":{},"execute":true,"confirm":"no"}', 400, "the name of the topic"),
        (" " * 100_000, 413, "too large"),
    ],
)
def test_a_request_that_is_none_says_what_is_wrong(address: str, body: str, status: int, words: str) -> None:
    answer = ask(address, "/replay", "POST", body, **JSON, origin=f"http://{address}")
    assert (answer.status, words in json.loads(answer.body)["error"]) == (status, True), answer


def test_a_wrong_condition_is_named(address: str) -> None:
    answer = ask(address, "/dead-letters?since=soon")
    assert answer.status == 400
    assert "--since" in json.loads(answer.body)["error"]
    empty: dict[str, Any] = json.loads(ask(address, "/dead-letters").body)
    assert (empty["letters"], empty["complete"]) == ([], True)


@pytest.mark.parametrize("path", ["/static/../server.py", "/static/%2e%2e/server.py", "/static/..%2fserver.py"])
def test_nothing_beside_the_static_files_is_given_out(address: str, path: str) -> None:
    assert ask(address, path).status == 404


def test_what_the_metrics_pages_say_is_handed_on_with_its_sum(embedded: EmbeddedBroker, tmp_path: Path) -> None:
    registry = CollectorRegistry()
    Counter("feed_events", "", ["exchange", "type"], registry=registry).labels("kraken", "ticker").inc(7)
    records = Counter("kafka_records", "", ["topic", "outcome"], registry=registry)
    for outcome, count in (("acknowledged", 4), ("conflated", 2)):
        records.labels("t", outcome).inc(count)
    Gauge("kafka_records_in_flight", "", ["topic"], registry=registry).labels("t").set(1)
    exporter, thread = start_http_server(0, "127.0.0.1", registry)
    page = f"http://127.0.0.1:{exporter.server_port}/metrics"
    with serve(config_for(embedded.bootstrap, "sums"), tmp_path / "log", metrics=page) as url:
        connection = http.client.HTTPConnection(url.removeprefix("http://").rstrip("/"), timeout=20)
        connection.request("GET", "/events")
        lines = iter(connection.getresponse().readline, b"")
        seconds = (json.loads(line[5:]) for line in lines if line.startswith(b'data: {"now_us"') and b'"words"' in line)
        found = next(second for second in seconds if second["accounting"] is not None)
        connection.close()
    exporter.shutdown()
    exporter.server_close()
    thread.join()
    assert (found["accounting"]["left"], found["accounting"]["right"], found["pages"]) == (7, 7, {page: True})
    assert found["accounting"]["outcomes"] == {"acknowledged": 4, "conflated": 2}
    assert found["words"] == []


def test_without_being_allowed_to_the_page_replays_nothing(embedded: EmbeddedBroker, tmp_path: Path) -> None:
    with serve(config_for(embedded.bootstrap, "readonly"), tmp_path / "log") as url:
        address = url.removeprefix("http://").rstrip("/")
        answer = ask(address, "/replay", "POST", '{"wanted":{}}', **JSON, origin=f"http://{address}")
    assert answer.status == 403
    assert "--allow-replay" in json.loads(answer.body)["error"]


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["--metrics", "ftp://x"], 2, "--metrics 'ftp://x' is no address"),
        (["--host", "203.0.113.9"], 1, "The page cannot listen on 203.0.113.9:8080"),
    ],
)
def test_wrong_usage_is_one_sentence(arguments: list[str], code: int, words: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "tickwire", "ui", *arguments], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == code
    assert done.stderr.count("\n") == 1
    assert words in done.stderr
