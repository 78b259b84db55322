"""One client of the simulated exchange, and the writing to its socket."""

import asyncio
import struct
from collections import deque

from tickwire.simulator.dialect import Conversation

TEXT, BINARY, CLOSE, PING, PONG = 1, 2, 8, 9, 10  # https://www.rfc-editor.org/rfc/rfc6455#section-5.2
HIGH_WATER = 64 * 1024  # bytes not yet taken by the socket beyond which the market waits
_TRICKLE_BYTES = 16
_TRICKLE_PAUSE_S = 0.001
_TRICKLE_S = 2.0


def frame(opcode: int, payload: bytes) -> bytes:
    """A whole, unmasked frame."""
    size = len(payload)
    if size < 126:
        return bytes((0x80 | opcode, size)) + payload
    if size < 1 << 16:
        return struct.pack(">BBH", 0x80 | opcode, 126, size) + payload
    return struct.pack(">BBQ", 0x80 | opcode, 127, size) + payload


class Client:
    """Frames are queued and written together by :meth:`flush`; only faults drop any."""

    def __init__(self, session: Conversation, transport: asyncio.Transport, loop: asyncio.AbstractEventLoop) -> None:
        self.session = session
        self.received: deque[float] = deque()  # times of the client's last messages
        self.silent = False  # sends only pongs
        self.quiet = True  # nothing was sent since this was last set
        self.pong_due: float | None = None
        self.queue: list[bytes] = []
        self._transport, self._loop = transport, loop
        self._trickle: bytearray | None = None
        self._trickle_until = 0.0

    @property
    def unwritten(self) -> int:
        """Bytes that the socket has not taken yet."""
        return self._transport.get_write_buffer_size() + len(self._trickle or b"")

    @property
    def blocked(self) -> bool:
        """Whether this client reads more slowly than bytes are sent."""
        return self._trickle is not None or self._transport.get_write_buffer_size() > HIGH_WATER

    def send(self, wire: bytes) -> None:
        """Queue one frame and write what is queued."""
        if not self.silent:
            self.queue.append(wire)
            self.flush()

    def control(self, opcode: int, payload: bytes) -> None:
        """Write a ping or pong after everything that is queued."""
        self.queue.append(frame(opcode, payload))
        self.flush()

    def flush(self) -> None:
        """Write the queued frames."""
        if not self.queue:
            return
        data = b"".join(self.queue)
        self.queue.clear()
        self.quiet = False
        if self._trickle is not None:
            self._trickle += data
        elif not self._transport.is_closing():
            self._transport.write(data)

    def drop(self) -> None:
        """Cut the connection without a closing handshake."""
        self.queue.clear()
        self.silent = True
        self._transport.abort()

    def silence(self, *, deaf: bool) -> None:
        """Send no more frames; a *deaf* client's pings are not answered either."""
        self.flush()
        self.silent = True
        if deaf:
            self._transport.pause_reading()

    def slow(self) -> None:
        """Send the bytes of the next two seconds slowly, a few at a time."""
        self.flush()
        self._trickle_until = self._loop.time() + _TRICKLE_S
        if self._trickle is None:
            self._trickle = bytearray()
            self._drip()

    def _drip(self) -> None:
        if self._trickle is None or self._transport.is_closing():
            self._trickle = None
            return
        over = self._loop.time() >= self._trickle_until
        part = bytes(self._trickle if over else self._trickle[:_TRICKLE_BYTES])
        if part:
            self._transport.write(part)
            del self._trickle[: len(part)]
        if over:
            self._trickle = None
        else:
            self._loop.call_later(_TRICKLE_PAUSE_S, self._drip)
