"""A broker that lets nobody in, and counts who asks.

https://kafka.apache.org/protocol: ApiVersions, SaslHandshake and SaslAuthenticate are all that it knows.
"""

import socket
import socketserver
import struct
import threading
from types import TracebackType
from typing import Self

_AUTHENTICATE, _HANDSHAKE, _VERSIONS = 36, 17, 18
_KNOWN = ((_HANDSHAKE, 0, 1), (_VERSIONS, 0, 0), (_AUTHENTICATE, 0, 0))
_UNSUPPORTED_VERSION, _REFUSED = 35, 58


class RefusingBroker:
    """Listens on loopback for the length of a block; ``log_ins`` is how many were tried."""

    def __init__(self) -> None:
        self.log_ins = 0
        broker = self

        class Connection(socketserver.BaseRequestHandler):
            def handle(self) -> None:
                while (answer := broker._answer(self.request)) is not None:
                    self.request.sendall(struct.pack(">i", len(answer)) + answer)

        self._server = socketserver.ThreadingTCPServer(("127.0.0.1", 0), Connection)
        self._server.daemon_threads = True
        self.bootstrap = f"127.0.0.1:{self._server.server_address[1]}"

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()

    def _answer(self, client: socket.socket) -> bytes | None:
        size = client.recv(4, socket.MSG_WAITALL)
        if len(size) < 4:
            return None
        asked = client.recv(struct.unpack(">i", size)[0], socket.MSG_WAITALL)
        api, version, number = struct.unpack_from(">hhi", asked)
        if api == _VERSIONS:
            known = b"".join(struct.pack(">hhh", *one) for one in _KNOWN)
            body = struct.pack(">hi", _UNSUPPORTED_VERSION if version else 0, len(_KNOWN)) + known
        elif api == _HANDSHAKE:
            body = struct.pack(">hih", 0, 1, 5) + b"PLAIN"
        else:
            self.log_ins += 1
            body = struct.pack(">hh", _REFUSED, 7) + b"refused" + struct.pack(">i", 0)
        return struct.pack(">i", number) + body
