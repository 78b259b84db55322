"""``tickwire broker`` as a process: it says one line, and ends in order."""

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from brokers import CACHE, Kafka
from support import eventually, free_port
from tickwire.broker.ports import free_ports
from tickwire.broker.process import visible_nodes
from tickwire.cli.broker import broker
from tickwire.errors import UsageError

RUN = "import typer; from tickwire.cli.broker import broker; typer.run(broker)"


@contextmanager
def running(*arguments: str, env: dict[str, str] | None = None) -> Iterator[tuple[subprocess.Popen[str], str]]:
    command = [sys.executable, "-c", RUN, *arguments]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=env) as child:
        assert child.stdout is not None
        try:
            yield child, child.stdout.readline()
        finally:
            child.kill()


@pytest.mark.parametrize("signum", [signal.SIGINT, signal.SIGTERM])
def test_it_says_where_it_is_and_ends_with_0_on_a_signal(signum: signal.Signals) -> None:
    port = free_port()
    with running("--port", str(port)) as (child, line):
        assert line == f"Kafka is ready at 127.0.0.1:{port} (embedded, memory only). Ctrl-C stops it.\n"
        assert visible_nodes(f"127.0.0.1:{port}", 5.0)
        child.send_signal(signum)
        out, err = child.communicate(timeout=20)
        assert (child.returncode, out, err) == (0, "", "")
    assert not visible_nodes(f"127.0.0.1:{port}", 0.3)


@pytest.mark.kafka
def test_apache_is_ready_on_the_port_and_leaves_no_data_behind(kafka: Kafka, tmp_path: Path) -> None:
    (tmp_path / "tickwire").symlink_to(CACHE)
    (tmp_path / "tmp").mkdir()
    [port] = free_ports("127.0.0.1", 1)
    env = {"PATH": "/usr/local/bin:/usr/bin:/bin", "XDG_CACHE_HOME": str(tmp_path), "TMPDIR": str(tmp_path / "tmp")}
    with running("--apache", "--port", str(port), env=env) as (child, line):
        assert line.startswith(f"Kafka is ready at 127.0.0.1:{port} (Apache Kafka 4")
        assert visible_nodes(f"127.0.0.1:{port}", 5.0) == {1}
        assert list((tmp_path / "tmp").glob("tickwire-kafka-*/node-1/data"))
        child.send_signal(signal.SIGTERM)
        assert child.wait(40) == 0
    assert not list((tmp_path / "tmp").glob("tickwire-kafka-*"))


# A program that never answers stands for a slow start.
SLOW = """
import tickwire.broker.embedded as embedded
embedded._find_binary = lambda: {program!r}
"""


def children(pid: int) -> list[int]:
    return [
        int(child) for task in Path(f"/proc/{pid}/task").iterdir() for child in (task / "children").read_text().split()
    ]


def test_a_signal_before_it_is_ready_ends_it_and_its_child(tmp_path: Path) -> None:
    program = tmp_path / "tansu"
    program.write_text("#!/bin/sh\nexec sleep 60\n")
    program.chmod(0o755)
    command = [sys.executable, "-c", SLOW.format(program=str(program)) + RUN, "--port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as child:
        [broker_pid] = eventually(lambda: children(child.pid), "the child is there")
        child.send_signal(signal.SIGTERM)
        out, err = child.communicate(timeout=20)
    assert (child.returncode, out, err) == (0, "", "")
    assert not Path(f"/proc/{broker_pid}").exists()


def test_a_broker_that_dies_is_an_error_not_silence() -> None:
    with running("--port", "0") as (child, line):
        assert re.search(r"127\.0\.0\.1:\d+ ", line)
        [broker_pid] = children(child.pid)
        os.kill(broker_pid, signal.SIGKILL)
        _, err = child.communicate(timeout=20)
        assert child.returncode == 1
        assert "ended by itself (exit code -9)" in err


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ({"nodes": 3}, "--apache"),
        ({"nodes": 2, "apache": True}, "expected 1 or 3"),
        ({"port": 65535, "nodes": 3, "apache": True}, "at most 65533"),
        ({"host": "0.0.0.0"}, "127.0.0.1"),
    ],
)
def test_what_cannot_be_is_said_before_anything_starts(arguments: dict[str, object], says: str) -> None:
    with pytest.raises(UsageError, match=says):
        broker(**arguments)  # type: ignore[arg-type]


def test_an_open_address_is_warned_about(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(UsageError):
        broker(host="192.0.2.1")
    assert "Warning: everyone who reaches '192.0.2.1'" in capsys.readouterr().err
