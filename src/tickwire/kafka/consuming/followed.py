"""How far a book has been followed through Kafka, and the changes that go on from there; ``native/followed.c``."""

from collections.abc import Mapping, Sequence

from tickwire.compiled import compiled
from tickwire.events.book import Book
from tickwire.kafka.received import ReceivedRecord


@compiled
class FollowedBook:
    """What of a symbol's book every message may change."""

    __slots__ = ("book", "depth", "epoch", "last_seq", "offset", "overtaken", "partition", "sequence", "whole")

    partition: tuple[str, int]
    offset: int  # of the last message, in that partition
    epoch: int
    last_seq: int
    book: Book | None
    whole: bool  # nothing is missing, and the feed has not declared it invalid
    overtaken: bool  # Kafka has messages of an earlier epoch behind it: nobody writes this epoch any more
    depth: int | None  # levels a side that are kept true; None: nothing is promised
    sequence: int | None


@compiled
def follow(books: Mapping[str, FollowedBook], records: Sequence[ReceivedRecord], at: int, end: int) -> int:  # noqa: ARG001 - below
    """Apply records from place *at* on to their books, for as long as they are changes that are plainly next.

    That is a change as our writer has it, in a format whose schema is known to be ours, with all that is checked in a
    record and its book's next number, of a book that is whole. Returns the place of the first that is not, where
    nothing has changed, or *end*.

    In Python none is, because :class:`~tickwire.kafka.consuming.market_state.MarketState` does the same in that time.
    """
    return at
