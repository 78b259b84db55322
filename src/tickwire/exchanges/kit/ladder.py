"""Which of an exchange's snapshots a book by REST is asked for, so that enough of it is known."""

import sys
from collections.abc import Sequence

from msgspec.structs import replace

from tickwire.events.book import Book
from tickwire.exchanges.contract import Fetch

ALL = sys.maxsize
"""How many levels are known of a book of which nothing is missing."""

_SOON, _ONCE = 0.75, 0.5  # of the limits, for what begins to be missing, and for what will be of use one day


def known(book: Book) -> int:
    """How many of the best levels of either side are known."""
    return min(book.bids.known(ALL), book.asks.known(ALL))


class Ladder:
    """The snapshots of one book, the cheapest first, and the one that it stands on.

    A book begins with the cheapest. The next one that has *depth* levels twice over is fetched once there is room for
    it; a deeper one yet, or the deepest again, when the price has moved so far that few of the levels are left.
    """

    def __init__(self, rungs: Sequence[Fetch], depth: int) -> None:
        self._rungs, self._depth, self._at = rungs, depth, 0

    @property
    def first(self) -> Fetch:
        """The cheapest."""
        return self._rungs[0]

    @property
    def low(self) -> int:
        """Where fewer levels than these are known, it is time for another snapshot."""
        levels = self._rungs[self._at].levels
        few = 2 * self._depth
        return few if levels is None else min(max(few, levels // 4), levels * 3 // 4)

    def stand(self, fetch: Fetch) -> None:
        """Note which one the book stands on now."""
        self._at = next((i for i, rung in enumerate(self._rungs) if rung.path == fetch.path), 0)

    def next(self, deep: int) -> Fetch | None:
        """What to ask for where *deep* levels are known; None where they are enough."""
        at, last = self._at, len(self._rungs) - 1
        above = self._rungs[min(at + 1, last)]
        if deep < self.low:
            return replace(above, share=_SOON)
        levels = self._rungs[at].levels or 0
        climbs = deep != ALL and at < last and (at == 0 or levels < 2 * self._depth)
        return replace(above, share=_ONCE) if climbs else None


def urgent(fetch: Fetch | None) -> bool:
    """Whether a snapshot is asked for because levels begin to be missing."""
    return fetch is not None and fetch.share > _ONCE
