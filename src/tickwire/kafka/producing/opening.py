"""A publisher's life: opened, served on the event loop, closed by whoever opened it."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from tickwire.kafka.producing.memory import MemoryPublisher
    from tickwire.kafka.producing.publisher import Publisher

P = TypeVar("P", bound="Publisher | MemoryPublisher")


@asynccontextmanager
async def opened(publisher: P) -> AsyncIterator[P]:
    """Have *publisher* open for one feed or several; at the end it has ``KAFKA_SHUTDOWN_SECONDS`` for what is left.

    Raises what its ``open`` raises, and at the end the error for which it could not publish any more.
    """
    opening = asyncio.ensure_future(asyncio.to_thread(publisher.open))
    try:
        await asyncio.shield(opening)
    except asyncio.CancelledError:  # the thread cannot be cancelled: all is given back when it is done
        opening.add_done_callback(lambda _: _undo(opening, publisher))
        await asyncio.wait({opening})
        raise
    publisher.start(asyncio.get_running_loop())
    try:
        yield publisher
    finally:
        await publisher.close(publisher.config.shutdown_seconds)
    if publisher.flows.error is not None:
        raise publisher.flows.error


def _undo(opening: "asyncio.Future[None]", publisher: "Publisher | MemoryPublisher") -> None:
    if not opening.cancelled() and opening.exception() is None:
        publisher.abandon()
