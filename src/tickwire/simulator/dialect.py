"""The interface of dialects, an exchange's wire format for the market. Pure: no sockets, time is an argument."""

from collections.abc import Iterable, Mapping, Sequence
from random import Random
from typing import Literal, NamedTuple, Protocol, TypeAlias

from tickwire.simulator.instruments import Instrument
from tickwire.simulator.market import Book, Market

Kind: TypeAlias = Literal["ticker", "book", "trade"]


class Conversation(Protocol):
    """One WebSocket connection as the exchange sees it."""

    def start(self, now_us: int) -> list[str]:
        """Start an open connection: the subscriptions of its address, and the first messages."""

    def receive(self, text: str, now_us: int) -> list[str]:
        """Answer one message of the client, which may change subscriptions."""

    def close(self) -> None:
        """End every subscription."""


class Broadcast:
    """One channel of one book, and the sessions that subscribe to it."""

    __slots__ = ("book", "depth", "kind", "name", "subscribers")

    def __init__(self, kind: Kind, name: str, book: Book, depth: int | None = None) -> None:
        self.kind, self.name, self.book, self.depth = kind, name, book, depth  # levels a side; None: all
        self.subscribers: dict[Conversation, None] = {}  # a dict, because its order is deterministic


class Message(NamedTuple):
    """One message for a channel's subscribers.

    ``losable``: a client that misses only this one notices at the channel's next message.
    """

    channel: Broadcast
    text: str
    losable: bool


class Answer(NamedTuple):
    """An answer over REST."""

    status: int
    body: str
    headers: Mapping[str, str]


class DialectContract(Protocol):
    """The class ``Dialect`` of a module in ``dialects/``."""

    quote: str  # quote asset of symbols that are given by number
    market: Market
    numbered: bool  # whether order book messages carry the market's update ids
    heartbeat: str | None  # sent to a client after a second without messages
    unknown: str  # a message of an undocumented kind
    ping_interval_s: float | None  # interval of the server's ping frames
    messages_per_second: int | None  # limit of a client's messages
    snapshot_path: str | None  # path, or its beginning, of REST order books
    faults: frozenset[str]  # faults of this exchange beyond the common ones

    def __init__(self, symbols: int | Sequence[str], rng: Random, refused: frozenset[str]) -> None:
        """Make a market of *symbols*; subscriptions to a symbol of *refused* (``BTC-USDT``) are errors."""

    def open(self, path: str, query: Mapping[str, str]) -> Conversation | None:
        """Start a session at this address; None if there is no stream."""

    def advance(self, book: Book, now_us: int) -> list[Message]:
        """Move one book and return the messages for its subscribers."""

    def channels(self) -> Iterable[Broadcast]:
        """All channels."""

    def rest(self, path: str, query: Mapping[str, str], now_us: int, *, stale: bool) -> Answer:
        """Answer a GET, or a POST with its members as *query*; *stale*: with an old snapshot."""

    def refuse(self, status: int) -> Answer:
        """The exchange's refusal: 429, 418 or 503, with Retry-After."""

    def binary(self, text: str) -> bytes | None:
        """The message *text* as a binary frame of the exchange; None: it sends text."""

    def spoil(self, text: str) -> str:
        """Return the book message *text* with a wrong checksum."""


def prices(levels: Sequence[tuple[int, int]], instrument: Instrument) -> list[list[str]]:
    """Levels as the exchange writes numbers."""
    return [[instrument.price(ticks), instrument.size(lots)] for ticks, lots in levels]
