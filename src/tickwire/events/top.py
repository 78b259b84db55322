"""The best levels of a book in snapshot mode, as they are now and as they were last written."""

from msgspec import Raw

from tickwire.compiled import compiled
from tickwire.events.book import Book, Levels, Side


@compiled
class TopState:
    """The part of a :class:`Top` that compiled code uses too; ``native/top.c`` is the compiled form."""

    __slots__ = ("asks", "asks_text", "bids", "bids_text", "depth", "prefix")

    bids: Side
    asks: Side
    bids_text: Raw  # as last written
    asks_text: Raw
    prefix: bytes | None  # the value's text in front of the bids, None before the first record
    depth: int


class Top(TopState):
    """A book, and the best *depth* levels a side of it."""

    __slots__ = ("book",)

    def __init__(self, depth: int) -> None:
        self.depth, self.prefix = depth, None
        self.bids_text = self.asks_text = Raw(b"[]")
        self.start((), ())

    def start(self, bids: Levels, asks: Levels) -> None:
        """Start again with these levels, which count as written."""
        self.book = Book(bids, asks)
        self.bids, self.asks = self.book.bids, self.book.asks
        self.write()

    def write(self) -> bool:
        """Take the best levels as written, and return whether they differ from those written before."""
        before = self.bids_text, self.asks_text
        self.bids_text, self.asks_text = self.bids.text(self.depth), self.asks.text(self.depth)
        return before != (self.bids_text, self.asks_text)
