"""Checks and chooses addresses to listen on."""

import errno
import secrets
import socket
import sys
from contextlib import ExitStack
from itertools import islice

from tickwire.errors import PortTaken, UsageError

# Below Linux's range of source ports (32768 up): otherwise a client that retries the port of a stopped broker could get
# that port as its source port, connect to itself and occupy it.
LOWEST, HIGHEST = 20_000, 32_000

_leases: dict[int, socket.socket] = {}  # ports that this process has found, see _lease


def refuse_wildcard(host: str) -> None:
    """Raise :exc:`UsageError` for a wildcard address: Kafka gives clients its own address to connect to."""
    if host in {"", "0.0.0.0", "::", "*"}:
        raise UsageError(
            f"The broker cannot listen on {host!r}: Kafka tells clients where to connect, so --host "
            "must be one address that they can reach, such as 127.0.0.1."
        )


def claim(what: str, host: str, port: int) -> None:
    """Raise :exc:`PortTaken` if *port* cannot be listened on; *what* names the server for the error."""
    if trouble := _trouble(host, port):
        raise PortTaken(what, host, port, "--port", trouble)


def free_ports(host: str, count: int) -> list[int]:
    """Find *count* different free ports, from a random start; raise :exc:`UsageError` if there are none.

    No other call of this function finds them as long as this process lives, nor, on Linux, that of another process:
    a server needs seconds before it listens, and is away while it restarts.
    """
    width = HIGHEST - LOWEST
    start = secrets.randbelow(width)
    candidates = (LOWEST + (start + step) % width for step in range(width))
    ports = list(islice((port for port in candidates if _lease(host, port)), count))
    if len(ports) < count:
        raise UsageError(f"No free port between {LOWEST} and {HIGHEST} on {host}: name one that is free with --port.")
    return ports


def _lease(host: str, port: int) -> bool:
    """Take *port* for this process if it is free and nobody else has taken it.

    The lease is the name of an abstract socket (unix(7)): it is one per network, as ports are, and ends with us.
    """
    if port in _leases:
        return False
    with ExitStack() as stack:
        lease = stack.enter_context(socket.socket(socket.AF_UNIX))
        if sys.platform == "linux":
            try:
                lease.bind(f"\0tickwire-port-{port}")
            except OSError as error:
                if error.errno == errno.EADDRINUSE:
                    return False
                raise
        if _trouble(host, port) is not None:
            return False
        stack.pop_all()
        _leases[port] = lease
    return True


def _trouble(host: str, port: int) -> str | None:
    """Why *port* cannot be listened on, None if it can; raises :exc:`UsageError` if *host* is not this machine's."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family) as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((host, port))
            listener.listen()
        except OSError as error:
            if error.errno in {errno.EADDRINUSE, errno.EACCES}:
                return error.strerror
            raise UsageError(
                f"The broker cannot listen on {host!r} ({error.strerror}): --host must be an address of this machine."
            ) from error
    return None
