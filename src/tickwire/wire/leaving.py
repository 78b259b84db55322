"""Leaves a connection in order: the last messages get their answers."""

import asyncio
from time import monotonic

from tickwire.wire.connection import Connection
from tickwire.wire.pacer import Pacer

_GOODBYE_S = 3.0  # for unsubscribing and its answers
_QUIET_S = 0.25  # without a frame, after which all answers have come
_LOOK_S = 0.02


async def answers_are_in(connection: Connection, pacer: Pacer) -> None:
    """Wait, for a limited time, until all messages are sent and no more frames come."""
    sent_at = monotonic()
    deadline = sent_at + _GOODBYE_S
    while connection.is_open and monotonic() < deadline:
        if pacer.delay_s > 0:
            sent_at = monotonic()
        elif monotonic() - max(sent_at, connection.last_frame) >= _QUIET_S:
            return
        await asyncio.sleep(_LOOK_S)
