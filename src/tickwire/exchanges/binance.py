"""Binance spot: ``bookTicker`` and ``depth@100ms``.

Streams and the order book's procedure: https://developers.binance.com/docs/binance-spot-api-docs/web-socket-streams
Snapshot, listing and their weights: https://developers.binance.com/docs/binance-spot-api-docs/rest-api/market-data-endpoints
"""

from collections import deque
from collections.abc import Sequence
from typing import Annotated, Literal
from urllib.parse import quote

import msgspec
from msgspec import Meta, Raw, Struct, field

from tickwire.errors import FrameRejected
from tickwire.events.book import Book, is_zero, price_key
from tickwire.events.numbers import UpdateId
from tickwire.events.short_way import MS, NEXT, ShortWay
from tickwire.events.types import Micros, Ticker
from tickwire.exchanges import contract
from tickwire.exchanges.contract import (
    Channel,
    Fetch,
    Output,
    Reconnect,
    Refused,
    Resync,
    Send,
    Subscribed,
    Symbol,
    malformed,
)
from tickwire.exchanges.messages import BookMessages, json_prefix
from tickwire.exchanges.symbols import Listing, split_name

EXCHANGE = contract.Exchange(
    name="binance",
    ws_url="wss://stream.binance.com:9443/stream",
    rest_url="https://api.binance.com",
    listing_paths=("/api/v3/exchangeInfo",),
    listing_weight=20,
    channels=("ticker", "orderbook"),
    symbols_per_connection=400,  # 1024 streams a connection, up to two a symbol, room left
    message_interval_s=0.3,  # 5 messages a second, pings and pongs among them
    connect_interval_s=1.0,  # 300 attempts in 5 minutes from one address
    max_connection_s=23.5 * 3600,  # closed by the exchange after 24 hours
    rest_limits=(contract.Limit(6000, 60.0),),
    ping_interval_s=30.0,  # the exchange pings every 20 s, so this is already late
    silence_s=60.0,
    subscription_silence_s=600.0,  # a quiet pair can go minutes without a change
    crossed_s=5.0,  # the sequence shows what was lost, not what was wrong in a snapshot or in the book here
    ack_timeout_s=10.0,
    max_frame_bytes=4 * 1024 * 1024,
    book_depths=range(1, 5001),
    checks=("sequence",),
)

_SNAPSHOT_WEIGHTS = {1000: 50, 5000: 250}  # up to this limit: this weight; fewer than 1000 levels rot soon
_STREAMS_PER_MESSAGE = 200
_BUFFERED_EVENTS = 3000  # a symbol, while its snapshot is on its way: five minutes at ten events a second
_QUIET_DELAY_S = 2.0  # after an acknowledgement, when no event has asked for the snapshot
_STALE_DELAYS_S = (0.25, 0.5, 1.0, 2.0, 4.0, 8.0)  # before asking again for a snapshot that was too old
_TOO_OLD = "the snapshot was older than the first event kept"
_NO_DATA = Raw(b"null")
_TICKER_MARK = b'@bookTicker"'
# As the exchange writes them; see ShortWay. Frames of any other shape are read all the same, only slower.
_TICKER_SHAPE = b'{"stream":"~@bookTicker","data":{"u":#,"s":"$","b":"%","B":"%","a":"%","A":"%"+}}'
_DEPTH_SHAPE = b'{"stream":"~@depth@100ms","data":{"e":"depthUpdate","E":#,"s":"$","U":#,"u":#,"b":=,"a":=+}}'
_BROKEN = -2  # no update id: whatever event follows shows a gap

_Number = Annotated[int, Meta(ge=0, le=2**53)]


class _BookTicker(Struct, gc=False):
    update_id: _Number = field(name="u")
    symbol: str = field(name="s")
    bid: str = field(name="b")
    bid_size: str = field(name="B")
    ask: str = field(name="a")
    ask_size: str = field(name="A")


class _Depth(Struct, gc=False):
    kind: Literal["depthUpdate"] = field(name="e")
    time_ms: _Number = field(name="E")
    symbol: str = field(name="s")
    first: _Number = field(name="U")
    last: _Number = field(name="u")
    bids: Raw = field(name="b")
    asks: Raw = field(name="a")


class _Ticker(Struct, gc=False):
    """The envelope of a combined stream."""

    data: _BookTicker


class _DepthUpdate(Struct, gc=False):
    data: _Depth


class _Error(Struct):
    code: int | None = None
    msg: str | None = None


class _Other(Struct):
    """What else may come: an answer to a request, an announcement, a stream's event without its envelope."""

    kind: str | None = field(name="e", default=None)
    symbol: str | None = field(name="s", default=None)
    data: Raw = _NO_DATA
    id: int | str | None = None
    error: _Error | None = None
    code: int | None = None
    msg: str | None = None


class _Snapshot(Struct):
    last_update_id: _Number = field(name="lastUpdateId")
    bids: Raw
    asks: Raw


class _Listed(Struct):
    symbol: str
    base: str = field(name="baseAsset")
    quote: str = field(name="quoteAsset")
    status: str


class _ExchangeInfo(Struct):
    symbols: list[_Listed]


_decode_ticker = msgspec.json.Decoder(_Ticker).decode
_decode_depth = msgspec.json.Decoder(_DepthUpdate).decode
_decode_other = msgspec.json.Decoder(_Other).decode
_decode_plain_ticker = msgspec.json.Decoder(_BookTicker).decode
_decode_plain_depth = msgspec.json.Decoder(_Depth).decode
_decode_snapshot = msgspec.json.Decoder(_Snapshot).decode
_decode_listing = msgspec.json.Decoder(_ExchangeInfo).decode


def read_listing(body: bytes) -> Listing:
    """Read ``/api/v3/exchangeInfo``, what does not trade now included.

    Raises :exc:`~tickwire.errors.FrameRejected`.
    """
    try:
        listed = _decode_listing(body).symbols
    except contract.UNREADABLE as e:
        raise malformed("exchangeInfo", e) from None
    symbols = [Symbol(f"{s.base}-{s.quote}", s.symbol) for s in listed]
    return Listing(symbols, resting={s.symbol: s.status for s in listed if s.status != "TRADING"})


def derive(symbol: str) -> Symbol:
    """Name a symbol by rule. Raises :exc:`~tickwire.errors.UnclearSymbol`."""
    base, quoted = split_name(symbol.upper(), EXCHANGE.name)
    return Symbol(f"{base}-{quoted}", base + quoted)


class _State(UpdateId):
    """One symbol's order book on this connection."""

    def __init__(self, symbol: Symbol, depth: int, limit: int) -> None:
        super().__init__()
        self.symbol = symbol
        self.stream = f"{symbol.native.lower()}@depth@100ms"
        self.path = f"/api/v3/depth?symbol={quote(symbol.native)}&limit={limit}"
        self.messages = BookMessages(EXCHANGE.name, symbol, depth)
        self.book: Book | None = None  # None while its snapshot is awaited
        self.update_id = _BROKEN
        self.short = False  # its changes take the short way
        # Where it is full the oldest leave: a snapshot that needs them is too old and is fetched again.
        self.buffer: deque[tuple[_Depth, Micros]] = deque(maxlen=_BUFFERED_EVENTS)
        self.asked: Fetch | None = None
        self.fetching = False  # the snapshot was asked for or will be, and not merely in case the symbol stays quiet
        self.tries = 0


class Adapter:
    """One connection to the combined streams. See :class:`~tickwire.exchanges.contract.AdapterContract`."""

    def __init__(self, symbols: Sequence[Symbol], channels: Sequence[Channel], depth: int) -> None:
        depth = EXCHANGE.offered(depth)
        limit = max(depth, min(_SNAPSHOT_WEIGHTS))
        self._weight = next(weight for most, weight in _SNAPSHOT_WEIGHTS.items() if limit <= most)
        self._books: dict[str | None, _State] = {}
        self._tickers: dict[str | None, tuple[Symbol, str]] = {}  # and the stream's name
        self._streams: dict[str, tuple[Channel, Symbol]] = {}
        for symbol in symbols:
            if "ticker" in channels:
                stream = f"{symbol.native.lower()}@bookTicker"
                self._tickers[symbol.native] = (symbol, stream)
                self._streams[stream] = ("ticker", symbol)
            if "orderbook" in channels:
                state = self._books[symbol.native] = _State(symbol, depth, limit)
                self._streams[state.stream] = ("orderbook", symbol)
        self.short_way = ShortWay(_TICKER_SHAPE, _DEPTH_SHAPE)  # for symbols that were heard of
        self._pending = dict(self._streams)
        self._silent = set(self._streams)  # no event yet
        self._asked: dict[int, Sequence[str]] = {}  # streams by the number of their request
        self._number = 0

    def start(self) -> list[Output]:
        """Subscribe to every stream."""
        return self._request("SUBSCRIBE", list(self._streams))

    def receive(self, payload: bytes, received_us: Micros) -> list[Output]:
        """Translate one frame, combined or raw. Raises :exc:`~tickwire.errors.FrameRejected`."""
        try:
            if _TICKER_MARK in payload:  # only a hint: what is something else does not decode
                return self._ticker(_decode_ticker(payload).data, received_us)
            return self._depth(_decode_depth(payload).data, received_us)
        except contract.UNREADABLE:
            return self._other(payload, received_us)

    def fetched(self, fetch: Fetch, body: bytes, received_us: Micros) -> list[Output]:
        """Start a book from its snapshot and the buffered events; ignored where the book has started already.

        Raises :exc:`~tickwire.errors.FrameRejected`.
        """
        state = self._books.get(fetch.symbol.native)
        if state is None or state.book is not None:
            return []
        try:
            snapshot = _decode_snapshot(body)
            book = Book(snapshot.bids, snapshot.asks)
        except (*contract.UNREADABLE, ValueError) as e:
            raise malformed(f"snapshot of {state.symbol.native}", e) from None
        # Step 4: a snapshot from before the first buffered event is useless, ask again.
        if state.buffer and snapshot.last_update_id + 1 < state.buffer[0][0].first:
            if fetch != state.asked:
                return []  # a later one is on its way
            state.tries += 1
            return [self._fetch(state, _STALE_DELAYS_S[min(state.tries, len(_STALE_DELAYS_S)) - 1], _TOO_OLD)]
        # Step 6: the book is the snapshot.
        state.book, state.update_id = book, snapshot.last_update_id
        state.fetching, state.tries = False, 0
        out: list[Output] = [state.messages.snapshot(book, state.update_id, None, received_us)]
        # Steps 5 and 7: what the snapshot holds already is dropped, the rest applied like every later event.
        for event, at_us in state.buffer:
            out += self._follow(state, book, event, at_us)
        state.buffer.clear()
        return out

    def restart(self, symbol: Symbol, reason: str, received_us: Micros) -> list[Output]:
        """Declare the book invalid; events are kept until its next snapshot."""
        state = self._books.get(symbol.native)
        return [] if state is None else self._restart(state, reason, received_us)

    def resync(self, symbol: Symbol) -> list[Output]:
        """Ask for a new snapshot."""
        state = self._books.get(symbol.native)
        return [] if state is None or state.book is not None else [self._fetch(state)]

    def stop(self) -> list[Output]:
        """Unsubscribe from every stream."""
        return self._request("UNSUBSCRIBE", list(self._streams))

    def ping(self) -> bytes | None:
        """None: Binance answers the WebSocket's own pings."""
        return None

    def book(self, symbol: Symbol) -> Book | None:
        """The book, None before its snapshot and after an event that could not be applied."""
        state = self._books.get(symbol.native)
        return None if state is None or state.update_id == _BROKEN else state.book

    def retry(self) -> list[Output]:
        """Subscribe once more to the streams that were not acknowledged."""
        return self._request("SUBSCRIBE", list(self._pending))

    def pending(self) -> list[tuple[Channel, Symbol]]:
        """Streams neither acknowledged, nor refused, nor seen."""
        return list(self._pending.values())

    def _ticker(self, event: _BookTicker, received_us: Micros) -> list[Output]:
        known = self._tickers.get(event.symbol)
        if known is None:
            raise FrameRejected("unknown", f"a ticker of {event.symbol!r:.100}, which was not asked for")
        symbol, stream = known
        bid: str | None = event.bid
        bid_size: str | None = event.bid_size
        ask: str | None = event.ask
        ask_size: str | None = event.ask_size
        try:
            price_key(event.bid)
            price_key(event.ask)
            if is_zero(event.bid_size):  # an empty side is written as zeros
                bid = bid_size = None
            if is_zero(event.ask_size):
                ask = ask_size = None
        except ValueError as e:
            raise malformed(f"ticker of {event.symbol}", e) from None
        ticker = Ticker(
            exchange="binance",
            symbol=symbol.canonical,
            exchange_symbol=symbol.native,
            bid=bid,
            bid_size=bid_size,
            ask=ask,
            ask_size=ask_size,
            sequence=event.update_id,
            received_us=received_us,
        )
        if stream not in self._silent:
            return [ticker]
        self.short_way.ticker(symbol.native, symbol.canonical, json_prefix("bid", ticker))
        return [*self._heard(stream), ticker]

    def _depth(self, event: _Depth, received_us: Micros) -> list[Output]:
        state = self._books.get(event.symbol)
        if state is None:
            raise FrameRejected("unknown", f"a depth update of {event.symbol!r:.100}, which was not asked for")
        if event.first > event.last:
            raise malformed(f"depth update of {event.symbol}", "U is above u")
        book = state.book
        if book is not None:
            out = self._follow(state, book, event, received_us)
        else:
            _buffer(state.buffer, event, received_us)
            # Step 3 follows on step 2: the snapshot is asked for once there is an event.
            out = [] if state.fetching else [self._fetch(state)]
        return self._heard(state.stream) + out if state.stream in self._silent else out

    def _other(self, payload: bytes, received_us: Micros) -> list[Output]:
        """Take what is no ticker and no depth update of a combined stream."""
        try:
            other = _decode_other(payload)
            if other.kind == "depthUpdate":
                return self._depth(_decode_plain_depth(payload), received_us)
            if other.kind is None and other.symbol is not None:
                return self._ticker(_decode_plain_ticker(payload), received_us)
            if other.data is not _NO_DATA:
                other = _decode_other(other.data)
                if other.kind != "serverShutdown":
                    raise _unreadable(other.kind, payload)
        except contract.UNREADABLE as e:
            raise malformed("frame", e) from None
        if other.id is not None:
            return self._answered(other.id, other.error or _Error(other.code, other.msg))
        if other.kind == "serverShutdown":
            return [Reconnect("the exchange announced that it shuts this server down")]
        if other.error is not None or other.code is not None:
            raise FrameRejected("unknown", f"an error that answers nothing we asked: {payload[: contract.MAX_TEXT]!r}")
        raise FrameRejected("unknown", f"an event of the kind {other.kind!r:.100}")

    def _follow(self, state: _State, book: Book, event: _Depth, received_us: Micros) -> list[Output]:
        """Apply one event by the update procedure."""
        # Its step 1: known already, ignored.
        if event.last <= state.update_id:
            return []
        # Its step 1: something is missing, start again; this event is the first of the new start.
        if event.first > state.update_id + 1:
            _check(event)
            out = self._restart(state, "gap", received_us)
            state.buffer.append((event, received_us))
            return out
        # Its step 2: sizes are absolute, zero removes.
        try:
            bids, asks = book.apply(event.bids, event.asks)
        except ValueError as e:
            state.update_id = _BROKEN
            raise malformed(f"depth update of {state.symbol.native}", e) from None
        # Its step 3.
        state.update_id = event.last
        delta = state.messages.delta(bids, asks, event.last, event.time_ms * 1000, received_us)
        if not state.short and state.stream not in self._silent:
            state.short = True
            native, canonical = state.symbol.native, state.symbol.canonical
            before = json_prefix("bids", delta)
            self.short_way.follow(native, canonical, before, book.bids, book.asks, state, NEXT, MS)
        return [delta]

    def _restart(self, state: _State, reason: str, received_us: Micros) -> list[Output]:
        valid, state.book = state.book is not None, None
        state.short, state.fetching = False, True
        self.short_way.leave(state.symbol.native)
        again = Resync(state.symbol, reason)
        sequence = state.update_id if state.update_id != _BROKEN else None
        return [state.messages.invalid(reason, sequence, received_us), again] if valid else [again]

    def _fetch(self, state: _State, delay_s: float = 0.0, why: str = "") -> Fetch:
        state.fetching = True
        state.asked = Fetch(state.symbol, state.path, self._weight, delay_s, why)
        return state.asked

    def _request(self, method: str, streams: Sequence[str]) -> list[Output]:
        out: list[Output] = []
        for i in range(0, len(streams), _STREAMS_PER_MESSAGE):
            batch = streams[i : i + _STREAMS_PER_MESSAGE]
            self._number += 1
            if method == "SUBSCRIBE":
                self._asked[self._number] = batch
            out.append(Send(msgspec.json.encode({"method": method, "params": batch, "id": self._number})))
        return out

    def _answered(self, number: int | str, error: _Error) -> list[Output]:
        """Take ``{"result":null,"id":n}`` or an error."""
        streams = self._asked.pop(number, ()) if isinstance(number, int) else ()
        if error.code is None and error.msg is None:
            return [output for stream in streams for output in self._acknowledge(stream)]
        answer = f"{error.msg!s:.200} (code {error.code})"
        waiting = [stream for stream in streams if stream in self._silent]
        if not waiting:
            raise FrameRejected("unknown", f"an error that answers no subscription: {answer!r}")
        self._pending.update((stream, self._streams[stream]) for stream in waiting)
        if len(waiting) == 1:
            return [Refused(*self._pending.pop(waiting[0]), answer)]
        # One bad stream refuses its whole message: halve until it stands alone.
        half = len(waiting) // 2
        return self._request("SUBSCRIBE", waiting[:half]) + self._request("SUBSCRIBE", waiting[half:])

    def _heard(self, stream: str) -> list[Output]:
        """An event came: the whole message that asked for it was accepted, answered or not."""
        self._silent.discard(stream)
        streams = next((asked for asked in self._asked.values() if stream in asked), (stream,))
        return [output for stream in streams for output in self._acknowledge(stream)]

    def _acknowledge(self, stream: str) -> list[Output]:
        channel, symbol = self._streams[stream]
        if self._pending.pop(stream, None) is None:
            return []
        state = self._books[symbol.native] if channel == "orderbook" else None
        if state is None or state.book is not None or state.fetching:
            return [Subscribed(channel, symbol)]
        # No event has come yet: the symbol may be quiet for minutes, its book shall not wait for that.
        state.asked = Fetch(symbol, state.path, self._weight, _QUIET_DELAY_S)
        return [Subscribed(channel, symbol), state.asked]


def _check(event: _Depth) -> None:
    """Raise for a number that is none, before anything has changed."""
    try:
        Book(event.bids, event.asks)
    except ValueError as e:
        raise malformed("depth update", e) from None


def _buffer(buffer: deque[tuple[_Depth, Micros]], event: _Depth, received_us: Micros) -> None:
    """Keep an event until the snapshot is there (step 2); what is kept has no hole and no wrong number."""
    _check(event)
    if buffer:
        newest = buffer[-1][0].last
        if event.last <= newest:
            return
        if event.first > newest + 1:
            buffer.clear()  # what came before the hole is of no use
    buffer.append((event, received_us))


def _unreadable(kind: str | None, payload: bytes) -> FrameRejected:
    """Tell an event of another kind, whose fields mean something else, from a broken one."""
    if kind is not None and kind != "depthUpdate":
        return FrameRejected("unknown", f"an event of the kind {kind!r:.100}")
    return malformed("frame", payload[: contract.MAX_TEXT])
