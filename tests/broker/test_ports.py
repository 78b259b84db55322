"""Addresses to listen on."""

import socket
import subprocess
import sys

import pytest

from tickwire.broker import ports
from tickwire.broker.ports import HIGHEST, LOWEST, claim, free_ports
from tickwire.config.addresses import endpoint
from tickwire.errors import PortTaken, UsageError


def test_free_ports_are_different_and_outside_the_range_of_outgoing_connections() -> None:
    found = free_ports("127.0.0.1", 20)
    assert len(set(found)) == 20
    assert all(LOWEST <= port < HIGHEST for port in found)
    for port in found:
        claim("A test", "127.0.0.1", port)


@pytest.fixture
def one_port(monkeypatch: pytest.MonkeyPatch) -> int:
    """The only port that can be found; it is free."""
    [port] = free_ports("127.0.0.1", 1)
    ports._leases.pop(port).close()
    monkeypatch.setattr(ports, "LOWEST", port)
    monkeypatch.setattr(ports, "HIGHEST", port + 1)
    return port


def test_a_port_in_use_is_not_offered_and_cannot_be_claimed(one_port: int) -> None:
    with socket.create_server(("127.0.0.1", one_port)):
        with pytest.raises(UsageError, match="No free port"):
            free_ports("127.0.0.1", 1)
        with pytest.raises(PortTaken, match=f"A test cannot listen on 127.0.0.1:{one_port}"):
            claim("A test", "127.0.0.1", one_port)
    assert free_ports("127.0.0.1", 1) == [one_port]


def test_a_port_is_found_once(one_port: int) -> None:
    assert free_ports("127.0.0.1", 1) == [one_port]
    with pytest.raises(UsageError, match="No free port"):
        free_ports("127.0.0.1", 1)


_OTHER = """
import sys
from tickwire.broker import ports
ports.LOWEST, ports.HIGHEST = int(sys.argv[1]), int(sys.argv[1]) + 1
print(ports.free_ports("127.0.0.1", 1), flush=True)
sys.stdin.read()
"""


@pytest.mark.skipif(sys.platform != "linux", reason="leases of other processes are seen on Linux alone")
def test_a_port_that_another_process_found_is_not_offered_until_that_process_ends(one_port: int) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", _OTHER, str(one_port)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == f"[{one_port}]\n"
        with pytest.raises(UsageError, match="No free port"):
            free_ports("127.0.0.1", 1)
        other.kill()
    assert free_ports("127.0.0.1", 1) == [one_port]


def test_ipv6_addresses_are_written_in_brackets() -> None:
    assert endpoint("::1", 9092) == "[::1]:9092"
    assert endpoint("localhost", 9092) == "localhost:9092"
