"""What an exchange module offers and what an adapter gives back.

An exchange is one module in this package. It has four public names, read by :mod:`tickwire.exchanges`:

``EXCHANGE``
    an :class:`Exchange`: addresses and every limit of that exchange, in one table.
``Adapter``
    a class that follows :class:`AdapterContract`; synchronous and pure, one object a connection, no clock, no socket.
``read_listing(body)``
    one body of ``EXCHANGE.listing_paths`` → :class:`~tickwire.exchanges.symbols.Listing`; raises
    :exc:`~tickwire.errors.FrameRejected` when the body is not what the exchange documents.
``derive(symbol)``
    a name by rule, for when no listing could be fetched: the user's text → :class:`Symbol`.
"""

from collections.abc import Sequence
from typing import Literal, Protocol, TypeAlias

import msgspec
from msgspec import Struct

from tickwire.errors import FrameRejected
from tickwire.events.book import Book
from tickwire.events.types import Micros, OrderBook, Ticker

Channel: TypeAlias = Literal["ticker", "orderbook"]

# What msgspec raises for text that is no JSON, JSON of another shape, bytes that are no UTF-8, and deep nesting.
UNREADABLE = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
MAX_TEXT = 200  # characters of a foreign text that are worth repeating


class Symbol(Struct, frozen=True):
    """One tradable name: canonical (``BTC-USDT``) and as the exchange writes it (``BTCUSDT``)."""

    canonical: str
    native: str


class Exchange(Struct, frozen=True, kw_only=True):
    """Addresses and limits of one exchange. Each limit names its source beside the value."""

    name: str
    ws_url: str  # where the stream is, with its path
    rest_url: str  # scheme and host of the REST interface
    listing_paths: tuple[str, ...]  # together they give everything that is listed
    listing_weight: int  # what fetching one of them costs of `rest_weight_per_minute`
    channels: tuple[Channel, ...]
    symbols_per_connection: int
    message_interval_s: float  # least time between two messages that we send on one connection
    connect_interval_s: float  # least time between two connection attempts
    max_connection_s: float | None  # the exchange closes older connections; we go before
    rest_weight_per_minute: int | None
    ping_interval_s: float  # how long without any frame before we ask
    silence_s: float  # how long without any frame before the connection counts as dead
    subscription_silence_s: float  # how long one book may stay quiet before it is started again
    crossed_s: float | None  # how long a bid may be at or above the asks before the book is started again; None: it may
    ack_timeout_s: float
    max_frame_bytes: int
    book_depths: Sequence[int]  # levels a side that a book may be kept true to, in order

    def offered(self, depth: int) -> int:
        """The least depth on offer that has *depth* levels, or the greatest where none has."""
        return next((offered for offered in self.book_depths if offered >= depth), self.book_depths[-1])


class Send(Struct, frozen=True):
    """Send this text frame."""

    payload: bytes


class Fetch(Struct, frozen=True):
    """Fetch this over REST and hand the body to :meth:`AdapterContract.fetched`.

    A later ``Fetch`` of the same symbol replaces one that still waits for its delay or for the budget.
    """

    symbol: Symbol
    path: str  # with its query
    weight: int
    delay_s: float = 0.0  # wait so long before asking; 0: as soon as the budget allows
    why: str = ""  # what was wrong with the answer before


class Resync(Struct, frozen=True):
    """Call :meth:`AdapterContract.resync` for this book: now, or after a while where that happens often."""

    symbol: Symbol
    reason: str


class Subscribed(Struct, frozen=True):
    """The exchange carries this symbol on this channel from now on."""

    channel: Channel
    symbol: Symbol


class Refused(Struct, frozen=True):
    """The exchange will not carry this symbol on this channel."""

    channel: Channel
    symbol: Symbol
    answer: str


class Reconnect(Struct, frozen=True):
    """The exchange asked us to leave this connection for a new one."""

    why: str


def malformed(what: str, why: object) -> FrameRejected:
    """Make the error for a frame or body that is not what the exchange documents."""
    return FrameRejected("malformed", f"{what}: {why}"[:MAX_TEXT])


Output: TypeAlias = Ticker | OrderBook | Send | Fetch | Resync | Subscribed | Refused | Reconnect


class AdapterContract(Protocol):
    """One connection's translation. A new connection gets a new adapter; nothing is ever reset.

    Order books leave with ``epoch`` and ``book_seq`` 0; the feed's sequencer stamps them. A snapshot leaves with reason
    ``initial`` when it is the first of this connection and ``resync`` after an ``invalid`` or when the exchange sent a
    new one unasked. After an ``invalid`` and before the first snapshot no delta of that symbol leaves.
    """

    def __init__(self, symbols: Sequence[Symbol], channels: Sequence[Channel], depth: int) -> None:
        """Serve *symbols* on *channels*; *depth* is the number of book levels a side that must be true.

        It is one of ``EXCHANGE.book_depths`` and goes into every book's messages as what is promised.
        """

    def start(self) -> list[Output]:
        """What to send once the connection is open, in order."""

    def receive(self, payload: bytes, received_us: Micros) -> list[Output]:
        """Translate one text frame. Raises :exc:`~tickwire.errors.FrameRejected` and stays usable."""

    def fetched(self, fetch: Fetch, body: bytes, received_us: Micros) -> list[Output]:
        """Translate a fetched body. Raises :exc:`~tickwire.errors.FrameRejected`; the feed then fetches again."""

    def restart(self, symbol: Symbol, reason: str, received_us: Micros) -> list[Output]:
        """Give this symbol's book up: an ``invalid`` with *reason* if it was valid, and a :class:`Resync`.

        Called for a book that fell silent (``stale``), whose sides crossed (``crossed``), or whose records could not be
        stored (``overflow``) or go to another partition from now on (``moved``). The adapter does the same where it
        finds a ``gap`` or a wrong ``checksum``.
        """

    def resync(self, symbol: Symbol) -> list[Output]:
        """Ask for what starts this symbol's book again; nothing where it has started by itself."""

    def stop(self) -> list[Output]:
        """Unsubscribe everything: what to send before the connection is closed."""

    def ping(self) -> bytes | None:
        """The exchange's own ping as a text frame; None where it is the WebSocket's."""

    def book(self, symbol: Symbol) -> Book | None:
        """The book as it stands, or None while it is not valid."""

    def retry(self) -> list[Output]:
        """Ask once more for everything that is :meth:`pending`."""

    def pending(self) -> list[tuple[Channel, Symbol]]:
        """What was asked for and is neither acknowledged, refused nor implied by data yet."""
