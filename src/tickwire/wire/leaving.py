"""How a connection is left: what was sent last gets its answers."""

import asyncio
from time import monotonic

from tickwire.wire.connection import Connection
from tickwire.wire.pacer import Pacer

_GOODBYE_S = 3.0  # for unsubscribing and its answers
_QUIET_S = 0.25  # without a frame: the answers are in
_LOOK_S = 0.02


async def answers_are_in(connection: Connection, pacer: Pacer) -> None:
    """Wait until all is sent, and nothing comes any more; not for long."""
    sent_at = monotonic()
    deadline = sent_at + _GOODBYE_S
    while connection.is_open and monotonic() < deadline:
        if pacer.delay_s > 0:
            sent_at = monotonic()
        elif monotonic() - max(sent_at, connection.last_frame) >= _QUIET_S:
            return
        await asyncio.sleep(_LOOK_S)
