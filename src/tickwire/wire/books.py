"""The order books of a feed: numbers their messages, writes them in the configured mode, repeats keyframes."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from random import Random
from time import monotonic
from typing import Protocol

from msgspec.structs import replace

from tickwire.config.feed_config import FeedConfig
from tickwire.events.book import Book
from tickwire.events.numbers import BookNumbers
from tickwire.events.sequencer import Sequencer
from tickwire.events.top import Top
from tickwire.events.types import OrderBook
from tickwire.exchanges.contract import Symbol
from tickwire.exchanges.messages import json_prefix
from tickwire.wire.backoff import Restarts
from tickwire.wire.book_now import BookNow, look
from tickwire.wire.clock import now_us
from tickwire.wire.hearing import Hearing
from tickwire.wire.tally import Tally
from tickwire.wire.troubles import Troubles

BookOf = Callable[[Symbol], Book | None]


class KeptEpochs(Protocol):
    """Keeps epochs beyond the life of this process."""

    last: int
    """An upper bound of the epochs given out."""

    @property
    def most(self) -> int:
        """The highest clock time that may be given out now."""

    def may_begin(self, epoch: int) -> bool:
        """Whether this epoch may begin, or continue with a snapshot, now: another process may have the book."""

    def given(self, epoch: int) -> None:
        """Note an epoch that begins now."""


EpochsOf = Callable[[Symbol], KeptEpochs | None]


class BookState:
    """One symbol's book for as long as the feed runs, over all connections."""

    __slots__ = (
        "_crossed_since", "_crossing_told", "book_of", "changed", "epochs", "hearing", "held", "invalid",
        "keyframe_due", "restarts", "sequencer", "symbol", "top", "valid", "warm",
    )  # fmt: skip

    def __init__(self, symbol: Symbol, depth: int, restarts: Restarts, epochs: KeptEpochs | None = None) -> None:
        self.symbol, self.restarts, self.epochs = symbol, restarts, epochs
        if epochs is None:
            self.sequencer = Sequencer()
        else:
            may = epochs.may_begin
            self.sequencer = Sequencer(epochs.last, lambda: epochs.most, lambda epoch: not self.warm and may(epoch))
        self.book_of: BookOf = _no_book  # the adapter's, while there is a connection
        self.valid = False  # as counted in the metric
        self.invalid: str | None = None  # why it is invalid; also decides the reason of the next snapshot
        self.keyframe_due = float("inf")
        self.warm = False  # on standby: another process publishes it
        self.held: OrderBook | None = None  # newest message of a book that is in step, but may not begin an epoch
        # In snapshot mode:
        self.top = Top(depth)
        self.changed: OrderBook | None = None  # the last delta not written yet
        sequencer = self.sequencer
        whole = lambda: sequencer.valid or self.held is not None  # noqa: E731 - as short as the one beside it
        self.hearing = Hearing("orderbook", symbol, lambda: sequencer.messages, whole)
        self._crossed_since: float | None = None
        self._crossing_told = False

    def stays_crossed(self, now: float, most_s: float) -> bool:
        """Whether its sides have been crossed for *most_s* seconds; called about once a second.

        True once for each crossing: if the next snapshot is crossed too, the exchange's own book is crossed.
        """
        book = self.book_of(self.symbol)
        if book is None:
            self._crossed_since = None
        elif not book.crossed():
            self._crossed_since, self._crossing_told = None, False
        else:
            since = self._crossed_since = now if self._crossed_since is None else self._crossed_since
            if now - since >= most_s and not self._crossing_told:
                self._crossing_told = True
                return True
        return False


class Books:
    """All books of one feed. Messages of adapters go to :attr:`handle`; messages to publish go to *emit*.

    In snapshot mode the best *depth* levels a side are written. If *epochs* returns None for a symbol, its epochs
    follow the clock only.
    """

    def __init__(
        self,
        config: FeedConfig,
        depth: int,
        emit: Callable[[OrderBook], None],
        tally: Tally,
        random: Random,
        epochs: EpochsOf = lambda _: None,
    ) -> None:
        self.states: dict[str, BookState] = {}
        self._numbers: dict[str, BookNumbers] = {}
        self._tops: dict[str, Top] = {}
        self._epochs = epochs
        self.troubles = Troubles(tally.exchange)
        self.handle = self._handle_delta_mode if config.orderbook_mode == "delta" else self._handle_snapshot_mode
        self.interval_s = config.orderbook_interval_ms / 1000
        self.keyframe_s = config.orderbook_keyframe_seconds
        self._whole_books = config.orderbook_mode == "delta"
        self._depth = depth
        self._emit, self._tally, self._random = emit, tally, random
        self._silent = 0  # books, as counted in the metric

    def add(self, symbols: Iterable[Symbol]) -> None:
        """Add books."""
        for symbol in symbols:
            state = BookState(symbol, self._depth, Restarts(self._random.random), self._epochs(symbol))
            self.states[symbol.native] = state
            if not self.interval_s:
                self._numbers[symbol.native] = state.sequencer
            if not self._whole_books:
                self._tops[symbol.native] = state.top
            self.troubles.add(symbol)
            self._tally.resyncing_books.inc(1)

    def remove(self, symbols: Iterable[Symbol]) -> None:
        """Declare these books invalid and forget them."""
        for state in self.of(symbols):
            self._invalidate(state, "disconnect", trouble=False)
            name = state.symbol.native
            del self.states[name]
            self._numbers.pop(name, None)
            self._tops.pop(name, None)
            if not state.warm:
                self.troubles.remove(state.symbol)
                self._tally.resyncing_books.dec(1)
        self.show_silent()

    def numbers(self) -> dict[str, BookNumbers]:
        """The live numbers, by native symbol, of the books that are written after every change."""
        return self._numbers

    def tops(self) -> dict[str, Top]:
        """The live best levels, by native symbol, of books in snapshot mode."""
        return self._tops

    def of(self, symbols: Iterable[Symbol]) -> list[BookState]:
        """The states of those symbols that have a book; none if only tickers are read."""
        return [self.states[symbol.native] for symbol in symbols if symbol.native in self.states]

    def opened(self, symbols: Iterable[Symbol], book_of: BookOf) -> None:
        """Serve *symbols* from a new connection, whose adapter returns their books from *book_of*."""
        for state in self.of(symbols):
            state.sequencer.connection_opened()
            state.book_of, state.held = book_of, None
            state.hearing.wake(monotonic())

    def valid(self, symbols: Iterable[Symbol]) -> list[Symbol]:
        """The *symbols* whose books are valid."""
        return [state.symbol for state in self.of(symbols) if state.sequencer.valid]

    def hand_over(self, symbols: Sequence[Symbol], book_of: BookOf, newest: Mapping[str, OrderBook]) -> None:
        """Serve *symbols* from a connection that was opened beside the current one.

        Its books continue without ``invalid``, each with a snapshot of a new epoch. *newest* has the last messages of
        the books that are valid there, by native symbol; the others start as on any new connection.
        """
        self.opened(symbols, book_of)
        for state in self.of(symbols):
            state.held = newest.get(state.symbol.native)
            if not self._begin(state):
                self._invalidate(state, "disconnect")

    def begin_held(self) -> None:
        """Start the books that are in step and had to wait for permission, if they have it now."""
        for state in self.states.values():
            if state.held is not None and state.epochs is not None and not state.warm and state.epochs.may_begin(0):
                self._begin(state)

    def keep_warm(self, symbols: Iterable[Symbol]) -> None:
        """Put these books on standby: in step, but not published or counted. All others are ours."""
        warm = {symbol.native for symbol in symbols}
        for native, state in self.states.items():
            if state.warm == (native in warm):
                continue
            if not state.warm:
                held = state.held
                state.held = self._invalidate(state, "disconnect", trouble=False) or held
                self.troubles.remove(state.symbol)
            else:
                self.troubles.add(state.symbol)
                state.sequencer.above(0 if state.epochs is None else state.epochs.last)
            state.warm = not state.warm
            self._tally.resyncing_books.inc(-1 if state.warm else 1)

    def _begin(self, state: BookState) -> bool:
        """Start an epoch with a snapshot of the connection's book; False if it has none."""
        message, book = state.held, state.book_of(state.symbol)
        if message is None or book is None:
            return False
        bids, asks = book.bids.top(), book.asks.top()
        self.handle(replace(message, action="snapshot", reason="resync", bids=bids, asks=asks, received_us=now_us()))
        return True

    def show_silent(self) -> None:
        """Update the metric of books that fell silent and have not changed since."""
        silent = sum(state.hearing.silent_since is not None for state in self.states.values())
        self._tally.silent_books.inc(silent - self._silent)
        self._silent = silent

    def lost(self, symbols: Iterable[Symbol]) -> None:
        """Declare the books invalid, because their connection ended."""
        for state in self.of(symbols):
            state.book_of = _no_book
            self._invalidate(state, "disconnect")

    def left(self, symbols: Iterable[Symbol]) -> None:
        """Declare the books invalid because we unsubscribe; that does not count as a break."""
        for state in self.of(symbols):
            state.book_of = _no_book
            self._invalidate(state, "disconnect", trouble=False)

    def withdraw(self, symbol: Symbol) -> None:
        """Declare a book invalid that the exchange refused."""
        for state in self.of([symbol]):
            self._invalidate(state, "disconnect")
            self.troubles.note(symbol, "the exchange does not carry it", "refused")

    def resync_delay_s(self, symbol: Symbol, reason: str) -> float:
        """Note that this book must be requested again; return the delay in seconds."""
        self.troubles.note(symbol, "", reason)
        return self.states[symbol.native].restarts.delay_s(monotonic())

    def replaced(self, native: str) -> OrderBook | None:
        """Take the ``invalid`` of an epoch that another one replaced, as :meth:`Sequencer.replaced` says, and count it.

        It is for whoever could not take the snapshot that replaced it.
        """
        state = self.states.get(native)
        message = None if state is None else state.sequencer.replaced()
        if message is not None:
            self._tally.events[OrderBook].value += 1
        return message

    def look(self, native: str, depth: int | None) -> BookNow:
        """Copy the best *depth* levels of a book."""
        state = self.states[native]
        book = state.book_of(state.symbol) if self._whole_books else state.top.book
        return look(state.symbol, state.sequencer, book, state.invalid, depth)

    def close(self) -> None:
        """Remove the books from the metrics."""
        valid = sum(state.valid for state in self.states.values())
        self._tally.valid_books.dec(valid)
        self._tally.resyncing_books.dec(sum(not state.valid and not state.warm for state in self.states.values()))
        self._tally.silent_books.dec(self._silent)

    def write_keyframes(self, now: float) -> None:
        """Write a keyframe of every valid book that is due; *now* is monotonic."""
        for state in self.states.values():
            if now >= state.keyframe_due and (state.epochs is None or state.epochs.may_begin(state.sequencer.epoch)):
                state.keyframe_due = now + (self.keyframe_s or float("inf"))
                self._write_keyframe(state)

    def repeat_within(self, first_s: float, last_s: float) -> None:
        """Write every valid book once within that time: readers may be following another producer."""
        now = monotonic()
        for state in self.states.values():
            if state.sequencer.valid:
                state.keyframe_due = now + self._random.uniform(first_s, last_s)

    def write_changed(self) -> None:
        """Write the newest state of every book that changed since the last time (snapshot mode with an interval).

        Its ``received_us`` is the present time, because times in a topic never go back.
        """
        for state in self.states.values():
            if state.changed is not None:
                state.changed.received_us = now_us()
                self._write_top(state, state.changed)

    def _handle_delta_mode(self, message: OrderBook) -> None:
        state = self.states[message.exchange_symbol]
        state.sequencer.messages += 1
        if state.sequencer.stamp(message) is None:
            self._hold(state, message)  # an invalid book publishes only its next snapshot
            return
        if message.action != "delta":
            self._turned(state, message)
        self._emit(message)

    def _handle_snapshot_mode(self, message: OrderBook) -> None:
        """Apply the message to a book of our own, so that the written state is the one right after it."""
        state = self.states[message.exchange_symbol]
        top = state.top
        state.sequencer.messages += 1
        promised = self._depth if message.depth is None else min(self._depth, message.depth)
        if top.depth != promised:
            top.depth, top.prefix = promised, None
        if message.action == "delta":
            if state.sequencer.valid:
                top.book.apply(message.bids, message.asks)
                state.changed = message
                if not self.interval_s:
                    self._write_top(state, message)
            else:
                self._hold(state, message)
            return
        state.changed = None
        if message.action == "snapshot":
            top.start(message.bids, message.asks)
            message.bids, message.asks, message.depth = message.bids[:promised], message.asks[:promised], promised
        if state.sequencer.stamp(message) is not None:
            self._turned(state, message)
            self._emit(message)
        else:
            self._hold(state, message)

    def _hold(self, state: BookState, message: OrderBook) -> None:
        """Keep the newest message of a book whose snapshot was not permitted to start an epoch."""
        if message.action == "snapshot":
            self._invalidate(state, "stale")
            state.held = message
        elif state.held is not None:
            state.held = None if message.action == "invalid" else message

    def _write_top(self, state: BookState, message: OrderBook) -> None:
        state.changed = None
        top = state.top
        if top.write() and state.sequencer.update(message, top.bids_text, top.asks_text, top.depth) is not None:
            if top.prefix is None:
                top.prefix = json_prefix("bids", message)
            self._emit(message)

    def _write_keyframe(self, state: BookState) -> None:
        if self._whole_books:
            book, depth = state.book_of(state.symbol), None
        else:
            book, depth = state.top.book, state.top.depth
            state.changed = None
            state.top.write()
        message = None if book is None else state.sequencer.keyframe(book, now_us(), depth)
        if message is not None:
            self._emit(message)

    def _invalidate(self, state: BookState, reason: str, *, trouble: bool = True) -> OrderBook | None:
        state.changed = state.held = None
        message = state.sequencer.invalidate(reason, now_us())
        if message is not None:
            self._turned(state, message, trouble=trouble)
            self._emit(message)
        return message

    def _turned(self, state: BookState, message: OrderBook, *, trouble: bool = True) -> None:
        """Account for a book that became valid or invalid."""
        if message.action == "snapshot":
            state.held = None
            if state.epochs is not None:
                state.epochs.given(message.epoch)
            if state.invalid is not None:
                self._tally.resyncs[state.invalid].add()
            state.invalid = None
            self.troubles.whole(state.symbol)
            if self.keyframe_s:  # spread out: the first keyframe comes after half to one whole period
                state.keyframe_due = monotonic() + self.keyframe_s * self._random.uniform(0.5, 1.0)
        else:
            state.invalid = str(message.reason)
            state.keyframe_due = float("inf")
            if trouble:
                self.troubles.broke(state.symbol, state.invalid)
            if message.reason == "gap":
                self._tally.gaps.add()
        if state.valid != (message.action == "snapshot"):
            state.valid = not state.valid
            step = 1 if state.valid else -1
            self._tally.valid_books.inc(step)
            self._tally.resyncing_books.dec(step)


def _no_book(_symbol: Symbol) -> None:
    return None
