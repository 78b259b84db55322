"""Which brokers answer."""

import socket
import sys
import time

import pytest

from tickwire.broker import EmbeddedBroker
from tickwire.broker.process import visible_nodes
from tickwire.errors import KafkaMissing


def test_a_broker_that_answers_is_seen(embedded: EmbeddedBroker) -> None:
    assert len(visible_nodes(embedded.bootstrap, 10.0)) == 1


def test_an_open_port_that_does_not_answer_is_no_broker() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        start = time.monotonic()
        assert visible_nodes(f"127.0.0.1:{silent.getsockname()[1]}", 0.5) == frozenset()
        assert time.monotonic() - start < 5


def test_without_the_library_it_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "confluent_kafka", None)
    with pytest.raises(KafkaMissing):
        visible_nodes("127.0.0.1:1", 0.1)
