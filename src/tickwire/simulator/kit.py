"""What dialects share: a market with its channels, connections that subscribe to them, and ways to write."""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from functools import lru_cache
from random import Random
from typing import Any, ClassVar, Generic, TypeAlias, TypeVar

import msgspec

from tickwire.simulator.dialect import Answer, Broadcast, Conversation, DialectContract, Kind
from tickwire.simulator.instruments import Instrument, choose_names, scale
from tickwire.simulator.market import Book, Market

_Lots: TypeAlias = dict[int, int]
_Levels: TypeAlias = list[tuple[int, int]]
_Exchange = TypeVar("_Exchange", bound="PlainDialect")


class PlainDialect(DialectContract):
    """The dialect over a market of *symbols*; a symbol of *refused* (``BTC-USDT``) has no channel to subscribe to.

    An exchange's own overrides what is not so there.
    """

    size_places: ClassVar[int] = 8
    suffix: ClassVar[str] = ""  # of contracts, ``-PERP``
    contract: ClassVar[str] = "1"  # how much of the base a size of 1 is
    names: ClassVar[Sequence[tuple[str, Kind]]] = ()  # of a symbol's channels, with {} where its own name stands

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
        self.of = {book: tuple(self._channels(book)) for book in self.market.books}  # in the order of the names
        heard = [channels for book, channels in self.of.items() if book.instrument.canonical not in refused]
        self.all = {channel.name: channel for channels in heard for channel in channels}

    def native(self, base: str, quote: str) -> str:
        """The exchange's name of a pair."""
        return f"{base}-{quote}"

    def instrument(self, base: str, quote: str) -> Instrument:
        """How a pair is named and its numbers are written."""
        places, ticks = scale(base)
        own = {"suffix": self.suffix, "native": self.native(base, quote), "contract": self.contract}
        return Instrument(base, quote, places, self.size_places, ticks, **own)

    def channels(self) -> Iterable[Broadcast]:
        """Every channel that can be subscribed."""
        return self.all.values()

    def binary(self, text: str) -> bytes | None:  # noqa: ARG002 - for those that do
        """It sends text."""
        return None

    def spoil(self, text: str) -> str:
        """There is no checksum. Never called."""
        raise NotImplementedError(text)

    def _channels(self, book: Book) -> Iterable[Broadcast]:
        return (Broadcast(kind, name.format(book.instrument.native), book) for name, kind in self.names)


class Session(Conversation, Generic[_Exchange]):
    """One connection: its channels by their names, in the order of the subscriptions."""

    def __init__(self, exchange: _Exchange) -> None:
        self.exchange = exchange
        self.carried: dict[str, Broadcast] = {}

    def start(self, now_us: int) -> list[str]:  # noqa: ARG002 - part of the protocol
        """Say nothing."""
        return []

    def carry(self, channel: Broadcast) -> None:
        """Subscribe to *channel*."""
        self.carried[channel.name] = channel
        channel.subscribers[self] = None

    def drop(self, name: str) -> bool:
        """End a subscription, and say whether there was one."""
        channel = self.carried.pop(name, None)
        if channel is not None:
            channel.subscribers.pop(self, None)
        return channel is not None

    def close(self) -> None:
        """End every subscription."""
        for name in list(self.carried):
            self.drop(name)


def decoded(text: str) -> dict[str, Any] | None:
    """The object in a client's message; None where it is none."""
    try:
        request = msgspec.json.decode(text)
    except msgspec.DecodeError:
        return None
    return request if isinstance(request, dict) else None


def encoded(content: object) -> str:
    """Write JSON."""
    return msgspec.json.encode(content).decode()


def answer(content: object) -> Answer:
    """What was asked for over REST."""
    return Answer(200, encoded(content), {})


def refusal(status: int, content: object) -> Answer:
    """An answer over REST that serves nothing, for a second."""
    return Answer(status, encoded(content), {"Retry-After": "1"})


def window(book: Book, depth: int) -> tuple[_Lots, _Lots]:
    """The best *depth* bids and asks, as lots by ticks."""
    return dict(book.bids.top(depth)), dict(book.asks.top(depth))


def changes(before: tuple[_Lots, _Lots], now: tuple[_Lots, _Lots]) -> tuple[_Levels, _Levels]:
    """What to tell a client with one window so that it has the other; what left it comes first, as 0 lots."""
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
