"""Opens a publisher, serves it on the event loop, and closes it."""

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
    """Keep *publisher* open for one or several feeds; closing it takes at most ``KAFKA_SHUTDOWN_SECONDS``.

    Raises what its ``open`` raises, and at the end the error that stopped it from publishing, if any.
    """
    opening = asyncio.ensure_future(asyncio.to_thread(publisher.open))
    try:
        await asyncio.shield(opening)
    except asyncio.CancelledError:  # the thread cannot be cancelled: undo its work when it is done
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
