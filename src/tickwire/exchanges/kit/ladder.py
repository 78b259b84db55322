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
    it; a deeper one yet, or the deepest again, when the price has moved so far that few of the levels are left. One
    that has more levels than are kept is of no use, unless the one before it has too few.
    """

    def __init__(self, rungs: Sequence[Fetch], depth: int) -> None:
        self._rungs, self._depth, self._at = rungs, depth, 0

    @property
    def first(self) -> Fetch:
        """The cheapest."""
        return self._rungs[0]

    def low(self, most: int) -> int:
        """Where fewer levels than these are known, it is time for another snapshot; *most* are kept."""
        levels = self._rungs[self._at].levels
        few = 2 * self._depth
        return min(few if levels is None else min(max(few, levels // 4), levels * 3 // 4), most // 2)

    def stand(self, fetch: Fetch) -> None:
        """Note which one the book stands on now."""
        self._at = next((i for i, rung in enumerate(self._rungs) if rung.path == fetch.path), 0)

    def next(self, deep: int, most: int) -> Fetch | None:
        """What to ask for where *deep* levels are known and *most* are kept; None where they are enough."""
        at, levels = self._at, self._rungs[self._at].levels or 0
        above = self._rungs[min(at + 1, len(self._rungs) - 1)]
        if (above.levels or 0) > most and levels >= 2 * self._depth:
            above = self._rungs[at]
        if deep < self.low(most):
            return replace(above, share=_SOON)
        climbs = deep != ALL and above is not self._rungs[at] and (at == 0 or levels < 2 * self._depth)
        return replace(above, share=_ONCE) if climbs else None


def urgent(fetch: Fetch | None) -> bool:
    """Whether a snapshot is asked for because levels begin to be missing."""
    return fetch is not None and fetch.share > _ONCE
