"""Books that start over the socket: with a snapshot and its changes, or with the whole book in every message."""

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
"""Stands for the number of the last update after which every event counts as a gap."""

_PATIENCE_US = 2_000_000  # after the first change without a snapshot the snapshot counts as lost


class KeptBook(UpdateId):
    """One symbol's book on one connection; ``update_id`` is the exchange's number of the last update that it holds.

    *names* are those of price and size if levels are JSON objects. Sizes in the text of levels are in contracts of the
    symbol. If changes take a *short_way*, *in_frames* has the texts that stand for the symbol in frames: ``{0}`` is its
    native name, ``{1}`` the depth.
    """

    subscribes: ClassVar[bool] = True  # whether a restart subscribes again
    behind_us: ClassVar[Micros] = 10_000_000  # how long after a start events may come that the snapshot contains

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
        self.book: Book | None = None  # None until it starts
        self.suspect = False  # a broken frame may have changed it
        self.new = True  # no event was received yet
        self.followed = False  # a change was applied since its start
        self.least = 0  # levels a side that must be known for the short way
        self.most = sys.maxsize  # levels a side that are kept
        self._started_us = 0
        self._start: tuple[int, Micros | None] = BROKEN, None  # number and time of the snapshot that started it
        self.restarting = False  # requested again over the socket, and not started yet
        self.short = False  # its changes take the short way
        self._short_way, self._names, self._in_frames = short_way, names, in_frames

    @property
    def current(self) -> Book | None:
        """The current book; None while it is not valid."""
        return None if self.suspect or self.update_id == BROKEN else self.book

    def restart(self, reason: str, received_us: Micros) -> list[Output]:
        """Give up the book: ``invalid`` if it had started, and a :class:`Resync`."""
        sequence = self.update_id if self.update_id >= 0 else None
        out: list[Output] = [] if self.book is None else [self.messages.invalid(reason, sequence, received_us)]
        self.book, self.suspect, self.restarting = None, False, False
        self.leave()
        return [*out, Resync(self.symbol, reason)]

    def doubt(self) -> None:
        """Note that a broken frame may have changed the book: the next event counts as a gap."""
        self.suspect, self.update_id = True, BROKEN
        self.leave()

    def promise(self, depth: int) -> None:
        """Promise *depth* levels a side from now on."""
        self.messages.depth = depth
        self.leave()

    def take(self, book: Book, delta: OrderBook, depth: int = -1) -> None:
        """Let changes after this one take the short way; *depth* levels a side are kept, -1 keeps all."""
        self.short = True
        if self._short_way is not None:
            names = tuple(name.format(self.native, self.messages.depth) for name in self._in_frames)
            of_symbol = self.native, names, self.symbol.canonical, json_prefix("bids", delta)
            self._short_way.follow(*of_symbol, book.bids, book.asks, self, depth, self.least, self.most)

    def leave(self) -> None:
        """Keep changes off the short way."""
        self.short = False
        if self._short_way is not None:
            self._short_way.leave(self.native)

    def ask(self) -> list[Output]:
        """Request a new start of the book; by default there is nothing to request."""
        return []

    def asking(self, fetch: Fetch) -> None:
        """Note that the request is sent now."""

    def fetched(self, fetch: Fetch, body: bytes, received_us: Micros) -> list[Output]:  # noqa: ARG002 - for those that do
        """Ignore a fetched body: none was requested."""
        return []

    def carried(self) -> list[Output]:
        """The outputs once the exchange has accepted the subscription."""
        return []

    def _holds(self, old: BookEvent, received_us: Micros) -> bool:
        """Whether an old event repeats the last one, or is from before the book's start and comes soon after it.

        Any other old event means that an earlier number was wrong or that numbers restarted: all further events would
        be old.
        """
        is_last = old.last == self.update_id
        if self.followed:
            # A single update with the last number: a repetition, or the last number was too great by one.
            return is_last and (old.first != old.last or self._says(old))
        return is_last or received_us <= self._started_us + self.behind_us

    def _says(self, event: BookEvent) -> bool:
        """Whether the book already contains an event's levels."""
        now = self.book or Book()
        sides = now.bids.top(), now.asks.top()
        again = Book(*sides, self._names, self.symbol.contract_size)
        try:
            again.apply(event.bids, event.asks)
        except ValueError:
            return False
        return (again.bids.top(), again.asks.top()) == sides

    def _repeats(self, snapshot: BookEvent) -> bool:
        """Whether a snapshot repeats the one that started the book, although the book has changed since."""
        again = snapshot.last != NO_NUMBER and (snapshot.last, snapshot.exchange_us) == self._start
        return again and self.book is not None and self.followed

    def _cut(self, book: Book) -> tuple[Levels, Levels] | None:
        """If there are too many levels, drop those beyond seven eighths of the limit; return readers' changes."""
        return book.bound(self.most - self.most // 8) if max(len(book.bids), len(book.asks)) > self.most else None

    def _cut_off(self, book: Book, event: BookEvent, received_us: Micros) -> list[Output]:
        """Drop excess levels; return the delta, if there are any."""
        cut = self._cut(book)
        return [] if cut is None else [self.messages.delta(*cut, sequence(event), event.exchange_us, received_us)]

    def _read(self, event: BookEvent, what: str = "book") -> Book:
        """Make a new book of an event's levels. Raises :exc:`~tickwire.errors.FrameRejected`."""
        try:
            return Book(event.bids, event.asks, self._names, self.symbol.contract_size)
        except ValueError as e:
            raise malformed(f"{what} of {self.native}", e) from None

    def _started(self, book: Book, event: BookEvent, received_us: Micros) -> list[Output]:
        """Replace the book, and take the old one off the short way."""
        self.leave()
        self.book, self.update_id, self.suspect, self.restarting = book, event.last, False, False
        self.followed, self._started_us, self._start = False, received_us, (event.last, event.exchange_us)
        self._cut(book)
        return [self.messages.snapshot(book, sequence(event), event.exchange_us, received_us)]


class StreamedBook(KeptBook):
    """The socket sends a snapshot, and then changes.

    *follows* detects gaps in event numbers, *checksum* a wrong book; *again* requests a new snapshot. *cut*: keep only
    the promised depth, because the exchange does not send the removal of levels beyond it.
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
        self._changes_since: Micros | None = None  # time of the first change without a snapshot

    def snapshot(self, event: BookEvent, received_us: Micros) -> list[Output]:
        """Start from a snapshot, requested or not; it replaces the book. Raises FrameRejected."""
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
        if late:  # it is unknown which of the earlier changes it contains
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
            # A level that was added and cut at once becomes a removal, which is harmless if readers do not have it.
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
        """Skip changes before the snapshot, which contains them; without a snapshot in time, it was lost."""
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
    """Every message is the whole book: the first one starts it, each later one becomes a delta.

    A missing message does no harm. *again* subscribes again.
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
        """Let later messages take the short way, however many levels they have."""
        self.most = sys.maxsize
        super().take(book, delta, depth)

    def whole(self, event: BookEvent, received_us: Micros) -> list[Output]:
        """Take a message. Raises :exc:`~tickwire.errors.FrameRejected`; then the book stays as it was."""
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
        """Subscribe again, unless the next message comes first."""
        self.restarting = True
        return self._again(self.symbol)


def sequence(event: BookEvent) -> int | None:
    """The event's number for the field ``sequence``."""
    return None if event.last == NO_NUMBER else event.last
