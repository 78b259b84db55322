"""Kraken WebSocket v2: ``ticker`` (best bid and offer) and ``book``.

Channels: https://docs.kraken.com/api/docs/websocket-v2/ticker and https://docs.kraken.com/api/docs/websocket-v2/book
Keeping the book, checksum: https://docs.kraken.com/api/docs/guides/spot-ws-book-v2
Listing: https://docs.kraken.com/api/docs/rest-api/get-tradable-asset-pairs
"""

import zlib
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from functools import lru_cache
from typing import Annotated, Any

import msgspec
from msgspec import Meta, Struct

from tickwire.errors import FrameRejected
from tickwire.events.book import Book, in_order, is_zero, price_key
from tickwire.events.types import Action, Level, Micros, OrderBook, Ticker
from tickwire.exchanges import contract
from tickwire.exchanges.contract import Channel, Fetch, Output, Refused, Send, Subscribed, Symbol, malformed
from tickwire.exchanges.symbols import Listing, split_name

EXCHANGE = contract.Exchange(
    name="kraken",
    ws_url="wss://ws.kraken.com/v2",
    rest_url="https://api.kraken.com",
    listing_path="/0/public/AssetPairs",
    listing_weight=1,
    channels=("ticker", "orderbook"),
    symbols_per_connection=200,  # no limit is documented
    message_interval_s=0.2,  # "Exceeded msg rate" exists, its number is not documented
    connect_interval_s=1.0,  # about 150 attempts in 10 minutes from one address; the back-off keeps below
    max_connection_s=None,
    rest_weight_per_minute=None,
    ping_interval_s=10.0,  # heartbeats come every second when nothing else does
    silence_s=30.0,
    subscription_silence_s=600.0,  # a quiet pair can go minutes without a change
    ack_timeout_s=10.0,
    max_frame_bytes=4 * 1024 * 1024,
)

_DEPTHS = (10, 25, 100, 500, 1000)
_CHECKED_LEVELS = 10
_SYMBOLS_PER_MESSAGE = 50
_NAMES: dict[Channel, str] = {"ticker": "ticker", "orderbook": "book"}  # ours, Kraken's
_CHANNELS: dict[str | None, Channel] = {"ticker": "ticker", "book": "orderbook"}
_OLD_ASSETS = {"XBT": "BTC", "XDG": "DOGE"}  # names of the REST interface, names of the WebSocket v2
_REST_ASSETS_KNOWN = 50_000  # levels whose checksum text is remembered
_PING = b'{"method":"ping"}'


class _Level(Struct, gc=False):
    # Numbers. Those with a point or exponent arrive here as the text of the frame (float_hook), others as int.
    price: Any
    qty: Any


class _Entry(Struct):
    """A book's snapshot or update, or a ticker."""

    symbol: str | None = None
    bids: list[_Level] = []
    asks: list[_Level] = []
    checksum: Annotated[int, Meta(ge=0, lt=2**32)] | None = None
    timestamp: str | None = None
    bid: Any = None
    bid_qty: Any = None
    ask: Any = None
    ask_qty: Any = None
    last: Any = None


class _Result(Struct):
    channel: str | None = None
    symbol: str | None = None
    depth: int | None = None


class _Frame(Struct):
    """Data of a channel, or an answer to a request."""

    channel: str | None = None
    type: str | None = None
    data: list[_Entry] = []
    method: str | None = None
    result: _Result | None = None
    success: bool | None = None
    error: str | None = None
    symbol: str | None = None
    req_id: int | None = None


class _Pair(Struct):
    wsname: str | None = None


class _AssetPairs(Struct):
    error: list[str]
    result: dict[str, _Pair] = {}


_decode = msgspec.json.Decoder(_Frame, float_hook=str).decode
_decode_listing = msgspec.json.Decoder(_AssetPairs).decode


def read_listing(body: bytes) -> Listing:
    """Read ``/0/public/AssetPairs``. Raises :exc:`~tickwire.errors.FrameRejected`."""
    try:
        pairs = _decode_listing(body)
    except contract.UNREADABLE as e:
        raise malformed("AssetPairs", e) from None
    if pairs.error:
        raise malformed("AssetPairs", f"the exchange answered {pairs.error!r}")
    names = (pair.wsname.partition("/") for pair in pairs.result.values() if pair.wsname)
    return Listing(_symbol(base, quote) for base, slash, quote in names if slash)


def derive(symbol: str) -> Symbol:
    """Name a symbol by rule. Raises :exc:`~tickwire.errors.UnknownSymbol`."""
    return _symbol(*split_name(symbol, EXCHANGE.name))


def _symbol(base: str, quote: str) -> Symbol:
    base, quote = _OLD_ASSETS.get(base, base), _OLD_ASSETS.get(quote, quote)
    return Symbol(f"{base}-{quote}", f"{base}/{quote}")


class _State:
    """One symbol's order book on this connection."""

    def __init__(self, symbol: Symbol, depth: int) -> None:
        self.symbol = symbol
        self.canonical, self.native = symbol.canonical, symbol.native
        self.depth = depth
        self.book: Book | None = None  # None while its snapshot is awaited
        self.suspect = False  # a frame that may have changed the book could not be read
        self.restarting = False  # subscribed again, and the snapshot not there yet
        self.started = False

    def message(self, action: Action, bids: list[Level], asks: list[Level], received_us: Micros) -> OrderBook:
        return OrderBook(
            action=action,
            exchange="kraken",
            symbol=self.canonical,
            exchange_symbol=self.native,
            depth=self.depth,
            bids=bids,
            asks=asks,
            received_us=received_us,
        )


class Adapter:
    """One connection to the public endpoint. See :class:`~tickwire.exchanges.contract.AdapterContract`."""

    def __init__(self, symbols: Sequence[Symbol], channels: Sequence[Channel], depth: int) -> None:
        self._depth = next((offered for offered in _DEPTHS if offered >= depth), _DEPTHS[-1])
        self._symbols = tuple(symbols)
        self._channels = tuple(channels)
        self._tickers: dict[str | None, Symbol] = {}
        self._books: dict[str | None, _State] = {}
        if "ticker" in channels:
            self._tickers = {symbol.native: symbol for symbol in symbols}
        if "orderbook" in channels:
            self._books = {symbol.native: _State(symbol, self._depth) for symbol in symbols}
        self._pending: dict[tuple[Channel, str | None], Symbol] = {(c, s.native): s for c in channels for s in symbols}
        self._asked: dict[int | None, tuple[Channel, Sequence[str]]] = {}  # by the number of the request
        self._number = 0
        self._tokens = _Tokens()

    def start(self) -> list[Output]:
        """Subscribe every channel."""
        return [send for c in self._channels for send in self._request("subscribe", c, self._symbols)]

    def receive(self, payload: bytes, received_us: Micros) -> list[Output]:
        """Translate one frame. Raises :exc:`~tickwire.errors.FrameRejected`."""
        try:
            frame = _decode(payload)
            channel = frame.channel
            if channel == "book":
                return self._book_data(frame, received_us)
            if channel == "ticker":
                return self._ticker_data(frame, received_us)
        except (*contract.UNREADABLE, ValueError) as e:
            raise self._unreadable(payload, e) from None
        if channel in {"heartbeat", "status"} or frame.method == "pong":
            return []
        if frame.method in {"subscribe", "unsubscribe"}:
            return self._answered(frame)
        raise FrameRejected("unknown", f"a message {payload[: contract.MAX_TEXT]!r}")

    def fetched(self, fetch: Fetch, body: bytes, received_us: Micros) -> list[Output]:  # noqa: ARG002 - the contract's
        """Never needed: snapshots come over the socket."""
        return []

    def restart(self, symbol: Symbol, reason: str, received_us: Micros) -> list[Output]:
        """Declare the book invalid and subscribe it again."""
        state = self._books.get(symbol.native)
        return [] if state is None else self._restart(state, reason, received_us)

    def stop(self) -> list[Output]:
        """Unsubscribe every channel."""
        return [send for c in self._channels for send in self._request("unsubscribe", c, self._symbols)]

    def ping(self) -> bytes | None:
        """Kraken's own ping."""
        return _PING

    def book(self, symbol: Symbol) -> Book | None:
        """The book, None before its snapshot and after a frame that could not be read."""
        state = self._books.get(symbol.native)
        return None if state is None or state.suspect else state.book

    def pending(self) -> list[tuple[Channel, Symbol]]:
        """What waits for an answer, and the books that were subscribed again and wait for their snapshot."""
        waiting = [(channel, symbol) for (channel, _), symbol in self._pending.items()]
        restarting = [state.symbol for state in self._books.values() if state.restarting]
        return waiting + [("orderbook", symbol) for symbol in restarting if ("orderbook", symbol) not in waiting]
