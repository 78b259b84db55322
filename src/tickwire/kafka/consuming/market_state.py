"""The default handler: validates every record and rebuilds every order book from Kafka alone."""

import logging
import threading
from collections import Counter
from collections.abc import Sequence
from typing import Any, TypeVar

from tickwire import metrics
from tickwire.errors import RecordRejected
from tickwire.events.book import Book
from tickwire.events.types import MarketEvent, OrderBook, Ticker, Trade
from tickwire.kafka.consuming.followed import FollowedBook, follow
from tickwire.kafka.received import ReceivedRecord
from tickwire.records.kinds import KIND_OF

logger = logging.getLogger(__name__)

_BOOK = KIND_OF[OrderBook].name


class BookState(FollowedBook):
    """One symbol's book as rebuilt from Kafka.

    ``book`` is None before the first snapshot and after a missing message. When the feed declares it invalid it stays
    as it last was, for inspection. :attr:`valid` says whether it may be used, and ``reason`` why not: the feed's
    reason, ``jump`` for a missing message, or None before the first snapshot.
    """

    def __init__(self, partition: tuple[str, int], epoch: int, last_seq: int) -> None:
        self.partition, self.offset = partition, -1
        self.epoch, self.last_seq = epoch, last_seq
        self.book = self.depth = self.sequence = None
        self.whole = self.overtaken = False
        self.reason: str | None = None
        self.older_epoch = -1  # the last one that was warned about

    @property
    def valid(self) -> bool:
        """Whether the book may be used: it is that of the exchange."""
        return self.whole and not self.overtaken

    @property
    def why(self) -> str | None:
        """Why it is not valid; None before the first snapshot."""
        return "another producer writes it" if self.whole else self.reason


Last = TypeVar("Last", Ticker, Trade)


class MarketState:
    """Keeps the last ticker, the last trade and the book of every key, and reports every break in ``book_seq``.

    Messages of a key are applied in Kafka's order. A message delivered again, from an offset already passed, is counted
    and ignored. A later snapshot starts the book again, even with an earlier epoch: its producer was restarted with a
    clock that was set back, or on another machine. After a break the book is not used until the next snapshot, which
    may be a keyframe; a key first seen in the middle of an epoch waits for one too. If a key has moved to another
    partition, only epochs and numbers tell which message is newer. Threads may share it.
    """

    def __init__(self) -> None:
        self.records: Counter[str] = Counter()  # by type
        self.jumps = 0
        self.duplicates = 0
        self.older_epochs = 0  # messages of an epoch before the current one
        self.set_back = 0  # books that started again with an earlier epoch
        self.books: dict[str, BookState] = {}
        self.tickers: dict[str, Ticker] = {}
        self.trades: dict[str, Trade] = {}
        self._last_at: dict[tuple[type, str], tuple[str, int, int]] = {}  # topic, partition and offset of the last ones
        self._lock = threading.Lock()

    def __call__(self, record: ReceivedRecord) -> None:
        """Apply one record. Raises :exc:`~tickwire.errors.RecordRejected`."""
        if self.follow((record,), 0, 1):
            return
        event = record.event
        with self._lock:
            self._take(event, record)

    def follow(self, records: Sequence[ReceivedRecord], at: int, end: int) -> int:
        """Apply records from index *at* on, faster, up to *end* or the first one that must be applied singly.

        Returns the index where it stopped. See :func:`~tickwire.kafka.consuming.followed.follow`.
        """
        with self._lock:
            stopped = follow(self.books, records, at, end)
            if stopped > at:
                self.records[_BOOK] += stopped - at
        return stopped

    def _take(self, event: MarketEvent, record: ReceivedRecord) -> None:
        key = f"{event.exchange}|{event.symbol}"
        if type(event) is OrderBook:
            self._order_book(key, event, record)
        elif type(event) is Ticker:
            self._last(self.tickers, key, event, record)
        elif type(event) is Trade:
            self._last(self.trades, key, event, record)
        self.records[KIND_OF[type(event)].name] += 1

    def _last(self, kept: dict[str, Last], key: str, event: Last, record: ReceivedRecord) -> None:
        last, at = kept.get(key), self._last_at.get((type(event), key))
        here = record.topic, record.partition, record.offset
        behind = at is not None and at[:2] == here[:2] and here[2] > at[2]
        if last is not None and not behind and event.received_us < last.received_us:
            self.duplicates += 1  # delivered again, or its partition is read later than that of the last one
        else:
            kept[key], self._last_at[type(event), key] = event, here

    def revoked(self, topic: str, partition: int) -> None:
        """Forget the books of a partition that moves to another consumer."""
        here = (topic, partition)
        with self._lock:
            self.books = {key: state for key, state in self.books.items() if state.partition != here}
            self._last_at = {name: at for name, at in self._last_at.items() if at[:2] != here}

    def report(self) -> dict[str, Any]:
        """Counts, books, last tickers and last trades, ready for JSON."""
        return {
            "records": dict(self.records),
            "jumps": self.jumps,
            "duplicates": self.duplicates,
            "older_epochs": self.older_epochs,
            "set_back": self.set_back,
            "books": {key: _shown(state) for key, state in sorted(self.books.items())},
            "tickers": {
                key: {"bid": t.bid, "bid_size": t.bid_size, "ask": t.ask, "ask_size": t.ask_size}
                | {"sequence": t.sequence, "received_us": t.received_us}
                for key, t in sorted(self.tickers.items())
            },
            "trades": {
                key: {"trade_id": t.trade_id, "price": t.price, "size": t.size, "side": t.side}
                | {"exchange_us": t.exchange_us, "received_us": t.received_us}
                for key, t in sorted(self.trades.items())
            },
        }

    def _order_book(self, key: str, message: OrderBook, record: ReceivedRecord) -> None:
        if message.book_seq == 0 and message.action != "snapshot":
            raise RecordRejected("validate", f"an epoch begins with a snapshot, but this {message.action} is its first")
        here = record.topic, record.partition
        state = self.books.get(key)
        if state is None:  # earlier messages were not read
            state = self.books[key] = BookState(here, message.epoch, message.book_seq)
        elif not self._follows(key, state, message, behind=here == state.partition and record.offset > state.offset):
            return
        state.partition, state.offset = here, record.offset
        try:
            if message.action == "snapshot":
                state.book, state.whole, state.reason = Book(message.bids, message.asks), True, None
            elif message.action == "invalid":
                state.whole, state.reason = False, message.reason
            elif state.whole and state.book is not None:
                state.book.apply(message.bids, message.asks)
        except ValueError as e:  # from levels that are undecoded text
            state.book, state.whole, state.reason = None, False, "jump"
            raise RecordRejected("validate", str(e)) from None
        state.sequence, state.depth = message.sequence, message.depth

    def _follows(self, key: str, state: BookState, message: OrderBook, *, behind: bool) -> bool:
        """Advance to the message's number; False if the message must be ignored.

        *behind*: it comes after the last one in the same partition, so it is newer whatever its epoch.
        """
        epoch, seq = message.epoch, message.book_seq
        if epoch == state.epoch:
            state.overtaken = False
            if seq <= state.last_seq:
                self.duplicates += 1
                return False
            expected = state.last_seq + 1
        elif epoch < state.epoch:
            self._older(key, state, epoch)
            if message.action != "snapshot" or not behind:
                state.overtaken |= behind
                return False
            self.set_back += 1
            expected = 0
        else:
            expected = 0
        if seq != expected:
            self.jumps += 1
            metrics.BOOK_SEQ_JUMPS.inc()
            logger.warning("consumer.jump key=%r epoch=%d expected=%d got=%d", key, epoch, expected, seq)
            state.book, state.whole, state.reason = None, False, "jump"
        state.epoch, state.last_seq, state.overtaken = epoch, seq, False
        return True

    def _older(self, key: str, state: BookState, epoch: int) -> None:
        """Count a message of an earlier epoch: delivered again, or from a producer whose clock was set back."""
        self.older_epochs += 1
        if state.older_epoch != epoch:
            state.older_epoch = epoch
            logger.warning("consumer.older_epoch key=%r epoch=%d current=%d", key, epoch, state.epoch)


def _shown(state: BookState) -> dict[str, Any]:
    book = state.book
    return {
        "epoch": state.epoch,
        "book_seq": state.last_seq,
        "valid": state.valid,
        "depth": state.depth,
        "sequence": state.sequence,
        "bids": book.bids.top() if book else [],
        "asks": book.asks.top() if book else [],
    }
