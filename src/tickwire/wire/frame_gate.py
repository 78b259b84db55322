"""The function that picows calls for each frame; ``native/frame_gate.c`` is the compiled form."""

from collections.abc import Callable
from time import monotonic

from picows import WSFrame, WSMsgType, WSTransport

from tickwire.compiled import compiled


@compiled
class FrameGate:
    """Passes whole messages to ``message`` while it is ``open``.

    Those are final frames of one of *kinds* with at most *max_bytes*; all others go to *rare*. ``last_frame`` is the
    monotonic time of the last frame of any kind.
    """

    __slots__ = ("_kinds", "_max_bytes", "_rare", "last_frame", "message", "open")

    def __init__(
        self,
        kinds: tuple[WSMsgType, ...],
        max_bytes: int,
        message: Callable[[bytes], None],
        rare: Callable[[WSTransport, WSFrame], None],
        /,
    ) -> None:
        self._kinds, self._max_bytes, self.message, self._rare = kinds, max_bytes, message, rare
        self.open = True
        self.last_frame = monotonic()

    def __call__(self, transport: WSTransport, frame: WSFrame, /) -> None:
        """Take one frame."""
        self.last_frame = monotonic()
        if self.open and frame.msg_type in self._kinds and frame.fin and frame.payload_size <= self._max_bytes:
            self.message(frame.get_payload_as_bytes())
        else:
            self._rare(transport, frame)
