"""What a dialect is: one exchange's wire format over the market. Pure: no sockets, and the time is an argument."""

from collections.abc import Iterable, Mapping, Sequence
from random import Random
from typing import Literal, NamedTuple, Protocol, TypeAlias

from tickwire.simulator.instruments import Instrument
from tickwire.simulator.market import Book, Market

Kind: TypeAlias = Literal["ticker", "book", "trade"]


class Conversation(Protocol):
    """One WebSocket connection as the exchange sees it."""

    def start(self, now_us: int) -> list[str]:
        """Begin, once the connection is open: what the address subscribes to, and the first messages."""

    def receive(self, text: str, now_us: int) -> list[str]:
        """Answer one message of the client; subscriptions change here."""

    def close(self) -> None:
        """End every subscription."""


class Broadcast:
    """One stream of messages about one book, and the sessions that get it."""

    __slots__ = ("book", "depth", "kind", "name", "subscribers")

    def __init__(self, kind: Kind, name: str, book: Book, depth: int | None = None) -> None:
        self.kind, self.name, self.book, self.depth = kind, name, book, depth  # levels a side; None: all
        self.subscribers: dict[Conversation, None] = {}  # a dict, because its order is repeatable


class Message(NamedTuple):
    """One message for a channel's subscribers.

    ``losable``: a client that misses it, and nothing else, can tell from the channel's next message.
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
    """One exchange: the class ``Dialect`` of a module in ``dialects/``."""

    quote: str  # of the symbols that are asked for by their number
    market: Market
    numbered: bool  # whether order book messages carry the market's update ids
    heartbeat: str | None  # to a client that got nothing for a second
    unknown: str  # a message of a kind that no documentation names
    ping_interval_s: float | None  # between the server's ping frames
    messages_per_second: int | None  # that a client may send
    snapshot_path: str | None  # of the order books that come over REST, or what their paths begin with
    faults: frozenset[str]  # those that this exchange can show beyond the common ones

    def __init__(self, symbols: int | Sequence[str], rng: Random, refused: frozenset[str]) -> None:
        """Make a market of *symbols*; subscriptions to a symbol of *refused* (``BTC-USDT``) are errors."""

    def open(self, path: str, query: Mapping[str, str]) -> Conversation | None:
        """Begin a session at this address, None where there is no stream."""

    def advance(self, book: Book, now_us: int) -> list[Message]:
        """Move one book and say it to its subscribers."""

    def channels(self) -> Iterable[Broadcast]:
        """Every channel that exists."""

    def rest(self, path: str, query: Mapping[str, str], now_us: int, *, stale: bool) -> Answer:
        """Answer a GET, or a POST, whose members are its *query*; *stale*: a snapshot older than it should be."""

    def refuse(self, status: int) -> Answer:
        """The exchange's answer when it serves nothing: 429, 418 or 503, each with Retry-After."""

    def binary(self, text: str) -> bytes | None:
        """The message *text* as the exchange sends it in a binary frame; None: it sends the text."""

    def spoil(self, text: str) -> str:
        """Return the book message *text* with a wrong checksum."""


def prices(levels: Sequence[tuple[int, int]], instrument: Instrument) -> list[list[str]]:
    """Write levels as the exchange writes numbers."""
    return [[instrument.price(ticks), instrument.size(lots)] for ticks, lots in levels]
