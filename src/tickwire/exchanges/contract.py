"""What an exchange module offers and what an adapter gives back.

An exchange is one module in this package. It has four public names, read by :mod:`tickwire.exchanges`, and may have the
last two:

``EXCHANGE``
    an :class:`Exchange`: addresses and every limit of that exchange, in one table.
``Adapter``
    a class that follows :class:`AdapterContract`; synchronous and pure, one object a connection, no clock, no socket.
``read_listing(body)``
    one body of ``EXCHANGE.listing_paths`` → :class:`~tickwire.exchanges.symbols.Listing`; raises
    :exc:`~tickwire.errors.FrameRejected` when the body is not what the exchange documents.
``derive(symbol)``
    a name by rule, for when no listing could be fetched: the user's text → :class:`Symbol`. Where only the listing says
    how much a contract is, it raises :exc:`~tickwire.errors.UnknownContractSize`.
``listings()``
    the parts of a listing that is not one GET request a part: a list of :data:`Reading` of a listing, each to be read
    by itself. See :func:`tickwire.exchanges.listings`.
``address(url)``
    a :data:`Reading` of the address to connect to instead of *url*, where the exchange gives it out by REST first. See
    :func:`tickwire.exchanges.address`.
"""

from collections.abc import Callable, Generator, Mapping, Sequence
from typing import Literal, Protocol, TypeAlias, TypeVar

import msgspec
from msgspec import Raw, Struct

from tickwire.errors import FrameRejected
from tickwire.events.book import Book
from tickwire.events.types import Micros, OrderBook, Ticker, Trade

Channel: TypeAlias = Literal["ticker", "orderbook", "trade"]
Frames: TypeAlias = Literal["text", "binary", "both"]
Check: TypeAlias = Literal["sequence", "checksum"]
Kind: TypeAlias = Literal["spot", "perpetual", "future", "option"]

# What msgspec raises for text that is no JSON, JSON of another shape, bytes that are no UTF-8, and deep nesting.
UNREADABLE = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
MAX_TEXT = 200  # characters of a foreign text that are worth repeating


class Symbol(Struct, frozen=True):
    """One tradable name: canonical (``BTC-USDT``) and as the exchange writes it (``BTCUSDT``).

    A derivative's canonical name ends with ``-PERP``, with the day of its expiry, ``-YYMMDD``, or where it is an option
    with ``-YYMMDD-STRIKE-C`` or ``-P``, the strike as the exchange's name has it. *contract_size* says
    what size 1 of the exchange's is in units of the base, as decimal text; in units of the quote where the contract is
    inverse, which is one that is settled in its base: its worth in the base changes with the price.
    """

    canonical: str
    native: str
    kind: Kind = "spot"
    settlement: str | None = None  # the asset in which gains are paid; None for spot
    contract_size: str = "1"


class Limit(Struct, frozen=True):
    """Requests of one *group* may weigh *weight* together within any *seconds*."""

    weight: int
    seconds: float
    group: str = ""


class Request(Struct, frozen=True):
    """A question to the REST interface that belongs to no book: part of a listing, or an address."""

    path: str  # with its query
    body: bytes | None = None  # JSON to POST; None: a GET
    weight: int = 1
    group: str = ""  # of the limits that it counts for
    share: float = 1.0  # of the limits: it waits where more of them is spent, so that others find room


T = TypeVar("T")
Reading: TypeAlias = Generator[Request, bytes, T]
"""Yields requests one after another, is sent the body of each, and returns what it has read.

It may raise :exc:`~tickwire.errors.FrameRejected` for a body that is not what the exchange documents.
"""


class ConnectionPlan(Struct, frozen=True):
    """One socket: where it is and what it carries."""

    url: str
    symbols: tuple[Symbol, ...]
    channels: tuple[Channel, ...]


class Exchange(Struct, frozen=True, kw_only=True):
    """Addresses and limits of one exchange. Each limit names its source beside the value."""

    name: str
    ws_url: str  # where the stream is, with its path
    ws_urls: Mapping[Channel, str] = {}  # channels that are somewhere else
    headers: Mapping[str, str] = {}  # of the WebSocket's handshake
    frames: Frames = "text"  # those that carry data; others are counted and skipped
    time_mark: bytes | None = None  # what stands in messages of ours for the seconds since the epoch at their sending
    rest_url: str  # scheme and host of the REST interface
    listing_paths: tuple[str, ...]  # together they give everything that is listed
    listing_weight: int = 1  # what fetching one of them costs of `rest_limits`
    channels: tuple[Channel, ...] = ("ticker", "orderbook", "trade")
    trades_numbered: bool = False  # ids of a symbol's trades are whole numbers, each one more than the one before
    symbols_per_connection: int
    message_interval_s: float  # least time between two messages that we send on one connection
    connect_interval_s: float  # least time between two connection attempts
    max_connection_s: float | None = None  # the exchange closes older connections; we go before
    rest_limits: tuple[Limit, ...] = ()
    # How long without any frame before we ask; None: the exchange speaks by itself more often than `silence_s`, and an
    # answer to our ping must not pass for it: a connection whose server has stalled may still answer those.
    ping_interval_s: float | None
    keepalive_s: float | None = None  # ask so often, whatever comes; None: only after `ping_interval_s`
    silence_s: float  # how long without any frame before the connection counts as dead
    subscription_silence_s: float = (
        600.0  # how long one book may stay quiet, whatever is usual: a quiet pair goes minutes without a change
    )
    crossed_s: float | None = (
        5.0  # how long a bid may be at or above the asks before the book is started again; None: it may
    )
    ack_timeout_s: float = 10.0
    max_frame_bytes: int = 4 * 1024 * 1024
    book_depths: Sequence[int]  # levels a side that a book may be kept true to, in order
    checks: tuple[Check, ...] = ()  # what shows that something of a book is missing or wrong
    sizes: str = "base"  # what they are amounts of, in a few words, as they leave

    def offered(self, depth: int) -> int:
        """The least depth on offer that has *depth* levels, or the greatest where none has."""
        return next((offered for offered in self.book_depths if offered >= depth), self.book_depths[-1])

    def plans(self, symbols: Sequence[Symbol], channels: Sequence[Channel]) -> list[ConnectionPlan]:
        """The connections that carry *symbols* on *channels*, each to one address and with no more than it may have."""
        by_url: dict[str, tuple[Channel, ...]] = {}
        for channel in channels:
            url = self.ws_urls.get(channel, self.ws_url)
            by_url[url] = (*by_url.get(url, ()), channel)
        size = self.symbols_per_connection
        parts = [tuple(symbols[i : i + size]) for i in range(0, len(symbols), size)]
        return [ConnectionPlan(url, part, carried) for url, carried in by_url.items() for part in parts]


class Send(Struct, frozen=True):
    """Send this text frame."""

    payload: bytes
    delay_s: float = 0.0  # wait so long first; the frames behind it do not wait for it
    urgent: bool = False  # past everything that waits, at once: an answer that the exchange waits for


class Fetch(Struct, frozen=True):
    """Fetch this over REST and hand the body to :meth:`AdapterContract.fetched`.

    A later ``Fetch`` of the same symbol replaces one that is not answered yet; where both ask for the same at once,
    one answer is for the later of them.
    """

    symbol: Symbol
    path: str  # with its query
    weight: int
    delay_s: float = 0.0  # wait so long before asking; 0: as soon as the budget allows
    why: str = ""  # what was wrong with the answer before
    group: str = ""  # of the limits that it counts for
    share: float = 1.0  # as in `Request`
    levels: int | None = None  # a side that were asked for; None: all there are


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


def decoded(what: str, decode: Callable[[bytes | Raw], T], body: bytes | Raw) -> T:
    """Decode a body. Raises :exc:`~tickwire.errors.FrameRejected`."""
    try:
        return decode(body)
    except UNREADABLE as e:
        raise malformed(what, e) from None


Output: TypeAlias = Ticker | OrderBook | Trade | Send | Fetch | Resync | Subscribed | Refused | Reconnect


class AdapterContract(Protocol):
    """One connection's translation. A new connection gets a new adapter; nothing is ever reset.

    Trades that the exchange repeats from before the subscription do not leave. What is missing between two ids is for
    the feed to notice, by ``EXCHANGE.trades_numbered``.

    Order books leave with ``epoch`` and ``book_seq`` 0; the feed's sequencer stamps them. A snapshot leaves with reason
    ``initial`` when it is the first of this connection and ``resync`` after an ``invalid`` or when the exchange sent a
    new one unasked. After an ``invalid`` and before the first snapshot no delta of that symbol leaves.
    """

    def __init__(self, symbols: Sequence[Symbol], channels: Sequence[Channel], depth: int) -> None:
        """Serve *symbols* on *channels*; *depth* is the number of book levels a side that must be true.

        It is one of ``EXCHANGE.book_depths`` and goes into every book's messages as what is promised; fewer, where the
        snapshot that the book began with does not reach so far.
        """

    spoken: Sequence[Channel]
    """Those of the channels that can fall silent by themselves: what is read off a book that leaves too cannot."""

    def bound(self, levels: int) -> None:
        """Keep no more than so many *levels* a side of each book, but twice the depth at least."""

    def start(self) -> list[Output]:
        """What to send once the connection is open, in order."""

    def add(self, symbols: Sequence[Symbol]) -> list[Output]:
        """Serve these too, as if they had been there from the start; before :meth:`start` there is nothing to send."""

    def remove(self, symbols: Sequence[Symbol]) -> list[Output]:
        """Serve these no longer. What still comes of them gives nothing, or :exc:`~tickwire.errors.NotWanted`."""

    def receive(self, payload: bytes, received_us: Micros) -> list[Output]:
        """Translate one frame of the kinds in ``EXCHANGE.frames``.

        Raises :exc:`~tickwire.errors.FrameRejected` and stays usable.
        """

    def asking(self, fetch: Fetch) -> None:
        """Note that the request for this leaves now: its answer says how things were at some time from now on."""

    def fetched(self, fetch: Fetch, body: bytes, received_us: Micros) -> list[Output]:
        """Translate a fetched body. Raises :exc:`~tickwire.errors.FrameRejected`; the feed then fetches again."""

    def restart(self, symbol: Symbol, reason: str, received_us: Micros) -> list[Output]:
        """Give this symbol's book up: an ``invalid`` with *reason* if it was valid, and a :class:`Resync`.

        Called for a book that fell silent (``stale``), which is subscribed anew, whose sides crossed (``crossed``), or
        whose records could not be stored (``overflow``) or go to another partition from now on (``moved``). The adapter
        does the same where it finds a ``gap`` or a wrong ``checksum``.
        """

    def resync(self, symbol: Symbol) -> list[Output]:
        """Ask for what starts this symbol's book again; nothing where it has started by itself."""

    def stop(self) -> list[Output]:
        """Unsubscribe everything: what to send before the connection is closed."""

    def ping(self) -> bytes | None:
        """The exchange's own ping as a text frame; None where it is the WebSocket's.

        A ping of the exchange's is a frame like any other: :meth:`receive` answers it with an urgent :class:`Send`.
        """

    def book(self, symbol: Symbol) -> Book | None:
        """The book as it stands, or None while it is not valid."""

    def retry(self) -> list[Output]:
        """Ask once more for everything that is :meth:`pending`."""

    def unheard(self) -> list[tuple[Channel, Symbol]]:
        """Subscriptions that the exchange accepted and of which nothing has come yet.

        Those of trades are not among them: there may be none for long.
        """

    def tickers(self, symbol: Symbol) -> int:
        """How many tickers of this symbol have come."""

    def renew(self, channel: Channel, symbol: Symbol, received_us: Micros) -> list[Output]:
        """Take a subscription back and ask for it anew, because nothing comes, or nothing any more."""

    def pending(self) -> list[tuple[Channel, Symbol]]:
        """What was asked for and is neither acknowledged, refused nor implied by data yet."""
