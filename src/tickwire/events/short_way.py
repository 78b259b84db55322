"""The short way from a frame to the value of its record, for frames of known shapes. It is compiled or it is not there.

An adapter that has one tells it what it may take: the symbols of tickers, and the books that follow their exchange's
sequence or checksums. A :class:`ShortWayReceiver` takes a connection's messages; what the short way does not know goes
on to the session, and so does everything while the publisher is not free or somebody else wants the events.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING

from tickwire.compiled import compiled, native
from tickwire.events.numbers import UpdateId

if TYPE_CHECKING:
    from tickwire.events.book import Side


@compiled
class ShortWay:
    """Knows nothing; for where no compiler was. See ``native/short_way.c`` for what a shape is."""

    def __init__(self, ticker_shape: bytes, depth_shape: bytes, /) -> None:
        """Take the shapes. Raises :exc:`ValueError` when they lack what a ticker or a change of a book needs."""

    def ticker(self, native: str, symbol: str, prefix: bytes, /) -> None:
        """Take this symbol's tickers; *prefix* is the text of their records in front of the bid."""

    def follow(self, native: str, symbol: str, prefix: bytes, bids: "Side", asks: "Side", state: UpdateId, /) -> None:
        """Take this book's changes, as long as each is next after *state*; *prefix* stands in front of the bids."""

    def follow_checked(
        self, native: str, symbol: str, prefix: bytes, bids: "Side", asks: "Side", depth: int, checked: int, /
    ) -> None:
        """Take this book's changes where each comes with a checksum of the best *checked* levels a side after it.

        Both sides are kept *depth* levels deep.
        """

    def leave(self, native: str, /) -> None:
        """Take no more changes of this book."""


ShortWayReceiver: Callable[..., Callable[[bytes], None]] | None = getattr(native, "ShortWayReceiver", None)
