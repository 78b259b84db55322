"""A TCP proxy that can lose answers, swallow everything, and cut: the network between us and one broker."""

import contextlib
import socket
import threading
from types import TracebackType
from typing import Self

_SIZE = 65_536


class Proxy:
    """Forwards 127.0.0.1:*port* to *target*, until told otherwise, for all connections."""

    def __init__(self, port: int, target: int) -> None:
        self._target = ("127.0.0.1", target)
        self._listener = socket.create_server(("127.0.0.1", port))
        self._sockets: set[socket.socket] = set()
        self._lock = threading.Lock()
        self._to_broker = self._to_client = True
        self.swallowed = 0  # bytes that went nowhere
        threading.Thread(target=self._accept, daemon=True).start()

    def lose_answers(self) -> None:
        """Let requests through and swallow what the broker answers."""
        self._to_client = False

    def blackhole(self) -> None:
        """Swallow everything; connections stay open."""
        self._to_broker = self._to_client = False

    def heal(self) -> None:
        """Forward again, on new connections: those that lost something are cut."""
        self.cut()
        self._to_broker = self._to_client = True

    def cut(self) -> None:
        """Close every connection."""
        with self._lock:
            for sock in self._sockets:
                with contextlib.suppress(OSError):  # it may be closed already
                    sock.shutdown(socket.SHUT_RDWR)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self._listener.close()
        self.cut()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:  # closed: the test is over
                return
            try:
                broker = socket.create_connection(self._target, 10)
            except OSError:
                client.close()
                continue
            with self._lock:
                self._sockets |= {client, broker}
            threading.Thread(target=self._forward, args=(client, broker, True), daemon=True).start()
            threading.Thread(target=self._forward, args=(broker, client, False), daemon=True).start()

    def _forward(self, source: socket.socket, sink: socket.socket, to_broker: bool) -> None:
        with contextlib.suppress(OSError):  # cut
            while data := source.recv(_SIZE):
                if self._to_broker if to_broker else self._to_client:
                    sink.sendall(data)
                else:
                    self.swallowed += len(data)
        for sock in (source, sink):
            with contextlib.suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)
