"""Numbers the messages of order books, so that a reader can tell whether one is missing.

``epoch`` grows with every new start of a book, also across restarts of the program: it is the Unix milliseconds of the
start, or the last epoch (of this or an earlier run) + 1 if that is greater or if the disk does not promise that time
yet. ``book_seq`` is 0 on the snapshot that starts an epoch and grows by exactly one with every message of the epoch,
keyframes and ``invalid`` included.
"""

from collections.abc import Callable
from typing import cast

from tickwire.events.book import Book, Levels
from tickwire.events.numbers import BookNumbers
from tickwire.events.types import Action, Level, Micros, OrderBook

_AHEAD_MS = 20_000  # of the clock
_AHEAD = 1000  # of the last epoch, where that is ahead of the clock: producers side by side begin behind each other


def epoch_ahead(last: int, now_ms: int, part: int = 1) -> int:
    """The epoch up to which epochs are reserved in advance, so that no book waits; or a *part* of that distance."""
    return max(last + _AHEAD // part, now_ms + _AHEAD_MS // part)


class Sequencer(BookNumbers):
    """Numbers one symbol's book. It lives as long as the feed, unlike adapters, which live for one connection.

    No epoch of an earlier run is above *last_epoch*; a clock time above *most* must not become an epoch. *may* tells
    whether an epoch may begin now: in a group, another member may have taken the book over.
    """

    __slots__ = ("_connected_before", "_last_epoch", "_may", "_most", "_new_connection", "_replaced", "last")

    def __init__(
        self,
        last_epoch: int = 0,
        most: Callable[[], int] | None = None,
        may: Callable[[int], bool] | None = None,
    ) -> None:
        super().__init__()
        self._last_epoch, self._most, self._may = last_epoch, most, may
        self._connected_before = False
        self._new_connection = True
        self._replaced: OrderBook | None = None
        self.last: OrderBook | None = None  # a message of this book, as a pattern for keyframes and `invalid`

    def connection_opened(self) -> None:
        """Note that the next snapshot comes over a new connection: ``reconnect``, or ``initial`` for the first."""
        self._new_connection = True

    def above(self, epoch: int) -> None:
        """Begin only epochs above *epoch*, which another producer began."""
        self._last_epoch = max(self._last_epoch, epoch)

    def stamp(self, message: OrderBook) -> OrderBook | None:
        """Number *message* in place and return it; None for what must not be published.

        Those are a delta or ``invalid`` while the book is not valid, because nothing goes out between ``invalid`` and
        the next snapshot or before the first one; and a snapshot while no epoch may begin, which leaves the state as it
        was.
        """
        if message.action != "snapshot":
            if not self.valid:
                return None
            self.valid = message.action == "delta"
            return self._continue(message)
        epoch = self._next(message.received_us // 1000)
        if self._may is not None and not self._may(epoch):
            return None
        self._replaced = self._ending("overflow", message.received_us)
        self.epoch = self._last_epoch = epoch
        self.book_seq = -1
        if self._new_connection:
            message.reason = "reconnect" if self._connected_before else "initial"
            self._connected_before, self._new_connection = True, False
        self.valid = True
        return self._continue(message)

    def _next(self, now_ms: int) -> int:
        following = self._last_epoch + 1
        return now_ms if now_ms > following and (self._most is None or now_ms <= self._most()) else following

    def update(self, message: OrderBook, bids: Levels, asks: Levels, depth: int) -> OrderBook | None:
        """Turn a delta in place into the best *depth* levels a side as they stand now, and number it."""
        if not self.valid:
            return None
        message.action, message.reason, message.depth = "snapshot", "update", depth
        message.bids, message.asks = cast("list[Level]", bids), cast("list[Level]", asks)
        return self._continue(message)

    def keyframe(self, book: Book, received_us: Micros, depth: int | None = None) -> OrderBook | None:
        """Repeat the *book*, all or its best *depth* levels, within the current epoch; None while it is not valid."""
        if self.last is None or not self.valid:
            return None
        bids, asks = book.bids.top(depth), book.asks.top(depth)
        return self._continue(self._like(self.last, "snapshot", "keyframe", bids, asks, received_us))

    def invalidate(self, reason: str, received_us: Micros) -> OrderBook | None:
        """Declare the book unusable until its next snapshot; None if it already is."""
        message = self._ending(reason, received_us)
        return None if message is None else self.stamp(message)

    def replaced(self) -> OrderBook | None:
        """Say once, where that was not said, that the epoch before the current one has ended: as ``invalid``.

        None if it had ended so, or there was none. A snapshot may begin an epoch while the book of the one before is
        valid; who reads that snapshot needs no such word.
        """
        message, self._replaced = self._replaced, None
        return message

    def _ending(self, reason: str, received_us: Micros) -> OrderBook | None:
        """The ``invalid`` that would follow the last message; None while the book is not valid."""
        if self.last is None or not self.valid:
            return None
        message = self._like(self.last, "invalid", reason, [], [], received_us)
        message.epoch, message.book_seq = self.epoch, self.book_seq + 1
        return message

    def _continue(self, message: OrderBook) -> OrderBook:
        self.book_seq = message.book_seq = self.book_seq + 1
        message.epoch = self.epoch
        self.sequence = -1 if message.sequence is None else message.sequence
        self.exchange_us = -1 if message.exchange_us is None else message.exchange_us
        self.last = message
        return message

    def _like(
        self, last: OrderBook, action: Action, reason: str, bids: list[Level], asks: list[Level], now_us: Micros
    ) -> OrderBook:
        return OrderBook(
            action=action,
            exchange=last.exchange,
            symbol=last.symbol,
            exchange_symbol=last.exchange_symbol,
            depth=last.depth,
            bids=bids,
            asks=asks,
            reason=reason,
            sequence=None if self.sequence < 0 else self.sequence,
            exchange_us=None if self.exchange_us < 0 else self.exchange_us,
            received_us=now_us,
        )
