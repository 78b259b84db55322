"""Books with changes over the socket and a snapshot over REST."""

from collections import deque
from collections.abc import Callable, Sequence
from typing import TypeAlias

from msgspec.structs import replace

from tickwire.events.book import Book, Levels
from tickwire.events.short_way import ShortWay
from tickwire.events.types import Micros
from tickwire.exchanges.contract import UNREADABLE, Fetch, Output, malformed
from tickwire.exchanges.kit.books import KeptBook
from tickwire.exchanges.kit.continuity import BookEvent, Follows
from tickwire.exchanges.kit.ladder import ALL, Ladder, known, urgent
from tickwire.exchanges.messages import BookMessages

_BUFFERED_EVENTS = 3000  # kept for each symbol until its snapshot comes: five minutes at ten events a second
_QUIET_DELAY_S = 2.0  # after an accepted subscription without events, the snapshot is requested
_STALE_DELAYS_S = (0.25, 0.5, 1.0, 2.0, 4.0, 8.0)  # before requesting again after a snapshot that was too old
Checksum: TypeAlias = Callable[[Book], int]

_TOO_OLD = "the snapshot was older than the first event kept"


class BridgedBook(KeptBook):
    """Keeps events until the snapshot comes, then applies those that it does not contain, and all later ones.

    *fetches* request snapshots, the cheapest first, and *read* parses them. Levels behind the last one of a full
    snapshot are unknown, so only the levels before it are promised, and a deeper snapshot is fetched before few are
    left; the levels that it adds become a delta. *follows* detects gaps between events, *bridges*, if that rule is
    different, between the snapshot and its first event. *reaches* detects a snapshot that is too old for the kept
    events, if events have no numbers. With a *short_way*, *follows* and *bridges* must be the same.
    """

    subscribes = False
    behind_us = 60_000_000  # a REST snapshot may be ahead of a lagging socket

    def __init__(
        self,
        messages: BookMessages,
        fetches: Sequence[Fetch],
        read: Callable[[bytes], BookEvent],
        follows: Follows,
        bridges: Follows | None = None,
        short_way: ShortWay | None = None,
        reaches: Follows | None = None,
        in_frames: Sequence[str] = ("{0}",),
    ) -> None:
        super().__init__(fetches[0].symbol, messages, short_way, in_frames=in_frames)
        self._ladder, self._wanted, self._read_body = Ladder(fetches, messages.depth), messages.depth, read
        self._follows, self._bridges = follows, bridges or follows
        self._reaches = reaches or self._bridges
        self._checksum: Checksum | None = None
        self._judge = self._bridges  # rule for the next event
        # If it is full, the oldest events are dropped: a snapshot that needs them is too old and is fetched again.
        self._buffer: deque[tuple[BookEvent, Micros]] = deque(maxlen=_BUFFERED_EVENTS)
        self._asked: Fetch | None = None
        self._fetching = False  # a snapshot is requested, or will be, not only in case the symbol stays quiet
        self._tries = 0
        # While the book is valid:
        self._deeper: Fetch | None = None  # another snapshot that is requested
        self._on_its_way = False  # its request was sent, and events are kept for it
        self._ahead: tuple[Book, int] | None = None  # its content and number, until the book has reached that number

    def change(self, event: BookEvent, received_us: Micros) -> list[Output]:
        """Apply an event, or keep it until the snapshot comes. Raises :exc:`~tickwire.errors.FrameRejected`."""
        book = self.book
        if book is not None:
            return self._apply(book, event, received_us)
        self._keep(event, received_us)
        return [] if self._fetching else self.ask()

    def asking(self, fetch: Fetch) -> None:
        """Keep events from now on, if the snapshot is for a book that is valid."""
        if self.book is not None and fetch == self._deeper and not self._on_its_way:
            self._on_its_way = True
            self._buffer.clear()
            self.leave()

    def fetched(self, fetch: Fetch, body: bytes, received_us: Micros) -> list[Output]:
        """Start from a snapshot and the kept events; an unrequested one is ignored if the book is valid.

        Raises :exc:`~tickwire.errors.FrameRejected`.
        """
        joins = self._on_its_way and fetch == self._deeper
        if self.book is not None and not joins:
            return []
        try:
            snapshot = self._read_body(body)
        except UNREADABLE as e:
            raise malformed(f"snapshot of {self.native}", e) from None
        if self.book is None:
            return self._bridge(snapshot, received_us, fetch, awaited=fetch == self._asked)
        self._ahead = self._full(snapshot, fetch), snapshot.last
        return self._join(self.book, *self._ahead, received_us)

    def restart(self, reason: str, received_us: Micros) -> list[Output]:
        """Give up the book; events are kept until its next snapshot."""
        self._fetching = True  # so that no event requests it early
        self._rest()
        return super().restart(reason, received_us)

    def ask(self) -> list[Output]:
        """Ask for a snapshot."""
        return [self._ask()]

    def carried(self) -> list[Output]:
        """Request the snapshot after a while: the book shall not wait for an event of a quiet symbol."""
        if self.book is not None or self._fetching:
            return []
        self._asked = replace(self._ladder.first, delay_s=_QUIET_DELAY_S)
        return [self._asked]

    def _bridge(
        self, snapshot: BookEvent, received_us: Micros, fetch: Fetch | None = None, *, awaited: bool = True
    ) -> list[Output]:
        """Start from a snapshot and the kept events; not *awaited*: a later snapshot is requested."""
        book = self._full(snapshot, fetch)
        if self._is_too_old(snapshot.last):
            if not awaited:
                return []
            return [self._ask(self._delay_s(), _TOO_OLD)]
        self._begin(self._bridges)
        if fetch is not None:
            self._ladder.stand(fetch)
        self.messages.depth = min(self._wanted, known(book))
        out = self._started(book, snapshot, received_us)
        # Events that the snapshot contains are dropped, the others applied like every later event.
        kept = deque(self._buffer)
        self._buffer.clear()
        while kept and self.book is not None:
            event, at_us = kept.popleft()
            out += self._apply(book, event, min(at_us, received_us))  # the clock may have been set back since
        self._buffer.extend(kept)  # for the next start
        return out if self.book is None else out + self._look(known(self.book))

    def _full(self, snapshot: BookEvent, fetch: Fetch | None) -> Book:
        """Make a book of a snapshot; a side with the requested number of levels is known up to its last level."""
        book = self._read(snapshot, "snapshot")
        for side in (book.bids, book.asks):
            if fetch is not None and fetch.levels is not None and len(side) >= fetch.levels:
                side.bound()
        return book

    def _join(self, book: Book, now: Book, number: int, received_us: Micros) -> list[Output]:
        """Take over another snapshot and the events after it, once the book has reached its number."""
        fetch, judge = self._deeper, self._bridges
        if fetch is None or self.suspect or self.update_id < number:
            return []
        self._ahead = None
        for event, _ in () if self._is_too_old(number) else self._buffer:
            if judge(number, event) == "next":
                now.apply(event.bids, event.asks)
                number, judge = event.last, self._follows
        if number != self.update_id or not known(now):
            self._deeper = replace(fetch, delay_s=self._delay_s(), why=_TOO_OLD)
            return [self._deeper]
        self._cut(now)
        at_us = self._buffer[-1][0].exchange_us if self._buffer else None
        bids, asks = book.replace(now)
        self._rest()
        self._tries = 0
        self._ladder.stand(fetch)
        deep = known(book)
        self.promise(min(self._wanted, deep))
        more = self._look(deep)
        delta = self.messages.delta(bids, asks, number if number >= 0 else None, at_us, received_us)
        self.take(book, delta)
        return [delta, *more]

    def _rest(self) -> None:
        """Stop waiting for another snapshot."""
        if self._on_its_way:
            self._buffer.clear()
        self._deeper, self._on_its_way, self._ahead = None, False, None

    def _look(self, deep: int) -> list[Output]:
        """Promise at most the *deep* known levels, and request another snapshot before few are left."""
        wanted = list[Output]()
        if deep == ALL:
            return wanted
        if deep < self.messages.depth:
            self.promise(deep - deep // 8)  # some fewer, so that not every change lowers it
        fetch = None if self._on_its_way else self._ladder.next(deep, self.most)
        if fetch is not None and (self._deeper is None or fetch.share > self._deeper.share):
            self._deeper, wanted = fetch, [fetch]
        promised = self.messages.depth
        least = promised if urgent(self._deeper) else max(promised, self._ladder.low(self.most))
        if least != self.least:
            self.least = least
            self.leave()
        return wanted

    def _delay_s(self) -> float:
        """How long to wait before the next request after a snapshot that was too old."""
        self._tries += 1
        return _STALE_DELAYS_S[min(self._tries, len(_STALE_DELAYS_S)) - 1]

    def _begin(self, judge: Follows) -> None:
        """Note that a snapshot has come; its first event is judged by *judge*."""
        self._fetching, self._tries, self._judge = False, 0, judge

    def _ask(self, delay_s: float = 0.0, why: str = "") -> Output:
        self._fetching = True
        self._asked = replace(self._ladder.first, delay_s=delay_s, why=why)
        return self._asked

    def _is_too_old(self, last: int) -> bool:
        """Whether events are missing between a snapshot's number and the kept events."""
        verdicts = (self._reaches(last, event) for event, _ in self._buffer)
        return next((verdict for verdict in verdicts if verdict != "old"), "next") != "next"

    def _is_wrong(self, book: Book, event: BookEvent) -> bool:
        """Whether an event's checksum differs from the book's."""
        return event.crc is not None and self._checksum is not None and self._checksum(book) != event.crc

    def _keep(self, event: BookEvent, received_us: Micros) -> None:
        """Keep an event; the kept events have no gap and no wrong number."""
        self._read(event, "change")
        if self._buffer:
            verdict = self._follows(self._buffer[-1][0].last, event)
            if verdict == "old" and any(event == kept for kept, _ in self._buffer):
                return  # a repetition
            if verdict != "next":
                self._buffer.clear()  # events before the gap, or with too great a number, are useless
        self._buffer.append((event, received_us))

    def _apply(self, book: Book, event: BookEvent, received_us: Micros) -> list[Output]:
        judge = self._judge
        verdict = judge(self.update_id, event)
        if verdict == "old" and self._holds(event, received_us):
            return []
        if verdict != "next" or self.suspect:
            self._read(event, "change")
            out = self.restart("gap", received_us)
            self._buffer.append((event, received_us))  # the first event of the new start
            return out
        try:
            bids, asks = book.apply(event.bids, event.asks)
        except ValueError as e:
            self.doubt()
            raise malformed(f"change of {self.native}", e) from None
        if self._checksum is not None and self._is_wrong(book, event):
            return self.restart("checksum", received_us)
        self.update_id = event.last
        if not self.followed:
            self._judge, self.followed = self._follows, True
        return self._applied(book, bids, asks, event, received_us)

    def _applied(self, book: Book, bids: Levels, asks: Levels, event: BookEvent, received_us: Micros) -> list[Output]:
        """Return the delta of an event, and keep the book's known depth and size in bounds."""
        if self._on_its_way:
            self._buffer.append((event, received_us))
        deep = known(book)
        if not deep:
            return self.restart("stale", received_us)
        wanted = self._look(deep)
        number = event.last if event.last >= 0 else None
        delta = self.messages.delta(bids, asks, number, event.exchange_us, received_us)
        if self._ahead is not None:
            return [delta, *wanted, *self._join(book, *self._ahead, received_us)]
        if cut := self._cut_off(book, event, received_us):
            wanted += self._look(known(book))
        if not self.short and not self._on_its_way:
            self.take(book, delta)
        return [delta, *cut, *wanted]
