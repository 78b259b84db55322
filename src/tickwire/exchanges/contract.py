"""The interface of exchange modules and their adapters.

An exchange is one module in this package. It has four public names, read by :mod:`tickwire.exchanges`, and may have the
last two:

``EXCHANGE`` an :class:`Exchange`: addresses and every limit of that exchange, in one table. ``Adapter`` a class that
follows :class:`AdapterContract`; synchronous and pure, one object a connection, no clock, no socket.
``read_listing(body)`` one body of ``EXCHANGE.listing_paths`` → :class:`~tickwire.exchanges.symbols.Listing`; raises
:exc:`~tickwire.errors.FrameRejected` when the body is not what the exchange documents. ``derive(symbol)`` derives a
:class:`Symbol` from the user's text when the listing cannot be fetched. If only the listing tells the contract size, it
raises :exc:`~tickwire.errors.UnknownContractSize`. ``listings()`` for listings that need more than one GET request a
part: a list of :data:`Reading`, one for each part. See :func:`tickwire.exchanges.listings`. ``address(url)`` a
:data:`Reading` of the address to connect to in place of *url*, if the exchange gives it out over REST first. See
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

# What msgspec raises for invalid JSON, JSON of another shape, invalid UTF-8, and deep nesting.
UNREADABLE = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
MAX_TEXT = 200  # characters of foreign text that are shown


class Symbol(Struct, frozen=True):
    """A tradable symbol: its canonical name (``BTC-USDT``) and the exchange's (``BTCUSDT``).

    A derivative's canonical name ends with ``-PERP``, with the day of its expiry, ``-YYMMDD``, or for an option with
    ``-YYMMDD-STRIKE-C`` or ``-P``, the strike written as by the exchange. *contract_size* is the size of one contract
    as decimal text: in units of the base, or of the quote if the contract is inverse, that is, settled in its base.
    """

    canonical: str
    native: str
    kind: Kind = "spot"
    settlement: str | None = None  # the asset in which the contract is settled; None for spot
    contract_size: str = "1"


class Limit(Struct, frozen=True):
    """Requests of one *group* may weigh *weight* together within any *seconds*."""

    weight: int
    seconds: float
    group: str = ""


class Request(Struct, frozen=True):
    """A REST request that belongs to no book: for a part of the listing, or an address."""

    path: str  # with its query
    body: bytes | None = None  # JSON to POST; None: a GET
    weight: int = 1
    group: str = ""  # of the limits that apply to it
    share: float = 1.0  # of the limits that may be spent, so that room is left for other requests


T = TypeVar("T")
Reading: TypeAlias = Generator[Request, bytes, T]
"""A generator that yields requests one after another, is sent the body of each, and returns its result.

It may raise :exc:`~tickwire.errors.FrameRejected` for a body that is not as documented.
"""


class ConnectionPlan(Struct, frozen=True):
    """One connection: its address, symbols and channels."""

    url: str
    symbols: tuple[Symbol, ...]
    channels: tuple[Channel, ...]


class Exchange(Struct, frozen=True, kw_only=True):
    """Addresses and limits of one exchange. Each limit names its source beside the value."""

    name: str
    ws_url: str  # of the stream, with its path
    ws_urls: Mapping[Channel, str] = {}  # of channels at other addresses
    headers: Mapping[str, str] = {}  # of the WebSocket's handshake
    frames: Frames = "text"  # the kind that carries data; frames of the other kind are counted and skipped
    time_mark: bytes | None = None  # placeholder in our messages for the Unix seconds at which they are sent
    rest_url: str  # scheme and host of the REST interface
    listing_paths: tuple[str, ...]  # all of them make up the listing
    listing_weight: int = 1  # weight of fetching one of them
    channels: tuple[Channel, ...] = ("ticker", "orderbook", "trade")
    trades_numbered: bool = False  # ids of a symbol's trades are consecutive integers
    symbols_per_connection: int
    message_interval_s: float  # least time between two messages that we send on one connection
    connect_interval_s: float  # least time between two connection attempts
    max_connection_s: float | None = None  # the exchange closes older connections; we replace them earlier
    rest_limits: tuple[Limit, ...] = ()
    # Silence after which we ping; None: the exchange sends frames by itself more often than `silence_s`, and we do not
    # ping, because a stalled server may still answer pings.
    ping_interval_s: float | None
    keepalive_s: float | None = None  # ping at this interval regardless of frames; None: only after `ping_interval_s`
    silence_s: float  # silence after which the connection counts as dead
    subscription_silence_s: float = 600.0  # longest silence of one book; quiet pairs go minutes without a change
    crossed_s: float | None = 5.0  # how long a book may be crossed before it is restarted; None: for ever
    ack_timeout_s: float = 10.0
    max_frame_bytes: int = 4 * 1024 * 1024
    book_depths: Sequence[int]  # offered depths (levels a side that are kept true), ascending
    checks: tuple[Check, ...] = ()  # what reveals missing or wrong messages of a book
    sizes: str = "base"  # unit of published sizes, in a few words

    def offered(self, depth: int) -> int:
        """The least offered depth of at least *depth* levels, or else the greatest."""
        return next((offered for offered in self.book_depths if offered >= depth), self.book_depths[-1])

    def plans(self, symbols: Sequence[Symbol], channels: Sequence[Channel]) -> list[ConnectionPlan]:
        """The connections for *symbols* on *channels*, each to one address and within the exchange's limits."""
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
    delay_s: float = 0.0  # wait before sending; later frames do not wait for it
    urgent: bool = False  # send at once, before queued frames: an answer that the exchange waits for


class Fetch(Struct, frozen=True):
    """Fetch this over REST and pass the body to :meth:`AdapterContract.fetched`.

    A later ``Fetch`` of the same symbol replaces one without an answer; if both are the same request, one answer serves
    the later one.
    """

    symbol: Symbol
    path: str  # with its query
    weight: int
    delay_s: float = 0.0  # wait before the request; 0: as soon as the limits allow
    why: str = ""  # what was wrong with the previous answer
    group: str = ""  # of the limits that apply to it
    share: float = 1.0  # as in `Request`
    levels: int | None = None  # requested levels a side; None: all


class Resync(Struct, frozen=True):
    """Call :meth:`AdapterContract.resync` for this book: now, or later if that happens often."""

    symbol: Symbol
    reason: str


class Subscribed(Struct, frozen=True):
    """The exchange accepted the subscription of this symbol on this channel."""

    channel: Channel
    symbol: Symbol


class Refused(Struct, frozen=True):
    """The exchange refused the subscription of this symbol on this channel."""

    channel: Channel
    symbol: Symbol
    answer: str


class Reconnect(Struct, frozen=True):
    """The exchange asked us to replace this connection."""

    why: str


def malformed(what: str, why: object) -> FrameRejected:
    """The error for a frame or body that is not as documented."""
    return FrameRejected("malformed", f"{what}: {why}"[:MAX_TEXT])


def unexpected(payload: bytes) -> FrameRejected:
    """The error for a frame that is none of those that the exchange documents."""
    return FrameRejected("unknown", f"a message {payload[:MAX_TEXT]!r}")


def decoded(what: str, decode: Callable[[bytes | Raw], T], body: bytes | Raw) -> T:
    """Decode a body. Raises :exc:`~tickwire.errors.FrameRejected`."""
    try:
        return decode(body)
    except UNREADABLE as e:
        raise malformed(what, e) from None


Output: TypeAlias = Ticker | OrderBook | Trade | Send | Fetch | Resync | Subscribed | Refused | Reconnect


class AdapterContract(Protocol):
    """Translates one connection's messages. A new connection gets a new adapter; nothing is ever reset.

    Trades from before the subscription, which some exchanges repeat, are left out. Gaps between ids are noticed by the
    feed, if ``EXCHANGE.trades_numbered``.

    Order-book messages have ``epoch`` and ``book_seq`` 0; the feed's sequencer stamps them. A snapshot has the reason
    ``initial`` if it is the first of this connection, and ``resync`` after an ``invalid`` or if the exchange sent a new
    one unasked. Before the first snapshot, and between an ``invalid`` and the next snapshot, there are no deltas.
    """

    def __init__(self, symbols: Sequence[Symbol], channels: Sequence[Channel], depth: int) -> None:
        """Read *symbols* on *channels*; *depth* is the number of book levels a side that must be true.

        It is one of ``EXCHANGE.book_depths`` and is written into every book message; a smaller number if the first
        snapshot of the book does not reach so far.
        """

    spoken: Sequence[Channel]
    """Those of the channels that can fall silent by themselves: what is read off a book that leaves too cannot."""

    def bound(self, levels: int) -> None:
        """Keep at most *levels* a side of each book, but at least twice the depth."""

    def start(self) -> list[Output]:
        """What to send once the connection is open, in order."""

    def add(self, symbols: Sequence[Symbol]) -> list[Output]:
        """Read these too, as if they had been there from the start; before :meth:`start` nothing is sent."""

    def remove(self, symbols: Sequence[Symbol]) -> list[Output]:
        """Stop reading these. Their late messages give no output, or raise :exc:`~tickwire.errors.NotWanted`."""

    def receive(self, payload: bytes, received_us: Micros) -> list[Output]:
        """Translate one frame of the kinds in ``EXCHANGE.frames``.

        Raises :exc:`~tickwire.errors.FrameRejected` and stays usable.
        """

    def asking(self, fetch: Fetch) -> None:
        """Note that the request is sent now: its answer is from some time after this."""

    def fetched(self, fetch: Fetch, body: bytes, received_us: Micros) -> list[Output]:
        """Translate a fetched body. Raises :exc:`~tickwire.errors.FrameRejected`; the feed then fetches again."""

    def restart(self, symbol: Symbol, reason: str, received_us: Micros) -> list[Output]:
        """Give up this symbol's book: an ``invalid`` with *reason* if it was valid, and a :class:`Resync`.

        Called for a book that fell silent (``stale``), which is subscribed again, whose sides crossed (``crossed``), or
        whose records could not be stored (``overflow``) or move to another partition (``moved``). The adapter does the
        same itself for a ``gap`` or a wrong ``checksum``.
        """

    def resync(self, symbol: Symbol) -> list[Output]:
        """Request a new start of this symbol's book; nothing if it has started by itself."""

    def stop(self) -> list[Output]:
        """Unsubscribe everything: what to send before the connection is closed."""

    def ping(self) -> bytes | None:
        """The exchange's own ping as a text frame; None if it uses the WebSocket's.

        A ping from the exchange is an ordinary frame: :meth:`receive` answers it with an urgent :class:`Send`.
        """

    def book(self, symbol: Symbol) -> Book | None:
        """The current book, or None while it is not valid."""

    def retry(self) -> list[Output]:
        """Request everything that is :meth:`pending` again."""

    def unheard(self) -> list[tuple[Channel, Symbol]]:
        """Accepted subscriptions without any message so far.

        Without those of trades, which may be rare.
        """

    def tickers(self, symbol: Symbol) -> int:
        """How many tickers of this symbol were received."""

    def renew(self, channel: Channel, symbol: Symbol, received_us: Micros) -> list[Output]:
        """Unsubscribe and subscribe again, because no messages come, or no more."""

    def pending(self) -> list[tuple[Channel, Symbol]]:
        """Subscriptions that are neither accepted nor refused nor confirmed by data."""
