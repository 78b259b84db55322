"""Kraken WebSocket v2: ``ticker`` (best bid and offer), ``book`` and ``trade``.

Channels: https://docs.kraken.com/api/docs/websocket-v2/ticker, https://docs.kraken.com/api/docs/websocket-v2/book
and https://docs.kraken.com/api/docs/websocket-v2/trade
Keeping the book, checksum: https://docs.kraken.com/api/docs/guides/spot-ws-book-v2
Listing: https://docs.kraken.com/api/docs/rest-api/get-tradable-asset-pairs
"""

import zlib
from collections.abc import Sequence
from typing import Annotated, Any

import msgspec
from msgspec import Meta, Raw, Struct

from tickwire.errors import FrameRejected
from tickwire.events.book import Book, price_key
from tickwire.events.decimals import decimal_text
from tickwire.events.short_way import Digest, ShortWay
from tickwire.events.types import Micros, TakerSide, Ticker
from tickwire.exchanges import contract
from tickwire.exchanges.contract import (
    Channel,
    Fetch,
    Output,
    Refused,
    Resync,
    Send,
    Subscribed,
    Symbol,
    malformed,
)
from tickwire.exchanges.kit.trades import make_trade
from tickwire.exchanges.messages import BookMessages, json_prefix
from tickwire.exchanges.numbers import best, micros
from tickwire.exchanges.symbols import Listing, split_name

EXCHANGE = contract.Exchange(
    name="kraken",
    ws_url="wss://ws.kraken.com/v2",
    rest_url="https://api.kraken.com",
    # Without a class it gives currencies alone.
    listing_paths=("/0/public/AssetPairs", "/0/public/AssetPairs?aclass_base=tokenized_asset"),
    listing_weight=1,
    channels=("ticker", "orderbook", "trade"),
    trades_numbered=True,  # "a sequence number, unique per book"
    symbols_per_connection=200,  # no limit is documented
    message_interval_s=0.2,  # "Exceeded msg rate" exists, its number is not documented
    connect_interval_s=1.0,  # about 150 attempts in 10 minutes from one address; the back-off keeps below
    max_connection_s=None,
    ping_interval_s=10.0,  # heartbeats come every second when nothing else does
    silence_s=30.0,
    subscription_silence_s=600.0,  # a quiet pair can go minutes without a change
    crossed_s=5.0,  # the checksum is of the exchange's book, crossed or not
    ack_timeout_s=10.0,
    max_frame_bytes=4 * 1024 * 1024,
    book_depths=(10, 25, 100, 500, 1000),
    checks=("checksum",),
)

_CHECKED_LEVELS = 10
_SYMBOLS_PER_MESSAGE = 50
_NAMES: dict[Channel, str] = {"ticker": "ticker", "orderbook": "book", "trade": "trade"}  # ours, Kraken's
_CHANNELS: dict[str | None, Channel] = {"ticker": "ticker", "book": "orderbook", "trade": "trade"}
_TRADING = frozenset({"online", "limit_only", "post_only", "reduce_only"})
_OLD_ASSETS = {"XBT": "BTC", "XDG": "DOGE"}  # names of the REST interface, names of the WebSocket v2
_QUOTES = (
    "USD",
    "USDT",
    "USDC",
    "EUR",
    "GBP",
    "CAD",
    "AUD",
    "CHF",
    "JPY",
    "DAI",
    "BTC",
    "XBT",
    "ETH",
)  # no TUSD: DOTUSD
_LEVEL = ("price", "qty")  # a level's fields
_NO_LEVELS = Raw(b"[]")
# As the exchange writes them; see ShortWay. Frames of any other shape are read all the same, only slower.
_TICKER_SHAPE = (
    b'{"channel":"ticker","type":"~","data":[{"symbol":"$","bid":%,"bid_qty":%,"ask":%,"ask_qty":%,"last":%,'
    b'"volume":*,"vwap":*,"low":*,"high":*,"change":*,"change_pct":*+(,"timestamp":"^")+}]}'
)
_BOOK_SHAPE = (
    b'{"channel":"book","type":"update","data":[{"symbol":"$","bids":=,"asks":=,"checksum":#,"timestamp":"^"+}]}'
)
_PING = b'{"method":"ping"}'


class _Entry(Struct):
    """A book's snapshot or update, or a ticker."""

    symbol: str | None = None
    bids: Raw = _NO_LEVELS
    asks: Raw = _NO_LEVELS
    checksum: Annotated[int, Meta(ge=0, lt=2**32)] | None = None
    timestamp: str | None = None
    # Numbers. Those with a point or exponent arrive here as the text of the frame (float_hook), others as int.
    bid: Any = None
    bid_qty: Any = None
    ask: Any = None
    ask_qty: Any = None
    last: Any = None
    price: Any = None
    qty: Any = None
    side: TakerSide | None = None
    trade_id: int | None = None


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
    wsname: str | None = None  # as WebSocket v1 spells it
    altname: str | None = None
    status: str = "online"


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
    symbols: list[Symbol] = []
    spellings: dict[str, Symbol] = {}
    resting: dict[str, str] = {}
    for name, pair in pairs.result.items():
        base, slash, quote = (pair.wsname or "").partition("/")
        if slash:
            symbol = _symbol(base, quote)
            symbols.append(symbol)
            spellings |= {spelling: symbol for spelling in (name, pair.altname, pair.wsname) if spelling}
            if pair.status not in _TRADING:
                resting[symbol.native] = pair.status
    return Listing(symbols, spellings, resting)


def derive(symbol: str) -> Symbol:
    """Name a symbol by rule. Raises :exc:`~tickwire.errors.UnclearSymbol`."""
    return _symbol(*split_name(symbol, EXCHANGE.name, _QUOTES))


def _symbol(base: str, quote: str) -> Symbol:
    base, quote = _OLD_ASSETS.get(base, base), _OLD_ASSETS.get(quote, quote)
    return Symbol(f"{base}-{quote}", f"{base}/{quote}")


class _State:
    """One symbol's order book on this connection."""

    def __init__(self, symbol: Symbol, depth: int) -> None:
        self.symbol = symbol
        self.native = symbol.native
        self.messages = BookMessages(EXCHANGE.name, symbol, depth)
        self.book: Book | None = None  # None while its snapshot is awaited
        self.suspect = False  # a frame that may have changed the book could not be read
        self.restarting = False  # subscribed again, and the snapshot not there yet
        self.short = False  # its updates take the short way


class Adapter:
    """One connection to the public endpoint. See :class:`~tickwire.exchanges.contract.AdapterContract`."""

    def __init__(self, symbols: Sequence[Symbol], channels: Sequence[Channel], depth: int) -> None:
        self._depth = EXCHANGE.offered(depth)
        self._symbols = tuple(symbols)
        self._channels = tuple(channels)
        self._tickers: dict[str | None, Symbol] = {}
        self._books: dict[str | None, _State] = {}
        self._traded: dict[str | None, Symbol] = {s.native: s for s in symbols} if "trade" in channels else {}
        if "ticker" in channels:
            self._tickers = {symbol.native: symbol for symbol in symbols}
        if "orderbook" in channels:
            self._books = {symbol.native: _State(symbol, self._depth) for symbol in symbols}
        self.short_way = ShortWay(_TICKER_SHAPE, _BOOK_SHAPE)  # for symbols that were heard of
        self._short_tickers: set[str] = set()
        self._pending: dict[tuple[Channel, str | None], Symbol] = {(c, s.native): s for c in channels for s in symbols}
        self._asked: dict[int | None, tuple[Channel, Sequence[str]]] = {}  # by the number of the request
        self._number = 0

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
            if channel == "trade":  # a snapshot has trades from before
                updates = frame.data if frame.type == "update" else []
                return [output for entry in updates for output in self._trade_data(entry, received_us)]
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
        """Declare the book invalid; its updates are ignored until it is subscribed again."""
        state = self._books.get(symbol.native)
        return [] if state is None else self._restart(state, reason, received_us)

    def resync(self, symbol: Symbol) -> list[Output]:
        """Subscribe again; both requests at once, because Kraken answers in order and old updates are ignored."""
        state = self._books.get(symbol.native)
        if state is None or state.book is not None:
            return []
        state.restarting = True
        return self._resubscribe(state)

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

    def retry(self) -> list[Output]:
        """Subscribe once more what was not answered, and the books whose snapshot did not come."""
        out: list[Output] = []
        for c in self._channels:
            out += self._request("subscribe", c, [symbol for (asked, _), symbol in self._pending.items() if asked == c])
        return out + [send for state in self._books.values() if state.restarting for send in self._resubscribe(state)]

    def pending(self) -> list[tuple[Channel, Symbol]]:
        """What waits for an answer, and the books that were subscribed again and wait for their snapshot."""
        waiting = [(channel, symbol) for (channel, _), symbol in self._pending.items()]
        restarting = [state.symbol for state in self._books.values() if state.restarting]
        return waiting + [("orderbook", symbol) for symbol in restarting if ("orderbook", symbol) not in waiting]

    def _ticker_data(self, frame: _Frame, received_us: Micros) -> list[Output]:
        entry = _only(frame.data)
        symbol = self._tickers.get(entry.symbol)
        if symbol is None:
            raise FrameRejected("unknown", f"a ticker of {entry.symbol!r:.100}, which was not asked for")
        bid, bid_size = best(entry.bid, entry.bid_qty)
        ask, ask_size = best(entry.ask, entry.ask_qty)
        last = None
        if entry.last is not None:
            last = decimal_text(entry.last)
            price_key(last)
        ticker = Ticker(
            exchange="kraken",
            symbol=symbol.canonical,
            exchange_symbol=symbol.native,
            bid=bid,
            bid_size=bid_size,
            ask=ask,
            ask_size=ask_size,
            last=last,
            exchange_us=micros(entry.timestamp) if entry.timestamp is not None else None,
            received_us=received_us,
        )
        if symbol.native in self._short_tickers:
            return [ticker]
        self._short_tickers.add(symbol.native)
        self.short_way.ticker(symbol.native, symbol.canonical, json_prefix("bid", ticker))
        return [*self._acknowledge("ticker", symbol.native), ticker]

    def _trade_data(self, entry: _Entry, received_us: Micros) -> list[Output]:
        symbol = self._traded.get(entry.symbol)
        if symbol is None:
            raise FrameRejected("unknown", f"a trade of {entry.symbol!r:.100}, which was not asked for")
        if entry.side is None:
            raise ValueError("a trade without a side")
        numbers = str(entry.trade_id), decimal_text(entry.price), decimal_text(entry.qty)
        time_us = micros(entry.timestamp) if entry.timestamp is not None else None
        trade = make_trade(EXCHANGE, symbol, *numbers, entry.side, received_us, time_us)
        return [*self._acknowledge("trade", symbol.native), trade]

    def _book_data(self, frame: _Frame, received_us: Micros) -> list[Output]:
        entry = _only(frame.data)
        state = self._books.get(entry.symbol)
        if state is None:
            raise FrameRejected("unknown", f"a book of {entry.symbol!r:.100}, which was not asked for")
        try:
            if frame.type == "update":
                out = self._update(state, entry, received_us)
            elif frame.type == "snapshot":
                out = self._snapshot(state, entry, received_us)
            else:
                raise ValueError(f"a book message of the type {frame.type!r:.100}")  # noqa: TRY301 - as below
        except ValueError:
            self._doubt(state)
            raise
        return self._acknowledge("orderbook", state.native) + out if self._pending else out

    def _snapshot(self, state: _State, entry: _Entry, received_us: Micros) -> list[Output]:
        exchange_us = micros(entry.timestamp) if entry.timestamp is not None else None
        book = Book(entry.bids, entry.asks, _LEVEL)
        book.truncate(state.messages.depth)
        state.suspect = False
        self._leave(state)
        if _checksum(book) != entry.checksum:
            return self._restart(state, "checksum", received_us)
        state.book, state.restarting = book, False
        return [state.messages.snapshot(book, None, exchange_us, received_us)]

    def _update(self, state: _State, entry: _Entry, received_us: Micros) -> list[Output]:
        if state.suspect:
            return self._restart(state, "gap", received_us)
        book = state.book
        if book is None:
            return []  # from before the unsubscription; the snapshot awaited holds it
        exchange_us = micros(entry.timestamp) if entry.timestamp is not None else None
        # "Process all price level updates in a message before calculating the checksum", zero removes.
        # "After each update, truncate your book to the subscribed depth": no update says which levels leave, we do.
        # A level that was added and cut at once stands as a removal, which is harmless where it is not there.
        bids, asks = book.apply(entry.bids, entry.asks, state.messages.depth)
        if _checksum(book) != entry.checksum:
            return self._restart(state, "checksum", received_us)
        delta = state.messages.delta(bids, asks, None, exchange_us, received_us)
        if not state.short:
            state.short = True
            native, canonical, before = state.native, state.symbol.canonical, json_prefix("bids", delta)
            of_book = book.bids, book.asks, state.messages.depth, Digest(_CHECKED_LEVELS, asks_first=True)
            self.short_way.follow_checked(native, canonical, before, *of_book)
        return [delta]

    def _leave(self, state: _State) -> None:
        """Read the book's updates here again."""
        state.short = False
        self.short_way.leave(state.native)

    def _doubt(self, state: _State) -> None:
        state.suspect = True
        self._leave(state)

    def _restart(self, state: _State, reason: str, received_us: Micros) -> list[Output]:
        out: list[Output] = []
        if state.book is not None:
            out.append(state.messages.invalid(reason, None, received_us))
        state.book, state.suspect, state.restarting = None, False, False
        self._leave(state)
        return [*out, Resync(state.symbol, reason)]

    def _resubscribe(self, state: _State) -> list[Output]:
        return [Send(self._payload(method, "orderbook", [state.symbol])) for method in ("unsubscribe", "subscribe")]

    def _request(self, method: str, channel: Channel, symbols: Sequence[Symbol]) -> list[Output]:
        out: list[Output] = []
        for i in range(0, len(symbols), _SYMBOLS_PER_MESSAGE):
            batch = symbols[i : i + _SYMBOLS_PER_MESSAGE]
            self._number += 1
            self._asked[self._number] = (channel, [symbol.native for symbol in batch])
            out.append(Send(self._payload(method, channel, batch, req_id=self._number)))
        return out

    def _payload(self, method: str, channel: Channel, symbols: Sequence[Symbol], **number: int) -> bytes:
        params: dict[str, object] = {"channel": _NAMES[channel], "symbol": [symbol.native for symbol in symbols]}
        if channel == "orderbook":
            params["depth"] = self._depth
        elif channel == "ticker":
            params["event_trigger"] = "bbo"
        else:
            params["snapshot"] = False
        return msgspec.json.encode({"method": method, "params": params, **number})

    def _answered(self, frame: _Frame) -> list[Output]:
        """Take the answer for one symbol, known by channel and symbol; the number helps where they are missing."""
        result = frame.result or _Result()
        native = result.symbol or frame.symbol
        asked_channel, asked_symbols = self._asked.get(frame.req_id, (None, ()))
        channel = _CHANNELS.get(result.channel, asked_channel)
        if frame.method == "unsubscribe":
            return []
        error = None if frame.success else (frame.error or "no reason")[: contract.MAX_TEXT]
        if error is None or "already subscribed" in error.lower():
            state = self._books.get(native)
            if state and channel == "orderbook" and result.depth and result.depth in EXCHANGE.book_depths:
                state.messages.depth = result.depth  # what the exchange says counts, not what we asked for
                self._leave(state)
            return [] if channel is None else self._acknowledge(channel, native)
        if "msg rate" in error.lower():
            # Neither refused nor accepted: it stays pending, and the connection's deadline asks again, later.
            raise FrameRejected("unknown", f"too many messages: {error!r}")
        channels = self._channels if channel is None else (channel,)
        names = asked_symbols if native is None else (native,)
        out = [refused for c in channels for name in names for refused in self._refuse(c, name, error)]
        if not out:
            raise FrameRejected("unknown", f"an error that answers no subscription: {error!r}")
        return out

    def _acknowledge(self, channel: Channel, native: str | None) -> list[Output]:
        symbol = self._pending.pop((channel, native), None)
        return [] if symbol is None else [Subscribed(channel, symbol)]

    def _refuse(self, channel: Channel, native: str, error: str) -> list[Output]:
        symbol = self._pending.pop((channel, native), None)
        state = self._books.get(native) if channel == "orderbook" else None
        if state is not None and state.restarting:
            symbol, state.restarting = state.symbol, False
        return [] if symbol is None else [Refused(channel, symbol, error)]

    def _unreadable(self, payload: bytes, error: Exception) -> FrameRejected:
        """Tell a message of another kind from a broken one, which may have been an update of a book that it names."""
        try:
            content: Any = msgspec.json.decode(payload)
        except contract.UNREADABLE:
            content = None
        channel = content.get("channel") if isinstance(content, dict) else None
        if isinstance(channel, str) and channel not in {"book", "ticker", "trade", "status", "heartbeat"}:
            return FrameRejected("unknown", f"a message of the channel {channel!r:.100}")
        # The checksum covers ten levels: deeper down a lost update would go unnoticed.
        if b'"book"' in payload:
            for state in self._books.values():
                if f'"{state.native}"'.encode() in payload:  # with its quotes: BTC/USD is a part of BTC/USDT
                    self._doubt(state)
        return malformed("frame", error)


def _checksum(book: Book) -> int:
    """CRC32 over the ten best asks, then bids: price and quantity without point and leading zeros."""
    return zlib.crc32(book.bids.digits(_CHECKED_LEVELS), zlib.crc32(book.asks.digits(_CHECKED_LEVELS)))


def _only(data: list[_Entry]) -> _Entry:
    """Every documented message has one entry; a second one would be half lost if it could not be read."""
    if len(data) != 1:
        raise ValueError(f"expected one entry in data, found {len(data)}")
    return data[0]
