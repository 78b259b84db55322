"""An exchange that nobody has: a message is the best bid, and every client gets all of them."""

from collections.abc import Iterable, Mapping, Sequence
from random import Random

from tickwire.simulator.dialect import Answer, Broadcast, Conversation, Message
from tickwire.simulator.instruments import Instrument, choose_names, scale
from tickwire.simulator.market import Book, Market


class Dialect:
    """The least that a dialect is."""

    quote = "TOY"
    numbered = True
    heartbeat: str | None = None
    unknown = "what?"
    ping_interval_s: float | None = None
    messages_per_second: int | None = None
    snapshot_path: str | None = "/book"
    faults = frozenset({"stale"})

    def __init__(self, symbols: int | Sequence[str], rng: Random, refused: frozenset[str] = frozenset()) -> None:
        names = [name for name in choose_names(symbols, self.quote) if "-".join(name) not in refused]
        self.market = Market([_instrument(*name) for name in names], rng)
        self.all = {book: Broadcast("book", book.instrument.canonical, book) for book in self.market.books}

    def open(self, path: str, query: Mapping[str, str]) -> Conversation | None:
        return _Session(self.all.values()) if path == "/" else None

    def advance(self, book: Book, now_us: int) -> list[Message]:
        self.market.step(book)
        ((ticks, _),) = book.bids.top(1)
        return [Message(self.all[book], f'"{book.instrument.canonical} {book.instrument.price(ticks)}"', losable=True)]

    def channels(self) -> Iterable[Broadcast]:
        return self.all.values()

    def rest(self, path: str, query: Mapping[str, str], now_us: int, *, stale: bool) -> Answer:
        return Answer(200 if path == self.snapshot_path else 404, '"old"' if stale else '"new"', {})

    def refuse(self, status: int) -> Answer:
        return Answer(status, "null", {"Retry-After": "1"})

    def binary(self, text: str) -> bytes | None:
        return None

    def spoil(self, text: str) -> str:
        return text


class _Session:
    def __init__(self, channels: Iterable[Broadcast]) -> None:
        self._channels = channels

    def start(self, now_us: int) -> list[str]:
        for channel in self._channels:
            channel.subscribers[self] = None
        return []

    def receive(self, text: str, now_us: int) -> list[str]:
        return [f'"{text}?"']

    def close(self) -> None:
        for channel in self._channels:
            channel.subscribers.pop(self, None)


def _instrument(base: str, quote: str) -> Instrument:
    places, ticks = scale(base)
    return Instrument(base, quote, places, size_places=2, opening_ticks=ticks)
