"""A book that is followed through Kafka, and the fast application of its changes; ``native/followed.c``."""

from collections.abc import Mapping, Sequence

from tickwire.compiled import compiled
from tickwire.events.book import Book
from tickwire.kafka.received import ReceivedRecord


@compiled
class FollowedBook:
    """The state of a symbol's book that every message may change."""

    __slots__ = ("book", "depth", "epoch", "last_seq", "offset", "overtaken", "partition", "sequence", "whole")

    partition: tuple[str, int]
    offset: int  # of the last message, in its partition
    epoch: int
    last_seq: int
    book: Book | None
    whole: bool  # no message is missing, and the book was not declared invalid
    overtaken: bool  # a message of an earlier epoch came later: this epoch is no longer written
    depth: int | None  # levels a side that are true; None: nothing is promised
    sequence: int | None


@compiled
def follow(books: Mapping[str, FollowedBook], records: Sequence[ReceivedRecord], at: int, end: int) -> int:  # noqa: ARG001 - below
    """Apply records from index *at* on to their books, as long as each is a plain change that is the next one.

    A plain change is one as our writer writes it, with a schema known to be ours, that passes all checks of a record
    and has the next number of a valid book. Returns the index of the first record that is none, which is not applied,
    or *end*.

    The Python form applies none, because it would be no faster than
    :class:`~tickwire.kafka.consuming.market_state.MarketState`.
    """
    return at
