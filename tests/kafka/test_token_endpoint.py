"""A token endpoint that fails or hangs: the client library says nothing about it, and would hold us up."""

import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from confluent_kafka import KafkaError
from pydantic import SecretStr

from support import eventually, free_port
from tickwire.config.kafka_config import KafkaConfig
from tickwire.kafka.clients import Cluster
from tickwire.kafka.consuming.connection import Connection
from tickwire.ui.reading import Onlooker


class Endpoint:
    """Answers 500, once it is let."""

    def __init__(self) -> None:
        self.asked, self.let = threading.Event(), threading.Event()
        self.let.set()
        endpoint = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                endpoint.asked.set()
                endpoint.let.wait(20)
                self.send_response(500)
                self.end_headers()

            def log_message(self, *_: Any) -> None: ...

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, args=(0.02,), daemon=True).start()
        self.config = KafkaConfig(
            brokers=f"127.0.0.1:{free_port()}",
            security_protocol="SASL_PLAINTEXT",
            sasl_mechanism="OAUTHBEARER",
            sasl_oauth_token_endpoint_url=f"http://127.0.0.1:{self.server.server_port}/token",
            sasl_oauth_client_id="feed",
            sasl_oauth_client_secret=SecretStr("hush-hush"),
        )


@pytest.fixture
def endpoint() -> Iterator[Endpoint]:
    made = Endpoint()
    yield made
    made.let.set()
    made.server.shutdown()
    made.server.server_close()


def test_a_consumer_that_loses_a_connection_finds_that_there_are_no_tokens(endpoint: Endpoint) -> None:
    connection = Connection(endpoint.config)
    connection.heard(KafkaError(KafkaError._TRANSPORT, "Disconnected"))
    eventually(lambda: "answers 500" in connection.cause, "the endpoint is named")


def test_the_page_says_why_kafka_cannot_be_asked(endpoint: Endpoint, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tickwire.ui.reading._ANSWER_S", 0.1)
    onlooker = Onlooker(endpoint.config)
    onlooker.read()
    eventually(lambda: "answers 500" in (onlooker.no_token or ""), "the endpoint is named")


def test_a_client_that_asks_for_a_token_is_not_waited_for(endpoint: Endpoint) -> None:
    endpoint.let.clear()
    cluster = Cluster(endpoint.config)
    assert endpoint.asked.wait(20)
    start = time.monotonic()
    del cluster
    assert time.monotonic() - start < 10  # what hangs is asked for 20 s
