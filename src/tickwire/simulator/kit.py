"""Shared by dialects: a market with its channels, sessions that subscribe to them, and formatting."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from functools import lru_cache
from random import Random
from typing import Any, ClassVar, TypeAlias

import msgspec

from tickwire.simulator.dialect import Answer, Broadcast, Conversation, DialectContract, Kind, Message
from tickwire.simulator.instruments import Instrument, choose_names, scale
from tickwire.simulator.market import Book, Deal, Market, Quote, Step

Levels: TypeAlias = Sequence[tuple[int, int]]
"""Lots by ticks."""

Sides: TypeAlias = tuple[Levels, Levels]
"""Bids and asks."""

_Lots: TypeAlias = dict[int, int]


class PlainDialect(DialectContract):
    """A base of dialects for a market of *symbols*; subscriptions to *refused* ones (``BTC-USDT``) fail.

    A dialect overrides :meth:`receive` and the methods and attributes below.
    """

    size_places: ClassVar[int] = 8
    suffix: ClassVar[str] = ""  # of contracts, ``-PERP``
    contract: ClassVar[str] = "1"  # amount of the base in a size of 1
    spelling: ClassVar[str] = "{}-{}"  # the exchange's spelling of a pair
    names: ClassVar[Sequence[tuple[str, Kind]]] = ()  # names of a symbol's channels; {} is its native name
    depths: ClassVar[Sequence[int]] = ()  # levels a side of book channels, the second {} in their names
    path: ClassVar[str] = "/"  # path of the stream's address
    welcome: ClassVar[Sequence[str]] = ()  # the first messages of a connection
    losable: ClassVar[bool] = True  # whether a client notices a missing change of a book
    listing_path: ClassVar[str] = ""
    not_found: ClassVar[str] = ""  # body of the answer to unknown paths
    too_many: ClassVar[object] = None  # content of a refusal
    unavailable: ClassVar[object] = None  # content of a 503, if different

    quote = "USDT"
    numbered = False
    heartbeat: str | None = None
    ping_interval_s: float | None = None
    messages_per_second: int | None = None
    snapshot_path: str | None = None
    faults: frozenset[str] = frozenset()

    def __init__(self, symbols: int | Sequence[str], rng: Random, refused: frozenset[str] = frozenset()) -> None:
        pairs = choose_names(symbols, self.quote, self.suffix)
        self.market = Market([self.instrument(*pair) for pair in pairs], rng)
        self.refused = refused
        self.books = {book.instrument.native: book for book in self.market.books}
        self.of = {book: tuple(self._channels(book)) for book in self.market.books}  # in the order of ``names``
        heard = [channels for book, channels in self.of.items() if book.instrument.canonical not in refused]
        self.all = {channel.name: channel for channels in heard for channel in channels}

    def native(self, base: str, quote: str) -> str:
        """The native name of a pair."""
        return self.spelling.format(base, quote)

    def instrument(self, base: str, quote: str) -> Instrument:
        """The instrument of a pair: its name and number format."""
        places, ticks = scale(base)
        own = {"suffix": self.suffix, "native": self.native(base, quote), "contract": self.contract}
        return Instrument(base, quote, places, self.size_places, ticks, **own)

    def channels(self) -> Iterable[Broadcast]:
        """All channels that can be subscribed."""
        return self.all.values()

    def open(self, path: str, query: Mapping[str, str]) -> Conversation | None:  # noqa: ARG002 - for those with more
        """Start a session at ``path``; None elsewhere."""
        return Session(self) if path == self.path else None

    def receive(self, session: "Session", text: str, now_us: int) -> list[str]:
        """Answer one message of a client, which may change subscriptions."""
        raise NotImplementedError(text)

    def advance(self, book: Book, now_us: int) -> list[Message]:
        """Move *book*; return the messages for its channels, in the order of their names."""
        heard = [channel for channel in self.of[book] if channel.subscribers]
        before = [window(book, channel.depth) for channel in heard]
        step, messages = self.market.step(book), list[Message]()
        for channel, known in zip(heard, before, strict=True):
            match channel.kind:
                case "trade":
                    told = self._trades(channel, step.deals, now_us) if step.deals else ()
                    messages += [Message(channel, text, False) for text in told]
                case "ticker":
                    messages += [Message(channel, self._best(channel, quote, now_us), False) for quote in step.quotes]
                case "book":
                    levels = changed(step) if channel.depth is None else changes(known, window(book, channel.depth))
                    change = self._change(channel, step, levels, now_us)
                    if change is not None:
                        messages.append(Message(channel, change, self.losable))
        return messages

    def rest(self, path: str, query: Mapping[str, str], now_us: int, *, stale: bool) -> Answer:  # noqa: ARG002 - for those with books
        """Answer with the listing, the only REST path."""
        if path != self.listing_path:
            return Answer(404, self.not_found, {})
        return answer(self._listing([self._listed(book.instrument) for book in self.market.books]))

    def refuse(self, status: int) -> Answer:
        """A refusal in the exchange's format, for a second."""
        said = self.unavailable if status == 503 and self.unavailable is not None else self.too_many
        return Answer(status, encoded(said), {"Retry-After": "1"})

    def binary(self, text: str) -> bytes | None:  # noqa: ARG002 - for those that do
        """None: messages are text."""
        return None

    def spoil(self, text: str) -> str:
        """Without a checksum this is never called."""
        raise NotImplementedError(text)

    def _channels(self, book: Book) -> Iterable[Broadcast]:
        native = book.instrument.native
        for name, kind in self.names:
            for depth in self.depths if kind == "book" and self.depths else (None,):
                yield Broadcast(kind, name.format(native, depth), book, depth)

    # The messages of each kind

    def _trades(self, channel: Broadcast, deals: Sequence[Deal], now_us: int) -> Sequence[str]:
        """The messages about deals."""
        raise NotImplementedError

    def _best(self, channel: Broadcast, quote: Quote, now_us: int) -> str:
        """The message about new best prices."""
        raise NotImplementedError

    def _change(self, channel: Broadcast, step: Step, levels: Sides, now_us: int) -> str | None:
        """The message about changed *levels*, bids and asks; removed ones have 0 lots. None: no message."""
        raise NotImplementedError

    def _listing(self, listed: Sequence[object]) -> object:
        """The listing around the instruments."""
        return listed

    def _listed(self, instrument: Instrument) -> object:
        """An instrument's entry in the listing."""
        raise NotImplementedError


class Session(Conversation):
    """One connection: its channels by name, in the order of subscription."""

    def __init__(self, exchange: PlainDialect) -> None:
        self.exchange = exchange
        self.carried: dict[str, Broadcast] = {}

    def start(self, now_us: int) -> list[str]:  # noqa: ARG002 - part of the protocol
        """Send the welcome messages."""
        return list(self.exchange.welcome)

    def receive(self, text: str, now_us: int) -> list[str]:
        """Pass the message to the dialect."""
        return self.exchange.receive(self, text, now_us)

    def carry(self, channel: Broadcast) -> None:
        """Subscribe to *channel*."""
        self.carried[channel.name] = channel
        channel.subscribers[self] = None

    def drop(self, name: str) -> bool:
        """End a subscription; return whether there was one."""
        channel = self.carried.pop(name, None)
        if channel is not None:
            channel.subscribers.pop(self, None)
        return channel is not None

    def drop_all(self, names: Iterable[object]) -> None:
        """End these subscriptions, if they exist."""
        for name in names:
            self.drop(str(name))

    def close(self) -> None:
        """End every subscription."""
        self.drop_all(list(self.carried))


def decoded(text: str) -> dict[str, Any] | None:
    """The JSON object in a client's message; None if it is none."""
    try:
        request = msgspec.json.decode(text)
    except msgspec.DecodeError:
        return None
    return request if isinstance(request, dict) else None


def encoded(content: object) -> str:
    """Write JSON."""
    return msgspec.json.encode(content).decode()


def answer(content: object) -> Answer:
    """A successful REST answer."""
    return Answer(200, encoded(content), {})


def window(book: Book, depth: int | None) -> tuple[_Lots, _Lots]:
    """The best *depth* bids and asks, as lots by ticks; empty without a depth."""
    if depth is None:
        return {}, {}
    return dict(book.bids.top(depth)), dict(book.asks.top(depth))


def changed(step: Step) -> Sides:
    """All levels that a step changed."""
    bids, asks = ([(abs(key), lots) for key, lots in side.items()] for side in (step.bids, step.asks))
    return bids, asks


def changes(before: tuple[_Lots, _Lots], now: tuple[_Lots, _Lots]) -> Sides:
    """The changes from one window to the other; levels that left it come first, with 0 lots."""
    bids, asks = (
        [(ticks, 0) for ticks in old if ticks not in new]
        + [(ticks, lots) for ticks, lots in new.items() if old.get(ticks) != lots]
        for old, new in zip(before, now, strict=True)
    )
    return bids, asks


def rfc3339(now_us: int) -> str:
    """A time with microseconds."""
    second, micros = divmod(now_us, 1_000_000)
    return f"{_to_the_second(second)}.{micros:06d}Z"


@lru_cache(maxsize=1)  # the text of the running second
def _to_the_second(second: int) -> str:
    return datetime.fromtimestamp(second, UTC).strftime("%Y-%m-%dT%H:%M:%S")
