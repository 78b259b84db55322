"""The handler used when you name none: validates every record and rebuilds every order book from Kafka alone."""

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
    """One symbol's book as far as Kafka has told.

    ``book`` is None until a snapshot came and after a message was missed. It stays as it last was when the feed
    declares it invalid, for whoever wants to look at it; :attr:`valid` says whether it may be used, and ``reason`` why
    not: the feed's own, ``jump``, or None before the first snapshot.
    """

    def __init__(self, partition: tuple[str, int], epoch: int, last_seq: int) -> None:
        self.partition, self.offset = partition, -1
        self.epoch, self.last_seq = epoch, last_seq
        self.book = self.depth = self.sequence = None
        self.whole = self.overtaken = False
        self.reason: str | None = None
        self.older_epoch = -1  # the last one warned about

    @property
    def valid(self) -> bool:
        """Whether the book is the exchange's, as far as Kafka has told."""
        return self.whole and not self.overtaken


Last = TypeVar("Last", Ticker, Trade)


class MarketState:
    """Keeps the last ticker, the last trade and the book of every key, and reports every break in ``book_seq``.

    Messages of a key count in the order in which Kafka has them. One delivered again, from an offset that was passed,
    is counted and ignored. A snapshot behind the last message starts the book anew, also with an earlier epoch: its
    producer was started again with a clock that was set back, or elsewhere. After a break the book is not used until
    the next snapshot, and a keyframe is one. A key first met in the middle of an epoch waits for one, too.
    When a key has moved to another partition, epochs and numbers alone say what is newer. Threads may share it.
    """

    def __init__(self) -> None:
        self.records: Counter[str] = Counter()  # by type
        self.jumps = 0
        self.duplicates = 0
        self.older_epochs = 0  # messages of an epoch before the one already seen
        self.set_back = 0  # books that began anew with an earlier epoch than they had
        self.books: dict[str, BookState] = {}
        self.tickers: dict[str, Ticker] = {}
        self.trades: dict[str, Trade] = {}
        self._last_at: dict[tuple[type, str], tuple[str, int, int]] = {}  # topic, partition and offset of these
        self._lock = threading.Lock()

    def __call__(self, record: ReceivedRecord) -> None:
        """Take one record. Raises :exc:`~tickwire.errors.RecordRejected`."""
        if self.follow((record,), 0, 1):
            return
        event = record.event
        with self._lock:
            self._take(event, record)

    def follow(self, records: Sequence[ReceivedRecord], at: int, end: int) -> int:
        """Take records from place *at* on, which is quicker, up to *end* or the first that has to be taken by itself.

        Returns where it stopped. What counts as plain says :func:`~tickwire.kafka.consuming.followed.follow`.
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
            self.duplicates += 1  # it was here before, or its partition is read later than the one of the last
        else:
            kept[key], self._last_at[type(event), key] = event, here

    def revoked(self, topic: str, partition: int) -> None:
        """Forget the books of a partition that goes to another consumer, which reads on where we do not."""
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
        if state is None:  # whatever came before is not ours to know
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
        except ValueError as e:  # of levels that are text which nobody has read
            state.book, state.whole, state.reason = None, False, "jump"
            raise RecordRejected("validate", str(e)) from None
        state.sequence, state.depth = message.sequence, message.depth

    def _follows(self, key: str, state: BookState, message: OrderBook, *, behind: bool) -> bool:
        """Move on to the message's number; False when the message is to be ignored.

        *behind*: Kafka has it behind the last one in the same partition, so it is newer whatever its epoch.
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
        """Count a message of an earlier epoch: delivered again, or of a producer whose clock was set back."""
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
