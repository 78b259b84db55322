"""Books with a snapshot over the socket that must be requested."""

from collections.abc import Sequence

from tickwire.events.short_way import ShortWay
from tickwire.events.types import Micros
from tickwire.exchanges.contract import Fetch, Output, Send, Symbol
from tickwire.exchanges.kit.bridged import BridgedBook
from tickwire.exchanges.kit.continuity import BookEvent, Follows
from tickwire.exchanges.messages import BookMessages


class RequestedBook(BridgedBook):
    """Keeps events until the answer to *question* comes, requested by this book or not. See :class:`BridgedBook`."""

    def __init__(
        self,
        symbol: Symbol,
        messages: BookMessages,
        question: bytes,
        follows: Follows,
        short_way: ShortWay | None = None,
        in_frames: Sequence[str] = ("{0}",),
    ) -> None:
        super().__init__(messages, [Fetch(symbol, "", 0)], _unread, follows, None, short_way, None, in_frames)
        self._question = question

    def snapshot(self, event: BookEvent, received_us: Micros) -> list[Output]:
        """Start from the answer and the kept events; ignored if the book has started.

        Raises :exc:`~tickwire.errors.FrameRejected`.
        """
        return [] if self.book is not None else self._bridge(event, received_us)

    def carried(self) -> list[Output]:
        """Request the snapshot, unless an event did: events after the subscription are kept."""
        return [] if self.book is not None or self._fetching else self.ask()

    def fetched(self, fetch: Fetch, body: bytes, received_us: Micros) -> list[Output]:  # noqa: ARG002 - part of the contract
        """Ignore a fetched body: none was requested."""
        return []

    def _ask(self, delay_s: float = 0.0, why: str = "") -> Output:  # noqa: ARG002 - a frame has no place for it
        self._fetching = self.restarting = True  # so that it is requested again if the answer is lost
        return Send(self._question, delay_s)


def _unread(body: bytes) -> BookEvent:
    raise NotImplementedError(body)
