"""An exchange of one symbol for the kit's books: its states by number, its events, and a reader of what leaves."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from tickwire.events.book import Book
from tickwire.events.types import Level, OrderBook
from tickwire.exchanges.contract import Output, Symbol
from tickwire.exchanges.kit import BookEvent
from tickwire.exchanges.messages import BookMessages

BTC = Symbol("BTC-USD", "BTCUSD")
FIRST = 100  # the number of the exchange's first state

State = tuple[list[Level], list[Level]]


def messages() -> BookMessages:
    return BookMessages("somewhere", BTC, 10)


def levels(book: Book | None) -> State | None:
    """What a book holds."""
    return None if book is None else (book.bids.top(), book.asks.top())


@dataclass
class Venue:
    """States of a book by their numbers, and the events between them."""

    states: dict[int, State]
    events: list[BookEvent]

    def snapshot(self, number: int) -> BookEvent:
        bids, asks = self.states[number]
        return BookEvent(bids, asks, number)


def venue(steps: Iterable[tuple[int, int, int]]) -> Venue:
    """Make an exchange of *steps*: how many updates are in the event, which price it sets, and to which size."""
    book, number = Book([("50", "1")], [("150", "1")]), FIRST
    made = Venue({number: (book.bids.top(), book.asks.top())}, [])
    for updates, price, size in steps:
        change = [(str(price), str(size))]
        bids, asks = (change, []) if price < 100 else ([], change)
        book.apply(bids, asks)
        made.events.append(BookEvent(bids, asks, number + updates, number + 1, number))
        number += updates
        made.states[number] = (book.bids.top(), book.asks.top())
    return made


class Reader:
    """Applies what leaves, as a reader of the topic does."""

    def __init__(self) -> None:
        self.book: Book | None = None
        self.sequence: int | None = None

    def read(self, outputs: Sequence[Output]) -> None:
        for message in outputs:
            if not isinstance(message, OrderBook):
                continue
            if message.action == "snapshot":
                self.book = Book(message.bids, message.asks)
            elif message.action == "delta":
                assert self.book is not None
                self.book.apply(message.bids, message.asks)
            else:
                assert self.book is not None
                self.book = None
            self.sequence = message.sequence


def actions(outputs: Iterable[Output]) -> list[tuple[str, str | None]]:
    """What leaves, and why."""
    return [(output.action, output.reason) for output in outputs if isinstance(output, OrderBook)]
