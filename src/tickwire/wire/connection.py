"""One WebSocket connection: receives and sends frames, with limits on whatever the server sends."""

import asyncio
import contextlib
import logging
import socket
import ssl
from collections import deque
from collections.abc import Callable, Mapping
from time import monotonic
from typing import Protocol

from picows import (
    WSCloseCode,
    WSError,
    WSFrame,
    WSListener,
    WSMsgType,
    WSParsedURL,
    WSProtocolError,
    WSTransport,
    ws_connect,
)

from tickwire.errors import ConnectionLost
from tickwire.exchanges.contract import Frames
from tickwire.wire.frame_gate import FrameGate

logger = logging.getLogger(__name__)

_ADDRESS_S = 5.0  # for one address of the host name
_CONNECT_S = 15.0  # name, TCP and TLS
_HANDSHAKE_S = 10.0  # then the WebSocket's own handshake
_READ_BUFFER = 256 * 1024
_KINDS = {"text": (WSMsgType.TEXT,), "binary": (WSMsgType.BINARY,), "both": (WSMsgType.TEXT, WSMsgType.BINARY)}


class Receiver(Protocol):
    """Takes a connection's messages; its methods must not raise."""

    def message(self, payload: bytes) -> None:
        """One whole message of a kind that carries data."""

    def rejected(self, reason: str, detail: str) -> None:
        """A message was skipped."""


class Connection(WSListener):
    """One connection, from :meth:`open` to :meth:`closed`, whichever side ends it.

    *message*, if given, takes messages in place of the receiver's method. *frames* says which kinds carry data.
    Messages of more than *max_bytes*, in one frame or in fragments, are refused.
    """

    def __init__(
        self,
        receiver: Receiver,
        max_bytes: int,
        message: Callable[[bytes], None] | None = None,
        frames: Frames = "text",
    ) -> None:
        self._receiver, self._max_bytes = receiver, max_bytes
        self._kinds = _KINDS[frames]
        # The gate is open while whole messages may pass directly. An attribute, because picows would create a bound
        # method for each frame.
        self._gate = FrameGate(self._kinds, max_bytes, message or receiver.message, self._rare)
        self.on_ws_frame = self._gate  # type: ignore[method-assign, assignment]
        self._transport: WSTransport | None = None
        self._parts = bytearray()  # of a fragmented message
        self._parts_type: WSMsgType | None = None
        # Messages read before a pause: picows' buffer may hold megabytes of them.
        self._held: deque[tuple[WSMsgType, bool, bytes]] = deque()
        self._held_since = 0.0
        self._given_up: ConnectionLost | None = None
        self._socket: socket.socket | None = None
        self.paused = False

    # Called by picows

    def on_ws_connected(self, transport: WSTransport) -> None:
        """Keep the transport for sending."""
        self._transport = transport
        if self.paused:
            transport.underlying_transport.pause_reading()

    def pause_writing(self) -> None:
        """Give up: we write little, so a server that lets it pile up makes us answer without reading."""
        self.give_up(ConnectionLost("protocol", "the server does not read what we send"))

    def resume_writing(self) -> None:
        """Nothing to do: the connection was given up."""

    # Called by the session

    async def open(self, url: str, headers: Mapping[str, str] | None = None) -> None:
        """Connect with these *headers* in the handshake; a certificate that does not verify is refused.

        Raises :exc:`~tickwire.errors.ConnectionLost`.
        """
        try:
            async with asyncio.timeout(_CONNECT_S + _HANDSHAKE_S):
                await ws_connect(
                    lambda: self,
                    url,
                    ssl_context=ssl.create_default_context() if url.startswith("wss:") else None,
                    websocket_handshake_timeout=_HANDSHAKE_S,
                    enable_auto_pong=False,  # answered here, so that pings count as signs of life
                    max_frame_size=self._max_bytes,
                    max_redirects=0,
                    extra_headers=headers,
                    read_buffer_init_size=_READ_BUFFER,
                    logger_name=logging.getLogger("picows"),  # its log lines are not our events
                    socket_factory=self._open_socket,
                )
        except (OSError, TimeoutError, WSError) as e:
            raise ConnectionLost("connect", f"{type(e).__name__}: {e}") from e
        if self._transport is None:  # picows raises nothing if the server disconnects during the handshake
            raise ConnectionLost("connect", "the server closed the connection during the handshake")
        self._gate.last_frame = monotonic()

    async def _open_socket(self, url: WSParsedURL) -> socket.socket:
        """Connect to the first address that answers; keep the socket, so that the handshake can be aborted."""
        loop = asyncio.get_running_loop()
        failure: Exception = OSError("the name has no address")
        for family, kind, protocol, _, address in await loop.getaddrinfo(url.host, url.port, type=socket.SOCK_STREAM):
            connecting = socket.socket(family, kind, protocol)
            try:
                connecting.setblocking(False)
                async with asyncio.timeout(_ADDRESS_S):
                    await loop.sock_connect(connecting, address)
            except (OSError, TimeoutError) as e:
                connecting.close()
                failure = e
            except asyncio.CancelledError:
                connecting.close()
                raise
            else:
                self._socket = connecting
                return connecting
        raise failure

    @property
    def last_frame(self) -> float:
        """The monotonic time of the last frame of any kind, pings and pongs included."""
        return self._gate.last_frame

    @property
    def is_open(self) -> bool:
        """Whether the socket is connected."""
        return self._transport is not None and not self._transport.is_disconnected

    def send(self, message: bytes) -> None:
        """Send a text frame; nothing happens on a connection that is closed already."""
        if self._transport is not None:
            self._transport.send(WSMsgType.TEXT, message)

    def hand_to(self, message: Callable[[bytes], None]) -> None:
        """Pass messages to *message* from now on, also those kept during a pause."""
        self._gate.message = message

    def ping(self) -> None:
        """Send the WebSocket's own ping."""
        if self._transport is not None:
            self._transport.send_ping(b"")

    def pause(self) -> None:
        """Stop passing on messages and reading the socket; messages already read are kept."""
        self.paused = True
        self._look()
        if self._transport is not None:
            self._transport.underlying_transport.pause_reading()

    def resume(self) -> None:
        """Pass on the kept messages and read again. The pause does not count as silence."""
        self.paused = False
        self._gate.last_frame = monotonic()
        while self._held and not self.paused and self._given_up is None:
            self._take(*self._held.popleft())
        self._look()
        if self._transport is not None and not self.paused:
            self._transport.underlying_transport.resume_reading()

    def waiting_s(self) -> float:
        """How many seconds the messages passed on now were kept."""
        return monotonic() - self._held_since if self._held else 0.0

    def give_up(self, lost: ConnectionLost) -> None:
        """Close at once; :meth:`closed` will answer *lost*. Only the first reason counts."""
        if self._given_up is None:
            self._given_up = lost
            self._parts.clear()
            self._held.clear()
            self._look()
            self.abort()

    def abort(self) -> None:
        """Close the socket without a close frame, also during the handshake."""
        if self._transport is not None:
            self._transport.disconnect(graceful=False)
        elif self._socket is not None:
            with contextlib.suppress(OSError):  # closed already
                self._socket.shutdown(socket.SHUT_RDWR)  # picows, which owns it now, sees the end of the stream

    async def close(self, seconds: float) -> None:
        """Close in order: a close frame, its answer or *seconds*, then the socket."""
        if self._transport is None:
            return
        self._transport.send_close(WSCloseCode.OK)
        try:
            async with asyncio.timeout(seconds):
                await self.closed()
        except TimeoutError:
            self.abort()

    async def closed(self) -> ConnectionLost:
        """Wait for the end and return its cause."""
        assert self._transport is not None  # noqa: S101 - open() came first
        try:
            await self._transport.wait_disconnected()
        except WSProtocolError as e:
            return self._given_up or self._broke_protocol(e)
        except Exception as e:
            # picows raises here whatever was raised while it read a frame: a bug of ours or its own.
            if self._given_up is None:
                self._receiver.rejected("malformed", f"{type(e).__name__}: {e}")
                logger.exception("feed.connection_error")
            return self._given_up or ConnectionLost("protocol", f"{type(e).__name__}: {e}")
        if self._given_up is not None:
            return self._given_up
        handshake = self._transport.close_handshake
        received = handshake.recv if handshake is not None else None
        said = f"closed by the server: {received.code} {received.reason!r}" if received else "the connection broke"
        return ConnectionLost("closed", said)

    def _broke_protocol(self, error: WSProtocolError) -> ConnectionLost:
        """Count the frame that picows itself refused."""
        code, text = error.args[0], str(error.args[1])
        reason = "oversize" if code == WSCloseCode.MESSAGE_TOO_BIG else "malformed"
        self._receiver.rejected(reason, text)
        return ConnectionLost("protocol", text)

    def _rare(self, transport: WSTransport, frame: WSFrame) -> None:
        """Take every frame that does not pass the gate."""
        kind = frame.msg_type
        if self._given_up is not None:
            return
        if kind == WSMsgType.PING:
            transport.send_pong(frame.get_payload_as_bytes())
        elif kind == WSMsgType.CLOSE:
            transport.send_close(WSCloseCode.OK)
            transport.disconnect()
        elif kind != WSMsgType.PONG:
            if self.paused or self._held:
                if not self._held:
                    self._held_since = self.last_frame
                self._held.append((kind, frame.fin, frame.get_payload_as_bytes()))
            else:
                self._take(kind, frame.fin, frame.get_payload_as_bytes())

    def _look(self) -> None:
        """Open or close the gate."""
        in_the_way = self.paused or self._held or self._parts_type is not None or self._given_up is not None
        self._gate.open = not in_the_way

    def _take(self, kind: WSMsgType, fin: bool, payload: bytes) -> None:
        """Take a data frame, which may be a whole message."""
        if kind in self._kinds and fin and self._parts_type is None and len(payload) <= self._max_bytes:
            self._gate.message(payload)
        else:
            self._fragment(kind, fin, payload)
            self._look()

    def _fragment(self, kind: WSMsgType, fin: bool, payload: bytes) -> None:
        """Collect a message's frames (RFC 6455, section 5.4)."""
        if (kind == WSMsgType.CONTINUATION) != (self._parts_type is not None):
            self._refuse("malformed", "a fragment that does not follow on the one before")
            return
        if self._parts_type is None:
            self._parts_type = kind
        if len(self._parts) + len(payload) > self._max_bytes:
            self._refuse("oversize", f"a message of more than {self._max_bytes} bytes")
            return
        self._parts += payload
        if not fin:
            return
        message, kind = bytes(self._parts), self._parts_type
        self._parts.clear()
        self._parts_type = None
        if kind in self._kinds:
            self._gate.message(message)
        elif kind == WSMsgType.BINARY:
            self._receiver.rejected("binary", f"a binary message of {len(message)} bytes")
        else:
            self._receiver.rejected("unknown", f"a text message of {len(message)} bytes")

    def _refuse(self, reason: str, detail: str) -> None:
        self._receiver.rejected(reason, detail)
        self.give_up(ConnectionLost("protocol", detail))
