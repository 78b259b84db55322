"""What a worker of ``tickwire produce --workers`` tells the process that started it, over a socket.

A request is four bytes, which come back in front of the answer: its length in four more, then the page of metrics.
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
    """Answers until the other side hangs up. Then nobody is there to end this process, so it is ended in order."""

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
            pass  # it was killed in the middle of something
        os.kill(os.getpid(), signal.SIGTERM)
