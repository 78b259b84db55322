"""An order book as it stands at this moment."""

from msgspec import Struct

from tickwire.events.book import Book
from tickwire.events.sequencer import Sequencer
from tickwire.events.types import Level, Micros
from tickwire.exchanges.contract import Symbol


class BookNow(Struct, frozen=True, kw_only=True):
    """A copy of an order book; it does not change later.

    A book that is not ``valid`` has no levels, and ``reason`` says why: ``initial`` before its first snapshot, else as
    in the ``invalid`` event. ``epoch`` and ``book_seq`` are those of the last event; the next one of that epoch has
    ``book_seq`` + 1.
    """

    symbol: str  # canonical, "BTC-USDT"
    exchange_symbol: str
    valid: bool
    reason: str | None
    bids: list[Level]  # highest first
    asks: list[Level]  # lowest first
    epoch: int
    book_seq: int
    sequence: int | None  # the exchange's number of the last update, where it gives one
    exchange_us: Micros | None  # when the exchange says the last update happened

    @property
    def best_bid(self) -> Level | None:
        """Price and size; None where there is none."""
        return self.bids[0] if self.bids else None

    @property
    def best_ask(self) -> Level | None:
        """Price and size; None where there is none."""
        return self.asks[0] if self.asks else None


def look(symbol: Symbol, numbers: Sequencer, book: Book | None, invalid: str | None, depth: int | None) -> BookNow:
    """Copy the best *depth* levels of *book*; *invalid* is the reason if it may not be used."""
    valid = numbers.valid and book is not None
    reason = None if valid else invalid or ("resync" if numbers.epoch else "initial")
    return BookNow(
        symbol=symbol.canonical,
        exchange_symbol=symbol.native,
        valid=valid,
        reason=reason,
        bids=book.bids.top(depth) if valid and book is not None else [],
        asks=book.asks.top(depth) if valid and book is not None else [],
        epoch=numbers.epoch,
        book_seq=numbers.book_seq,
        sequence=numbers.sequence if numbers.epoch and numbers.sequence >= 0 else None,
        exchange_us=numbers.exchange_us if numbers.epoch and numbers.exchange_us >= 0 else None,
    )
