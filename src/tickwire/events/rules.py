"""How changes of an exchange's books follow each other, and a book that is followed: part of :mod:`.short_way`."""

from collections.abc import Sequence
from typing import NamedTuple
from zlib import crc32

from msgspec import Raw, Struct

from tickwire.events.book import Book, Levels, Side
from tickwire.events.digest import Digest, digest_text, is_known
from tickwire.events.numbers import UpdateId
from tickwire.events.shape import marks
from tickwire.events.side import Names, read_levels
from tickwire.events.types import Level, Micros

ANY, NEXT, PREVIOUS, STEP, BEHIND = range(5)
"""The condition for the next change of a book. NEXT: its numbers include the last change's number + 1. PREVIOUS: it
names the last change's number. STEP: its number is the last one + 1. BEHIND: its first number is the last change's last
number + 1. ANY: there is no condition."""

KEPT, BID, ASK, REMOVED = range(4)  # meanings of the word in front of a level
_MOST_WORDS = 4
_NEEDS = {ANY: "", NEXT: "fl", PREVIOUS: "pl", STEP: "l", BEHIND: "fl"}


class Rule(NamedTuple):
    """The condition under which a change is the next one of a book, and how its levels are written.

    *digest* describes the checksum that comes with a change. Levels are arrays that begin with price and size, or
    objects with these *names*, or arrays with a word in front of price and size, whose meanings are *words*. With
    *whole* each frame has the whole book, and the difference to the book so far is the change.
    """

    order: int
    digest: Digest | None = None
    names: tuple[str, ...] = ()
    words: tuple[tuple[str, int], ...] = ()
    whole: bool = False

    def fits(self, shape: bytes) -> bool:
        """Whether this rule is valid and *shape* has the fields that it needs."""
        if self.order not in _NEEDS or not (self.digest is None or is_known(*self.digest)):
            return False
        if (self.names and (len(self.names) != len(("price", "size")) or self.words)) or len(self.words) > _MOST_WORDS:
            return False
        found = marks(shape)
        return not shape or (
            all(found[f"#{role}"] for role in _NEEDS[self.order]) and found["#c"] == (self.digest is not None)
        )

    @property
    def of_level(self) -> Names | None:
        """The names of price and size in a level that is an object."""
        return (self.names[0], self.names[1]) if self.names else None


class Change(Struct):
    """A change of a book, with its update numbers and the checksum of the book after it, if there are any."""

    bids: Levels
    asks: Levels
    exchange_us: Micros
    first: int = -1
    last: int = -1
    previous: int = -1
    checksum: int = -1


class ShortWayBook(Struct):
    """A book that the short way follows; *state* has the number of its last update, if updates are numbered."""

    native: str
    names: tuple[str, ...]  # of its symbol in the exchange's frames
    symbol: str
    prefix: bytes
    bids: Side
    asks: Side
    state: UpdateId
    depth: int | None  # levels a side that are kept; None: all
    least: int  # minimum of known levels a side
    most: int  # maximum of levels a side

    def is_next(self, rule: Rule, change: Change) -> bool:
        """Tell whether a change may be applied."""
        before, last, order = self.state.update_id, change.last, rule.order
        if order == NEXT:
            return change.first <= before + 1 <= last
        if order == PREVIOUS:
            return change.previous == before and not (last == before and _is_empty(change, rule))
        if order == STEP:
            return last == before + 1 and last != 1
        return order != BEHIND or change.first == before + 1 <= last

    def apply(self, change: Change, rule: Rule) -> bool:
        """Apply a change, and replace its levels by those that a reader has to apply. False: leave it to the adapter.

        The adapter may apply it once more: sizes are set, not added, so that changes nothing.
        """
        try:
            if rule.whole:
                now = Book(change.bids, change.asks, rule.of_level, self.bids.factor)
                change.bids, change.asks = self.bids.replace(now.bids), self.asks.replace(now.asks)
            else:
                change.bids = self.bids.change(change.bids, self.depth)
                change.asks = self.asks.change(change.asks, self.depth)
        except ValueError:
            return False
        too_few = min(self.bids.known(self.least), self.asks.known(self.least)) < self.least
        if too_few or max(len(self.bids), len(self.asks)) > self.most:
            return False
        if rule.digest is not None and crc32(digest_text(self.bids, self.asks, *rule.digest)) != change.checksum:
            return False
        if change.last >= 0:
            self.state.update_id = change.last
        return True


def _is_empty(change: Change, rule: Rule) -> bool:
    return not (levels_of(change.bids, rule) or levels_of(change.asks, rule))


def levels_of(levels: Levels, rule: Rule) -> Sequence[Level]:
    """The levels, decoded if they are still text. Raises :exc:`ValueError`."""
    return read_levels(levels, rule.of_level) if isinstance(levels, Raw) else levels
