"""Books with a snapshot over the socket, or over REST if none comes."""

from collections.abc import Callable, Sequence

from tickwire.errors import FrameRejected
from tickwire.events.short_way import ShortWay
from tickwire.events.types import Micros
from tickwire.exchanges.contract import Fetch, Output, Symbol
from tickwire.exchanges.kit.bridged import BridgedBook, Checksum
from tickwire.exchanges.kit.continuity import BookEvent, Follows
from tickwire.exchanges.messages import BookMessages

_PATIENCE_S = 2.0  # from the first change without a snapshot to the REST request; the socket's snapshot comes earlier


class EitherBook(BridgedBook):
    """Starts from a snapshot over the socket, requested or not; without one, changes are bridged to a REST snapshot.

    *again* requests a new one over the socket; *checksum* detects a wrong book after a message that has one. See
    :class:`BridgedBook`.
    """

    subscribes = True

    def __init__(
        self,
        messages: BookMessages,
        fetches: Sequence[Fetch],
        read: Callable[[bytes], BookEvent],
        again: Callable[[Symbol], list[Output]],
        follows: Follows,
        bridges: Follows,
        checksum: Checksum | None = None,
        short_way: ShortWay | None = None,
    ) -> None:
        super().__init__(messages, fetches, read, follows, bridges, short_way)
        self._again, self._checksum = again, checksum

    def snapshot(self, event: BookEvent, received_us: Micros) -> list[Output]:
        """Start from a snapshot of the socket; it replaces the book. Raises :exc:`~tickwire.errors.FrameRejected`."""
        if self._repeats(event):
            return []
        try:
            book = self._read(event, "snapshot")
        except FrameRejected:
            self.doubt()
            raise
        if self._is_wrong(book, event):
            return self.restart("checksum", received_us)
        self._begin(self._follows)
        self._buffer.clear()
        return self._started(book, event, received_us)

    def change(self, event: BookEvent, received_us: Micros) -> list[Output]:
        """Apply an event, or keep it until a snapshot comes. Raises :exc:`~tickwire.errors.FrameRejected`."""
        if self.book is not None or self._fetching:
            return super().change(event, received_us)
        self._keep(event, received_us)
        self.restarting = True  # so that it is also requested over the socket if REST does not answer soon
        return [self._ask(_PATIENCE_S)]

    def ask(self) -> list[Output]:
        """Subscribe again; if no snapshot comes, the first change requests one."""
        self.restarting, self._fetching = True, False
        return self._again(self.symbol)

    def carried(self) -> list[Output]:
        """Wait for the snapshot, or for a change without one."""
        return []
