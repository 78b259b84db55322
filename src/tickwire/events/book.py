"""One order book: price levels in the exchange's own text, ordered by exact value."""

from msgspec import Raw

from tickwire.events.decimals import is_zero, price_key
from tickwire.events.side import Levels, Names, Side
from tickwire.events.types import Level

__all__ = ["Book", "Levels", "Side", "is_zero", "price_key"]


class Book:
    """Bids (highest first) and asks (lowest first) of one symbol.

    *names* and *factor* say how the exchange writes levels, see :class:`~tickwire.events.side.Side`.
    """

    __slots__ = ("asks", "bids")

    def __init__(self, bids: Levels = (), asks: Levels = (), names: Names | None = None, factor: str = "1") -> None:
        self.bids = Side(highest_first=True, names=names, factor=factor)
        self.asks = Side(highest_first=False, names=names, factor=factor)
        self.apply(bids, asks)

    def apply(self, bids: Levels, asks: Levels, depth: int | None = None) -> tuple[Levels, Levels]:
        """Apply one delta, then keep the best *depth* levels a side; return the changes that a reader has to apply.

        They are best first, one level a price; levels that were cut off are removals. Raises :exc:`ValueError` on text
        that is no level; the book must then be thrown away.
        """
        return self.bids.change(bids, depth), self.asks.change(asks, depth)

    def replace(self, now: "Book") -> tuple[Raw, Raw]:
        """Take over *now*, which must not be used afterwards; return the changes as :meth:`apply` does."""
        return self.bids.replace(now.bids), self.asks.replace(now.asks)

    def truncate(self, depth: int) -> tuple[list[Level], list[Level]]:
        """Keep the best *depth* levels a side and return the dropped bids and asks."""
        return self.bids.truncate(depth), self.asks.truncate(depth)

    def bound(self, depth: int) -> tuple[list[Level], list[Level]]:
        """Keep the best *depth* levels a side and make the last ones the horizon; return the changes for a reader."""
        removed: list[list[Level]] = []
        for side in (self.bids, self.asks):
            removed.append([(price, "0") for price, _ in side.truncate(depth)])
            if removed[-1]:
                side.bound()
        return removed[0], removed[1]

    def crossed(self) -> bool:
        """Tell whether the best bid is at or above the best ask."""
        bid, ask = self.bids.best_key(), self.asks.best_key()
        return bid is not None and ask is not None and bid >= ask
