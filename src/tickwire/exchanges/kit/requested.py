"""Books whose snapshot comes over the socket, but only where it is asked for."""

from collections.abc import Sequence

from tickwire.events.short_way import ShortWay
from tickwire.events.types import Micros
from tickwire.exchanges.contract import Fetch, Output, Send, Symbol
from tickwire.exchanges.kit.bridged import BridgedBook
from tickwire.exchanges.kit.continuity import BookEvent, Follows
from tickwire.exchanges.messages import BookMessages


class RequestedBook(BridgedBook):
    """Events are kept until the answer to *question* is there, whoever asked it. See :class:`BridgedBook`."""

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
        """Start from the answer and the events kept; ignored where the book has started already.

        Raises :exc:`~tickwire.errors.FrameRejected`.
        """
        return [] if self.book is not None else self._bridge(event, received_us)

    def carried(self) -> list[Output]:
        """Ask for the snapshot, unless an event has: what comes after the subscription is kept."""
        return [] if self.book is not None or self._fetching else self.ask()

    def fetched(self, fetch: Fetch, body: bytes, received_us: Micros) -> list[Output]:  # noqa: ARG002 - part of the contract
        """Take a fetched body: nothing was asked for."""
        return []

    def _ask(self, delay_s: float = 0.0, why: str = "") -> Output:  # noqa: ARG002 - a frame has no place for it
        self._fetching = self.restarting = True  # so that a lost answer is asked for again
        return Send(self._question, delay_s)


def _unread(body: bytes) -> BookEvent:
    raise NotImplementedError(body)
