"""A TCP proxy that can lose answers, swallow everything, and cut: the network between us and one broker."""

import contextlib
import socket
import threading
from collections.abc import Callable
from types import TracebackType
from typing import Self

_SIZE = 65_536
_END_S = 15.0  # longer than an attempt to connect


class Proxy:
    """Forwards 127.0.0.1:*port* to *target*, until told otherwise, for all connections."""

    def __init__(self, port: int, target: int) -> None:
        self._target = ("127.0.0.1", target)
        self._listener = socket.create_server(("127.0.0.1", port))
        self._sockets: set[socket.socket] = set()
        self._threads: list[threading.Thread] = []
        self._lock = threading.Lock()
        self._to_broker = self._to_client = True
        self.swallowed = 0  # bytes that went nowhere
        self._run(self._accept)

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
        with contextlib.suppress(OSError):  # wakes the thread that waits in accept()
            self._listener.shutdown(socket.SHUT_RDWR)
        self._threads[0].join(_END_S)
        self.cut()
        for thread in self._threads:
            thread.join(_END_S)
        for sock in (self._listener, *self._sockets):
            sock.close()

    def _run(self, target: Callable[..., None], *arguments: object) -> None:
        thread = threading.Thread(target=target, args=arguments, daemon=True)
        self._threads.append(thread)
        thread.start()

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
            self._run(self._forward, client, broker, True)
            self._run(self._forward, broker, client, False)

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
