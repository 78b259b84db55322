"""Chooses which REST snapshot to request, so that enough levels of a book are known."""

import sys
from collections.abc import Sequence

from msgspec.structs import replace

from tickwire.events.book import Book
from tickwire.exchanges.contract import Fetch

ALL = sys.maxsize
"""The number of known levels of a complete book."""

_SOON, _ONCE = 0.75, 0.5  # share of the limits: when few levels are left, and for depth in advance


def known(book: Book) -> int:
    """How many of the best levels of either side are known."""
    return min(book.bids.known(ALL), book.asks.known(ALL))


class Ladder:
    """The snapshots of one book, the cheapest first, and the one in use.

    A book starts with the cheapest. One with at least twice *depth* levels is fetched when the limits have room; a
    deeper one, or the deepest again, when the price has moved so far that few known levels are left. One with more
    levels than are kept is not used, unless the one before it has too few.
    """

    def __init__(self, rungs: Sequence[Fetch], depth: int) -> None:
        self._rungs, self._depth, self._at = rungs, depth, 0

    @property
    def first(self) -> Fetch:
        """The cheapest snapshot."""
        return self._rungs[0]

    def low(self, most: int) -> int:
        """The number of known levels below which another snapshot is requested; *most* are kept."""
        levels = self._rungs[self._at].levels
        few = 2 * self._depth
        return min(few if levels is None else min(max(few, levels // 4), levels * 3 // 4), most // 2)

    def stand(self, fetch: Fetch) -> None:
        """Note the snapshot in use."""
        self._at = next((i for i, rung in enumerate(self._rungs) if rung.path == fetch.path), 0)

    def next(self, deep: int, most: int) -> Fetch | None:
        """The snapshot to request if *deep* levels are known and *most* are kept; None if they are enough."""
        at, levels = self._at, self._rungs[self._at].levels or 0
        above = self._rungs[min(at + 1, len(self._rungs) - 1)]
        if (above.levels or 0) > most and levels >= 2 * self._depth:
            above = self._rungs[at]
        if deep < self.low(most):
            return replace(above, share=_SOON)
        climbs = deep != ALL and above is not self._rungs[at] and (at == 0 or levels < 2 * self._depth)
        return replace(above, share=_ONCE) if climbs else None


def urgent(fetch: Fetch | None) -> bool:
    """Whether a snapshot is requested because few known levels are left."""
    return fetch is not None and fetch.share > _ONCE
