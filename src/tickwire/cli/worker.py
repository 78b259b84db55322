"""How a worker of ``tickwire produce --workers`` reports to the first process, over a socket.

A request is four bytes. The answer repeats them, then has its length in four bytes and the metrics page.
"""

import os
import signal
import socket
import threading

from prometheus_client import generate_latest

from tickwire.metrics import consistent_registry

REQUEST_BYTES = 4
LENGTH_BYTES = 4


class Reporter(threading.Thread):
    """Answers until the first process closes the socket, which means that it died: then this process ends in order."""

    def __init__(self, channel: int) -> None:
        super().__init__(name="tickwire-report", daemon=True)
        self._socket = socket.socket(fileno=channel)

    def run(self) -> None:
        """Answer."""
        registry = consistent_registry()
        try:
            while request := self._socket.recv(REQUEST_BYTES, socket.MSG_WAITALL):
                page = generate_latest(registry)
                self._socket.sendall(request + len(page).to_bytes(LENGTH_BYTES, "little") + page)
        except ConnectionError:
            pass  # it was killed
        os.kill(os.getpid(), signal.SIGTERM)
