"""How events of a book follow each other: a small function for each way in which exchanges number them."""

from collections.abc import Callable
from typing import Literal, TypeAlias

from msgspec import Raw, Struct, field

from tickwire.events.book import Levels
from tickwire.events.side import read_levels
from tickwire.events.types import Micros

NO_NUMBER = -1
"""Stands for the last number of a book whose exchange has no numbers."""


class BookEvent(Struct, gc=False):
    """One event of a book of any exchange: a snapshot or a change.

    *first* and *last* are the numbers of its updates, *previous* that of the event before it, *crc* the checksum of the
    book after it, as far as the exchange gives them. In a wire type that derives from this, each of these fields must
    be mapped to one of the exchange's members: by default none is decoded under these names.
    """

    bids: Levels
    asks: Levels
    last: int = field(name="(last)", default=NO_NUMBER)
    first: int = field(name="(first)", default=NO_NUMBER)
    previous: int = field(name="(previous)", default=NO_NUMBER)
    exchange_us: Micros | None = field(name="(exchange_us)", default=None)
    crc: int | None = field(name="(crc)", default=None)


Verdict: TypeAlias = Literal["next", "old", "gap", "restart"]
"""What to do with an event: apply it; ignore it; report a gap, because events are missing; or treat it as a snapshot if
it has the whole book, because numbers restarted with it."""

Follows: TypeAlias = Callable[[int, BookEvent], Verdict]
"""A function of the book's last number and an event, which returns the verdict."""


def by_range(previous: int, event: BookEvent) -> Verdict:
    """Updates are numbered without gaps; an event has those from *first* to *last*; ranges may overlap."""
    if event.last <= previous:
        return "old"
    return "next" if event.first <= previous + 1 else "gap"


def by_first(previous: int, event: BookEvent) -> Verdict:
    """Updates are numbered without gaps; each event begins right after the one before it."""
    if event.last <= previous:
        return "old"
    return "next" if event.first == previous + 1 else "gap"


def by_previous(previous: int, event: BookEvent) -> Verdict:
    """Each event names the last number of the one before it, which may be greater than its own."""
    if event.previous == previous:
        return "next"
    return "old" if event.last <= previous else "gap"


def by_step(previous: int, event: BookEvent) -> Verdict:
    """Events are numbered one by one; number 1 is that of a snapshot after the exchange's own restart.

    A lower number than the last one means that the snapshot that restarted the numbers is missing.
    """
    if event.last == 1:
        return "restart"
    return "next" if event.last == previous + 1 else "gap"


def by_time(previous: int, event: BookEvent) -> Verdict:
    """Numbers only grow: missing events cannot be detected."""
    return "old" if event.last <= previous else "next"


def spans(snapshot: int, event: BookEvent) -> Verdict:
    """The first event after a snapshot has the snapshot's number in its range."""
    if event.last < snapshot:
        return "old"
    return "next" if event.first <= snapshot else "gap"


def chained(previous: int, event: BookEvent) -> Verdict:
    """Each event names the last number of the one before it, whichever is greater: numbers may restart.

    An event that names its own number and has no levels means "no change".
    """
    if event.previous != previous:
        return "old" if event.previous < event.last == previous else "gap"  # a repetition of the last one
    return "old" if event.last == previous and _empty(event.bids) and _empty(event.asks) else "next"


def chained_on_snapshot(snapshot: int, event: BookEvent) -> Verdict:
    """The first event after a snapshot names a number that the snapshot has reached, and goes beyond it."""
    if event.last <= snapshot:
        return "old"
    return "next" if event.previous <= snapshot else "gap"


def _empty(levels: Levels) -> bool:
    return not (read_levels(levels) if isinstance(levels, Raw) else levels)
