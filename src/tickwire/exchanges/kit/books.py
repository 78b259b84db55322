"""Books that start on the socket: a snapshot and its changes, or a whole book in every message."""

import sys
from collections.abc import Callable, Sequence
from typing import ClassVar

from tickwire.errors import FrameRejected
from tickwire.events.book import Book, Levels
from tickwire.events.numbers import UpdateId
from tickwire.events.short_way import ShortWay
from tickwire.events.side import Names
from tickwire.events.types import Micros, OrderBook
from tickwire.exchanges.contract import Fetch, Output, Resync, Symbol, malformed
from tickwire.exchanges.kit.continuity import NO_NUMBER, BookEvent, Follows
from tickwire.exchanges.messages import BookMessages, json_prefix

BROKEN = -2
"""No number of an update: whatever event follows shows a gap."""

_PATIENCE_US = 2_000_000  # from the first change without a snapshot until the snapshot counts as lost


class KeptBook(UpdateId):
    """One symbol's book on one connection; ``update_id`` is the exchange's number of the last update that it holds.

    *names* are those of price and size where levels are JSON objects. Sizes in the text of levels are numbers of the
    symbol's contracts. Where its changes take a *short_way*, *in_frames* says which texts stand for the symbol in
    frames: ``{0}`` is the exchange's name, ``{1}`` the depth.
    """

    subscribes: ClassVar[bool] = True  # again, when it is asked for
    behind_us: ClassVar[Micros] = 10_000_000  # how long events may go on that a snapshot holds already

    def __init__(
        self,
        symbol: Symbol,
        messages: BookMessages,
        short_way: ShortWay | None = None,
        names: Names | None = None,
        in_frames: Sequence[str] = ("{0}",),
    ) -> None:
        super().__init__()
        self.symbol, self.native, self.messages = symbol, symbol.native, messages
        self.update_id = BROKEN
        self.book: Book | None = None  # None while its start is awaited
        self.suspect = False  # an event that may have changed it could not be read
        self.new = True  # no event has come yet
        self.followed = False  # a change was applied since its start
        self.least = 0  # levels a side that must be known for a change to take the short way
        self.most = sys.maxsize  # that are kept
        self._started_us = 0
        self._start: tuple[int, Micros | None] = BROKEN, None  # the number and time of the snapshot it began with
        self.restarting = False  # asked for again over the socket, and not there yet
        self.short = False  # its changes take the short way
        self._short_way, self._names, self._in_frames = short_way, names, in_frames

    @property
    def current(self) -> Book | None:
        """The book as it stands, None while it is not valid."""
        return None if self.suspect or self.update_id == BROKEN else self.book

    def restart(self, reason: str, received_us: Micros) -> list[Output]:
        """Give the book up: ``invalid`` if it had started, and a wish to start it again."""
        sequence = self.update_id if self.update_id >= 0 else None
        out: list[Output] = [] if self.book is None else [self.messages.invalid(reason, sequence, received_us)]
        self.book, self.suspect, self.restarting = None, False, False
        self.leave()
        return [*out, Resync(self.symbol, reason)]

    def doubt(self) -> None:
        """Note that an event which may have changed the book could not be read: what comes next is a gap."""
        self.suspect, self.update_id = True, BROKEN
        self.leave()

    def promise(self, depth: int) -> None:
        """Keep *depth* levels a side true from now on."""
        self.messages.depth = depth
        self.leave()

    def take(self, book: Book, delta: OrderBook, depth: int = -1) -> None:
        """Let the changes that follow on this one take the short way; *depth* levels a side are kept, -1: all."""
        self.short = True
        if self._short_way is not None:
            names = tuple(name.format(self.native, self.messages.depth) for name in self._in_frames)
            of_symbol = self.native, names, self.symbol.canonical, json_prefix("bids", delta)
            self._short_way.follow(*of_symbol, book.bids, book.asks, self, depth, self.least, self.most)

    def leave(self) -> None:
        """Let no change take the short way."""
        self.short = False
        if self._short_way is not None:
            self._short_way.leave(self.native)

    def ask(self) -> list[Output]:
        """Ask for what starts the book again: nothing, unless there is a way to."""
        return []

    def asking(self, fetch: Fetch) -> None:
        """Note that the request for this leaves now."""

    def fetched(self, fetch: Fetch, body: bytes, received_us: Micros) -> list[Output]:  # noqa: ARG002 - for those that do
        """Take a fetched body: nothing was asked for."""
        return []

    def carried(self) -> list[Output]:
        """What to do once the exchange has accepted the subscription."""
        return []

    def _holds(self, old: BookEvent, received_us: Micros) -> bool:
        """Whether an old event is the last one once more, or one from before the book's start that comes soon after it.

        Any other one says that an event before it had a wrong number, or that numbers began anew: all that comes now
        would be old.
        """
        is_last = old.last == self.update_id
        if self.followed:
            # One update with the number of the last: it is that one, or the number before it was too great by one.
            return is_last and (old.first != old.last or self._says(old))
        return is_last or received_us <= self._started_us + self.behind_us

    def _says(self, event: BookEvent) -> bool:
        """Whether an event says what the book holds already."""
        now = self.book or Book()
        sides = now.bids.top(), now.asks.top()
        again = Book(*sides, self._names, self.symbol.contract_size)
        try:
            again.apply(event.bids, event.asks)
        except ValueError:
            return False
        return (again.bids.top(), again.asks.top()) == sides

    def _repeats(self, snapshot: BookEvent) -> bool:
        """Whether a snapshot is the one with which the book began, once more, although the book has gone on since."""
        again = snapshot.last != NO_NUMBER and (snapshot.last, snapshot.exchange_us) == self._start
        return again and self.book is not None and self.followed

    def _cut(self, book: Book) -> tuple[Levels, Levels] | None:
        """Leave an eighth of what may be kept out where there is more; what a reader has to apply then."""
        return book.bound(self.most - self.most // 8) if max(len(book.bids), len(book.asks)) > self.most else None

    def _cut_off(self, book: Book, event: BookEvent, received_us: Micros) -> list[Output]:
        """Leave it out and say so: nothing, where there is not too much."""
        cut = self._cut(book)
        return [] if cut is None else [self.messages.delta(*cut, sequence(event), event.exchange_us, received_us)]

    def _read(self, event: BookEvent, what: str = "book") -> Book:
        """Make a book of an event's levels, and change nothing. Raises :exc:`~tickwire.errors.FrameRejected`."""
        try:
            return Book(event.bids, event.asks, self._names, self.symbol.contract_size)
        except ValueError as e:
            raise malformed(f"{what} of {self.native}", e) from None

    def _started(self, book: Book, event: BookEvent, received_us: Micros) -> list[Output]:
        """Replace the book, whatever it held; the short way would change the one before."""
        self.leave()
        self.book, self.update_id, self.suspect, self.restarting = book, event.last, False, False
        self.followed, self._started_us, self._start = False, received_us, (event.last, event.exchange_us)
        self._cut(book)
        return [self.messages.snapshot(book, sequence(event), event.exchange_us, received_us)]


class StreamedBook(KeptBook):
    """A snapshot comes over the socket, and then changes that follow on each other.

    *follows* tells a hole where events are numbered, *checksum* a book that is not the exchange's; *again* asks for a
    new snapshot. *cut*: keep the promised depth, because the exchange does not say which levels leave it.
    """

    def __init__(
        self,
        symbol: Symbol,
        messages: BookMessages,
        again: Callable[[Symbol], list[Output]],
        short_way: ShortWay | None = None,
        names: Names | None = None,
        *,
        follows: Follows | None = None,
        checksum: Callable[[Book], int] | None = None,
        cut: bool = False,
        in_frames: Sequence[str] = ("{0}",),
    ) -> None:
        super().__init__(symbol, messages, short_way, names, in_frames)
        self._again, self._follows, self._checksum = again, follows, checksum
        self._to_depth = cut
        self._changes_since: Micros | None = None  # without a snapshot

    def snapshot(self, event: BookEvent, received_us: Micros) -> list[Output]:
        """Start from a snapshot, asked for or not: it replaces the book. Raises FrameRejected."""
        if self._repeats(event):
            return []
        try:
            book = self._read(event)
        except FrameRejected:
            self.doubt()
            raise
        if self._to_depth:
            book.truncate(self.messages.depth)
        late = self._changes_since is not None and self._follows is None and self._checksum is None
        self.suspect, self._changes_since = False, None
        if late:  # nothing tells which of the changes before it are in it
            return self.restart("gap", received_us)
        if self._checksum is not None and self._checksum(book) != event.crc:
            return self.restart("checksum", received_us)
        return self._started(book, event, received_us)

    def change(self, event: BookEvent, received_us: Micros) -> list[Output]:
        """Apply a change. Raises :exc:`~tickwire.errors.FrameRejected`."""
        if self.suspect:
            return self.restart("gap", received_us)
        book = self.book
        if book is None:
            return [] if self.restarting else self._unstarted(received_us)
        follows, checksum = self._follows, self._checksum
        verdict = "next" if follows is None else follows(self.update_id, event)
        if verdict != "next":
            if verdict == "restart" and self._is_whole(book, event):
                return self.snapshot(event, received_us)
            known = (verdict == "old" or self.followed) and self._holds(event, received_us)
            return [] if known else self.restart("gap", received_us)
        try:
            # A level that was added and cut at once stands as a removal, which is harmless where it is not there.
            bids, asks = book.apply(event.bids, event.asks, self.messages.depth if self._to_depth else None)
        except ValueError as e:
            self.doubt()
            raise malformed(f"change of {self.native}", e) from None
        depth, wrong = self.messages.depth, checksum is not None and checksum(book) != event.crc
        if wrong or min(book.bids.known(depth), book.asks.known(depth)) < depth:
            return self.restart("checksum" if wrong else "stale", received_us)
        number, self.followed = None, True
        if event.last != NO_NUMBER:
            number = self.update_id = event.last
        delta = self.messages.delta(bids, asks, number, event.exchange_us, received_us)
        out: list[Output] = [delta, *self._cut_off(book, event, received_us)]
        if not self.short:
            self.least = self.messages.depth
            self.take(book, delta, self.messages.depth if self._to_depth else -1)
        return out

    def _is_whole(self, book: Book, event: BookEvent) -> bool:
        """Whether a change may be all of the book: neither side has fewer levels. Raises FrameRejected."""
        now = self._read(event, "change")
        return len(now.bids) >= len(book.bids) and len(now.asks) >= len(book.asks)

    def _unstarted(self, received_us: Micros) -> list[Output]:
        """Leave out what comes before the snapshot, which holds it; where none comes it was lost on its way."""
        if self._changes_since is None:
            self._changes_since = received_us
        if received_us < self._changes_since + _PATIENCE_US:
            return []
        self._changes_since = None
        return [Resync(self.symbol, "gap")]

    def ask(self) -> list[Output]:
        """Subscribe again."""
        self.restarting, self._changes_since = True, None
        return self._again(self.symbol)


class WholeBook(KeptBook):
    """Every message is all of the book: the first one starts it, each later one leaves as its difference.

    A hole does not matter. *again* asks for the subscription again.
    """

    def __init__(
        self,
        symbol: Symbol,
        messages: BookMessages,
        again: Callable[[Symbol], list[Output]],
        short_way: ShortWay | None = None,
        names: Names | None = None,
    ) -> None:
        super().__init__(symbol, messages, short_way, names)
        self._again = again

    def take(self, book: Book, delta: OrderBook, depth: int = -1) -> None:
        """Let the messages that follow take the short way, however many levels they have."""
        self.most = sys.maxsize
        super().take(book, delta, depth)

    def whole(self, event: BookEvent, received_us: Micros) -> list[Output]:
        """Take the book as it is now. Raises :exc:`~tickwire.errors.FrameRejected`; the book stays as it was."""
        book, now = self.book, self._read(event)
        if book is None:
            return self._started(now, event, received_us)
        self.update_id = event.last
        bids, asks = book.replace(now)
        delta = self.messages.delta(bids, asks, sequence(event), event.exchange_us, received_us)
        if not self.short:
            self.take(book, delta)
        return [delta]

    def ask(self) -> list[Output]:
        """Subscribe again, unless the next message comes before."""
        self.restarting = True
        return self._again(self.symbol)


def sequence(event: BookEvent) -> int | None:
    """The event's number as messages give it."""
    return None if event.last == NO_NUMBER else event.last
