"""A session with a simulated exchange, in process: its frames pass a line that may break them, and what leaves is read.

The exchange's own books say which states there were; a reader of the messages says which were published.
"""

import json
from collections import defaultdict, deque
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from functools import lru_cache
from random import Random
from urllib.parse import parse_qsl, urlsplit

from tickwire import exchanges, simulator
from tickwire.errors import FrameRejected
from tickwire.events.book import Book, price_key
from tickwire.events.decimals import product
from tickwire.events.levels import decode_levels
from tickwire.events.types import OrderBook
from tickwire.exchanges.contract import (
    AdapterContract,
    Fetch,
    Output,
    Reading,
    Reconnect,
    Request,
    Resync,
    Send,
    Symbol,
)
from tickwire.exchanges.symbols import Listing
from tickwire.simulator import market
from tickwire.simulator.dialect import Conversation
from tickwire.simulator.instruments import Instrument

STEP_US = 100_000
START_US = 1_795_946_400_000_000
_LEVELS = 10  # a side that are compared: every exchange keeps as many
_PATIENCE = 15  # steps without an answer until all that is pending is asked for again

Frames = list[bytes]
Levels = tuple[tuple[int, int], ...]
State = tuple[Levels, Levels]
Break = Callable[["Session", bytes], Frames]
"""What arrives instead of a frame."""


class Reader:
    """Applies what leaves, as a reader of the topic does."""

    def __init__(self) -> None:
        self.books: dict[str, Book] = {}

    def read(self, message: OrderBook) -> State | None:
        """Give the state that a message leads to, None where it ends the book."""
        decode_levels(message)
        if message.action == "invalid":
            del self.books[message.symbol]
            return None
        if message.action == "snapshot":
            self.books[message.symbol] = Book(message.bids, message.asks)
        else:
            self.books[message.symbol].apply(message.bids, message.asks)
        return _state(self.books[message.symbol])


class Session:
    """Drives an adapter and its exchange. *data* breaks changes of books, *said* what the exchange answers."""

    def __init__(
        self,
        name: str,
        seed: int,
        *,
        data: Break | None = None,
        said: Break | None = None,
        often: float = 0.05,
        stale: bool = False,
        broken_body: bool = False,
        refused: frozenset[str] = frozenset(),
    ) -> None:
        self.rng = Random(seed)
        self.module = exchanges.load(name)
        self.dialect = simulator.load(name)(2, Random(seed), refused)
        self.symbols = self._listed()
        self.data, self.said, self.often = data, said, often
        self.stale, self.broken_body = stale, broken_body
        self.now_us, self.steps = START_US, 0
        self.books = {book.instrument.canonical: book for book in self.dialect.market.books}
        self.truth = {name: [_state_of(book)] for name, book in self.books.items()}
        self.at = dict.fromkeys(self.books, 0)  # the last state that was published
        self.reader = Reader()
        self.published, self.wrong, self.rejected, self.broke = 0, list[str](), 0, 0
        self.invalid: dict[str, int] = defaultdict(int)  # why books ended, how often
        self.past: deque[bytes] = deque(maxlen=30)  # changes of books, as they were sent
        self.answers: Frames = []  # what else was said on this connection: acknowledgements, snapshots
        self.held: Frames = []  # kept back by the line
        self.later: list[tuple[int, Fetch | Send | Resync]] = []
        self._witness()
        self.conversation = self.open()
        self.connect()

    def _listed(self) -> list[Symbol]:
        listings = [_read(reading, self._asked) for reading in exchanges.listings(self.module)]
        return [symbol for listing in listings for symbol in listing.symbols]

    def _asked(self, request: Request) -> bytes:
        if request.body is None:
            return self._rest(request.path)
        return self.dialect.rest(request.path, json.loads(request.body), START_US, stale=False).body.encode()

    def _rest(self, path: str) -> bytes:
        at = urlsplit(path)
        return self.dialect.rest(at.path, dict(parse_qsl(at.query)), START_US, stale=False).body.encode()

    def _witness(self) -> None:
        """Open a connection that nothing breaks: where a step of the market is several messages, each is a state."""
        self.seen, self.witness = Reader(), self.open()
        self.witness.start(self.now_us)
        self.unbroken = self.new_adapter()
        self._see(self.unbroken.start())

    def _see(self, outputs: Iterable[Output]) -> None:
        for output in outputs:
            match output:
                case Send(payload):
                    for text in self.ask(self.witness, payload):
                        self._see(self.unbroken.receive(self.wire(text), self.now_us))
                case Fetch(path=path):
                    self._see(self.unbroken.fetched(output, self._rest(path), self.now_us))
                case OrderBook():
                    state = self.seen.read(output)
                    assert state is not None
                    self.truth[output.symbol].append(state)

    def open(self) -> Conversation:
        """Another connection, on which nothing was said yet."""
        at = urlsplit(self.module.EXCHANGE.ws_urls.get("orderbook", self.module.EXCHANGE.ws_url))
        conversation = self.dialect.open(at.path or "/", dict(parse_qsl(at.query)))
        assert conversation is not None
        return conversation

    def ask(self, conversation: Conversation, payload: bytes) -> Sequence[str]:
        """Send a message, with the time where it has a mark for it."""
        mark = self.module.EXCHANGE.time_mark
        text = payload if mark is None else payload.replace(mark, b"%d" % (self.now_us // 10**6))
        return conversation.receive(text.decode(), self.now_us)

    def new_adapter(self) -> AdapterContract:
        """Make one for another connection."""
        return self.module.Adapter(self.symbols, ["orderbook"], _LEVELS)

    # The line

    def wire(self, text: str) -> bytes:
        """The content of a message's frame."""
        return self.dialect.binary(text) or text.encode()

    def connect(self) -> None:
        """Open a connection, instead of one that there may be; its books are not valid any more."""
        self.conversation.close()
        self.held.clear()
        self.answers.clear()
        self.later.clear()
        self.reader = Reader()
        self.conversation, self.adapter = self.open(), self.new_adapter()
        self.queue: deque[bytes] = deque()
        self._say(self.conversation.start(self.now_us))
        self.handle(self.adapter.start())

    def _say(self, texts: Iterable[str]) -> None:
        for text in texts:
            self.answers.append(self.wire(text))
            self._pass(self.said, self.answers[-1])

    def _pass(self, way: Break | None, frame: bytes) -> None:
        frames = way(self, frame) if way is not None and self._now() else [frame]
        self.queue += frames  # of the connection that there is now

    def _now(self) -> bool:
        broken = self.often > 0 and self.rng.random() < self.often
        self.broke += broken
        return broken

    def run(self, steps: int) -> None:
        """Let the market move, and everything follow."""
        for _ in range(steps):
            self.steps += 1
            self.now_us += STEP_US
            book = self.dialect.market.pick()
            messages = self.dialect.advance(book, self.now_us)
            self.truth[book.instrument.canonical].append(_state_of(book))
            for message in messages:
                if self.witness in message.channel.subscribers:
                    self._see(self.unbroken.receive(self.wire(message.text), self.now_us))
            for message in messages:
                if self.conversation in message.channel.subscribers:
                    self.past.append(self.wire(message.text))
                    self._pass(self.data, self.wire(message.text))
            self._arrive()
            for one in [one for one in self.later if one[0] <= self.steps]:
                self.later.remove(one)
                self._do(one[1])
            if self.steps % _PATIENCE == 0 and self.adapter.pending():
                self.handle(self.adapter.retry())

    def heal(self) -> None:
        """Break nothing any more."""
        self.queue += self.held
        self.held.clear()
        self.data = self.said = None
        self.often, self.stale, self.broken_body = 0.0, False, False

    def _arrive(self) -> None:
        while self.queue:
            frame, adapter = self.queue.popleft(), self.adapter
            try:
                self.handle(adapter.receive(frame, self.now_us))
            except FrameRejected:
                self.rejected += 1

    def _do(self, due: Fetch | Send | Resync) -> None:
        match due:
            case Fetch():
                self._fetched(due)
            case Send(payload):
                self._say(self.ask(self.conversation, payload))
            case Resync(symbol):
                self.handle(self.adapter.resync(symbol))

    def _fetched(self, fetch: Fetch) -> None:
        self.adapter.asking(fetch)
        at, broken = urlsplit(fetch.path), self._now()
        answer = self.dialect.rest(at.path, dict(parse_qsl(at.query)), self.now_us, stale=self.stale and broken)
        body = b'{"code":"50011","msg":"busy"}' if self.broken_body and broken else answer.body.encode()
        try:
            self.handle(self.adapter.fetched(fetch, body, self.now_us))
        except FrameRejected:
            self.rejected += 1
            self.later.append((self.steps + 5, fetch))

    def handle(self, outputs: Iterable[Output]) -> None:
        """Do what an adapter wants, and read what it publishes."""
        for output in outputs:
            match output:
                case Send(delay_s=0):
                    self._do(output)
                case Fetch() | Send() | Resync():
                    one = output.symbol if isinstance(output, Fetch) else None
                    self.later = [o for o in self.later if not (isinstance(o[1], Fetch) and o[1].symbol == one)]
                    delay_s = 0.0 if isinstance(output, Resync) else output.delay_s
                    if isinstance(output, Fetch) and not delay_s:
                        self.adapter.asking(output)  # the answer comes two steps later
                    self.later.append((self.steps + 2 + int(delay_s * 5), output))
                case Reconnect():
                    self.connect()
                    return
                case OrderBook():
                    self._publish(output)

    # What leaves

    def _publish(self, message: OrderBook) -> None:
        self.published += 1
        state, truth, at = self.reader.read(message), self.truth[message.symbol], self.at[message.symbol]
        if state is None:
            self.invalid[str(message.reason)] += 1
            return
        with suppress(ValueError):
            self.at[message.symbol] = truth.index(state, at)
            return
        self.wrong.append(f"{message.symbol} {message.action} {message.sequence} at step {self.steps}: {state}")

    def follows(self) -> dict[str, bool]:
        """Whether each book is valid and as the exchange has it."""
        return {
            name: name in self.reader.books and _state(self.reader.books[name]) == _state_of(book)
            for name, book in self.books.items()
        }


def _read(reading: Reading[Listing], ask: Callable[[Request], bytes]) -> Listing:
    try:
        request = next(reading)
        while True:
            request = reading.send(ask(request))
    except StopIteration as e:
        listing: Listing = e.value
        return listing


def _state(book: Book) -> State:
    bids, asks = (tuple((price_key(p), price_key(s)) for p, s in side.top(_LEVELS)) for side in (book.bids, book.asks))
    return bids, asks


def _state_of(book: market.Book) -> State:
    bids, asks = (
        tuple(_level_of(book.instrument, ticks, lots) for ticks, lots in side.top(_LEVELS))
        for side in (book.bids, book.asks)
    )
    return bids, asks


@lru_cache(100_000)  # from one state to the next, few levels change
def _level_of(text: Instrument, ticks: int, lots: int) -> tuple[int, int]:
    return price_key(text.price(ticks)), price_key(product(text.size(lots), text.contract))
