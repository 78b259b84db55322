"""Addresses to listen on."""

import socket

import pytest

from tickwire.broker.ports import HIGHEST, LOWEST, claim, free_ports
from tickwire.config.addresses import endpoint
from tickwire.errors import PortTaken, UsageError


def test_free_ports_are_different_and_outside_the_range_of_outgoing_connections() -> None:
    ports = free_ports("127.0.0.1", 20)
    assert len(set(ports)) == 20
    assert all(LOWEST <= port < HIGHEST for port in ports)
    for port in ports:
        claim("A test", "127.0.0.1", port)


def test_a_port_in_use_is_not_offered_and_cannot_be_claimed(monkeypatch: pytest.MonkeyPatch) -> None:
    [port] = free_ports("127.0.0.1", 1)
    with socket.create_server(("127.0.0.1", port)):
        monkeypatch.setattr("tickwire.broker.ports.LOWEST", port)
        monkeypatch.setattr("tickwire.broker.ports.HIGHEST", port + 1)
        with pytest.raises(UsageError, match="No free port"):
            free_ports("127.0.0.1", 1)
        with pytest.raises(PortTaken, match=f"A test cannot listen on 127.0.0.1:{port}"):
            claim("A test", "127.0.0.1", port)
    assert free_ports("127.0.0.1", 1) == [port]


def test_ipv6_addresses_are_written_in_brackets() -> None:
    assert endpoint("::1", 9092) == "[::1]:9092"
    assert endpoint("localhost", 9092) == "localhost:9092"
