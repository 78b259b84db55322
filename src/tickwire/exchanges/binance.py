"""Binance spot: ``bookTicker`` and ``depth@100ms``.

Streams and the order book's procedure: https://developers.binance.com/docs/binance-spot-api-docs/web-socket-streams
Snapshot, listing and their weights: https://developers.binance.com/docs/binance-spot-api-docs/rest-api/market-data-endpoints
"""

from collections import deque
from collections.abc import Sequence
from typing import Annotated, Any
from urllib.parse import quote

import msgspec
from msgspec import Meta, Struct, field

from tickwire.errors import FrameRejected
from tickwire.events.book import Book, is_zero, price_key
from tickwire.events.types import Level, Micros, Ticker
from tickwire.exchanges import contract
from tickwire.exchanges.contract import Channel, Fetch, Output, Reconnect, Refused, Send, Subscribed, Symbol, malformed
from tickwire.exchanges.messages import BookMessages
from tickwire.exchanges.symbols import Listing, split_name

EXCHANGE = contract.Exchange(
    name="binance",
    ws_url="wss://stream.binance.com:9443/stream",
    rest_url="https://api.binance.com",
    listing_path="/api/v3/exchangeInfo",
    listing_weight=20,
    channels=("ticker", "orderbook"),
    symbols_per_connection=400,  # 1024 streams a connection, up to two a symbol, room left
    message_interval_s=0.3,  # 5 messages a second, pings and pongs among them
    connect_interval_s=1.0,  # 300 attempts in 5 minutes from one address
    max_connection_s=23.5 * 3600,  # closed by the exchange after 24 hours
    rest_weight_per_minute=6000,
    ping_interval_s=30.0,  # the exchange pings every 20 s, so this is already late
    silence_s=60.0,
    subscription_silence_s=600.0,  # a quiet pair can go minutes without a change
    ack_timeout_s=10.0,
    max_frame_bytes=4 * 1024 * 1024,
)

_SNAPSHOT_WEIGHTS = {1000: 50, 5000: 250}  # up to this limit: this weight; fewer than 1000 levels rot soon
_STREAMS_PER_MESSAGE = 200
_BUFFERED_EVENTS = 3000  # a symbol, while its snapshot is on its way: five minutes at ten events a second
_QUIET_DELAY_S = 2.0  # after an acknowledgement, when no event has asked for the snapshot
_STALE_DELAYS_S = (0.25, 0.5, 1.0, 2.0, 4.0, 8.0)  # before asking again for a snapshot that was too old
_BROKEN = -2  # no update id: whatever event follows shows a gap

_Number = Annotated[int, Meta(ge=0, le=2**53)]


class _Event(Struct, gc=False):
    """A depthUpdate, where ``b`` and ``a`` are levels, or a bookTicker, which has no ``e``, where they are prices."""

    kind: str | None = field(name="e", default=None)
    time_ms: _Number | None = field(name="E", default=None)
    symbol: str | None = field(name="s", default=None)
    first: _Number | None = field(name="U", default=None)
    last: _Number | None = field(name="u", default=None)
    bid: str | list[Level] | None = field(name="b", default=None)
    bid_size: str | None = field(name="B", default=None)
    ask: str | list[Level] | None = field(name="a", default=None)
    ask_size: str | None = field(name="A", default=None)


class _Error(Struct):
    code: int | None = None
    msg: str | None = None


class _Frame(_Event, gc=False):
    """Everything that may stand on top: a combined stream's envelope, a raw event, an answer to a request."""

    stream: str | None = None
    data: _Event | None = None
    id: int | str | None = None
    error: _Error | None = None
    code: int | None = None
    msg: str | None = None


class _Snapshot(Struct):
    last_update_id: _Number = field(name="lastUpdateId")
    bids: list[Level]
    asks: list[Level]


class _Listed(Struct):
    symbol: str
    base: str = field(name="baseAsset")
    quote: str = field(name="quoteAsset")
    status: str


class _ExchangeInfo(Struct):
    symbols: list[_Listed]


_decode = msgspec.json.Decoder(_Frame).decode
_decode_snapshot = msgspec.json.Decoder(_Snapshot).decode
_decode_listing = msgspec.json.Decoder(_ExchangeInfo).decode


def read_listing(body: bytes) -> Listing:
    """Read ``/api/v3/exchangeInfo``: what trades now. Raises :exc:`~tickwire.errors.FrameRejected`."""
    try:
        listed = _decode_listing(body).symbols
    except contract.UNREADABLE as e:
        raise malformed("exchangeInfo", e) from None
    return Listing(Symbol(f"{s.base}-{s.quote}", s.symbol) for s in listed if s.status == "TRADING")


def derive(symbol: str) -> Symbol:
    """Name a symbol by rule. Raises :exc:`~tickwire.errors.UnknownSymbol`."""
    base, quoted = split_name(symbol, EXCHANGE.name)
    return Symbol(f"{base}-{quoted}", base + quoted)


class _Change(Struct):
    """A depthUpdate, checked."""

    first: int
    last: int
    bids: list[Level]
    asks: list[Level]
    exchange_us: Micros
    received_us: Micros


class _State:
    """One symbol's order book on this connection."""

    def __init__(self, symbol: Symbol, limit: int) -> None:
        self.symbol = symbol
        self.stream = f"{symbol.native.lower()}@depth@100ms"
        self.path = f"/api/v3/depth?symbol={quote(symbol.native)}&limit={limit}"
        self.messages = BookMessages(EXCHANGE.name, symbol, limit)
        self.book: Book | None = None  # None while its snapshot is awaited
        self.update_id = _BROKEN  # of the book
        # Where it is full the oldest leave: a snapshot that needs them is too old and is fetched again.
        self.buffer: deque[_Change] = deque(maxlen=_BUFFERED_EVENTS)
        self.asked: Fetch | None = None
        self.fetching = False  # the snapshot was asked for, and not merely in case the symbol stays quiet
        self.tries = 0


class Adapter:
    """One connection to the combined streams. See :class:`~tickwire.exchanges.contract.AdapterContract`."""

    def __init__(self, symbols: Sequence[Symbol], channels: Sequence[Channel], depth: int) -> None:
        self._limit = min(max(depth, min(_SNAPSHOT_WEIGHTS)), max(_SNAPSHOT_WEIGHTS))
        self._weight = next(weight for limit, weight in _SNAPSHOT_WEIGHTS.items() if self._limit <= limit)
        self._books: dict[str | None, _State] = {}
        self._tickers: dict[str | None, tuple[Symbol, str]] = {}  # and the stream's name
        self._streams: dict[str, tuple[Channel, Symbol]] = {}
        for symbol in symbols:
            if "ticker" in channels:
                stream = f"{symbol.native.lower()}@bookTicker"
                self._tickers[symbol.native] = (symbol, stream)
                self._streams[stream] = ("ticker", symbol)
            if "orderbook" in channels:
                state = self._books[symbol.native] = _State(symbol, self._limit)
                self._streams[state.stream] = ("orderbook", symbol)
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
            frame = _decode(payload)
        except contract.UNREADABLE as e:
            raise _unreadable(payload, e) from None
        event = frame.data or frame
        if event.kind == "depthUpdate":
            return self._depth(event, received_us)
        if event.kind is None and event.symbol is not None:
            return self._ticker(event, received_us)
        if frame.id is not None:
            return self._answered(frame.id, frame.error or _Error(frame.code, frame.msg))
        if event.kind == "serverShutdown":
            return [Reconnect("the exchange announced that it shuts this server down")]
        if frame.error is not None or frame.code is not None:
            raise FrameRejected("unknown", f"an error that answers nothing we asked: {payload[: contract.MAX_TEXT]!r}")
        raise FrameRejected("unknown", f"an event of the kind {event.kind!r:.100}")

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
        if state.buffer and snapshot.last_update_id + 1 < state.buffer[0].first:
            if fetch != state.asked:
                return []  # a later one is on its way
            state.tries += 1
            return [self._fetch(state, _STALE_DELAYS_S[min(state.tries, len(_STALE_DELAYS_S)) - 1])]
        # Step 6: the book is the snapshot.
        state.book, state.update_id = book, snapshot.last_update_id
        state.fetching, state.tries = False, 0
        out: list[Output] = [state.messages.snapshot(book, state.update_id, None, received_us)]
        # Steps 5 and 7: what the snapshot holds already is dropped, the rest applied like every later event.
        for change in state.buffer:
            out += self._follow(state, book, change)
        state.buffer.clear()
        return out

    def restart(self, symbol: Symbol, reason: str, received_us: Micros) -> list[Output]:
        """Declare the book invalid and ask for a new snapshot."""
        state = self._books.get(symbol.native)
        return [] if state is None else self._restart(state, reason, received_us)

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

    def _ticker(self, event: _Event, received_us: Micros) -> list[Output]:
        known = self._tickers.get(event.symbol)
        if known is None:
            raise FrameRejected("unknown", f"a ticker of {event.symbol!r:.100}, which was not asked for")
        bid, bid_size, ask, ask_size = event.bid, event.bid_size, event.ask, event.ask_size
        if not (type(bid) is type(ask) is type(bid_size) is type(ask_size) is str) or event.last is None:
            raise malformed(f"ticker of {event.symbol}", "a field is missing")
        symbol, stream = known
        try:
            price_key(bid)
            price_key(ask)
            if is_zero(bid_size):  # an empty side is written as zeros
                bid = bid_size = None
            if is_zero(ask_size):
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
            sequence=event.last,
            received_us=received_us,
        )
        return [*self._heard(stream), ticker] if stream in self._silent else [ticker]

    def _depth(self, event: _Event, received_us: Micros) -> list[Output]:
        state = self._books.get(event.symbol)
        if state is None:
            raise FrameRejected("unknown", f"a depth update of {event.symbol!r:.100}, which was not asked for")
        first, last, time_ms, bids, asks = event.first, event.last, event.time_ms, event.bid, event.ask
        if first is None or last is None or time_ms is None or first > last:
            raise malformed(f"depth update of {event.symbol}", "a number is missing or wrong")
        if type(bids) is not list or type(asks) is not list:
            raise malformed(f"depth update of {event.symbol}", "the levels are missing")
        change = _Change(first, last, bids, asks, time_ms * 1000, received_us)
        book = state.book
        if book is not None:
            out = self._follow(state, book, change)
        else:
            _buffer(state.buffer, change)
            # Step 3 follows on step 2: the snapshot is asked for once there is an event.
            out = [] if state.fetching else [self._fetch(state)]
        return self._heard(state.stream) + out if state.stream in self._silent else out

    def _follow(self, state: _State, book: Book, change: _Change) -> list[Output]:
        """Apply one event by the update procedure."""
        # Its step 1: known already, ignored.
        if change.last <= state.update_id:
            return []
        # Its step 1: something is missing, start again; this event is the first of the new start.
        if change.first > state.update_id + 1:
            _check(change)
            out = self._restart(state, "gap", change.received_us)
            state.buffer.append(change)
            return out
        # Its step 2: sizes are absolute, zero removes.
        try:
            book.apply(change.bids, change.asks)
        except ValueError as e:
            state.update_id = _BROKEN
            raise malformed(f"depth update of {state.symbol.native}", e) from None
        # Its step 3.
        state.update_id = change.last
        return [state.messages.delta(change.bids, change.asks, change.last, change.exchange_us, change.received_us)]

    def _restart(self, state: _State, reason: str, received_us: Micros) -> list[Output]:
        valid, state.book = state.book is not None, None
        fetch = self._fetch(state)
        sequence = state.update_id if state.update_id != _BROKEN else None
        return [state.messages.invalid(reason, sequence, received_us), fetch] if valid else [fetch]

    def _fetch(self, state: _State, delay_s: float = 0.0) -> Fetch:
        state.fetching = True
        state.asked = Fetch(state.symbol, state.path, self._weight, delay_s)
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


def _check(change: _Change) -> None:
    """Raise for a number that is none, before anything has changed."""
    try:
        Book(change.bids, change.asks)
    except ValueError as e:
        raise malformed("depth update", e) from None


def _buffer(buffer: deque[_Change], change: _Change) -> None:
    """Keep an event until the snapshot is there (step 2); what is kept has no hole and no wrong number."""
    _check(change)
    if buffer:
        newest = buffer[-1].last
        if change.last <= newest:
            return
        if change.first > newest + 1:
            buffer.clear()  # what came before the hole is of no use
    buffer.append(change)


def _unreadable(payload: bytes, error: Exception) -> FrameRejected:
    """Tell an event of another kind, whose fields mean something else, from a broken one."""
    try:
        content: Any = msgspec.json.decode(payload)
    except contract.UNREADABLE as e:
        return malformed("frame", e)
    event = content.get("data", content) if isinstance(content, dict) else None
    kind = event.get("e") if isinstance(event, dict) else None
    if isinstance(kind, str) and kind not in {"depthUpdate", "serverShutdown"}:
        return FrameRejected("unknown", f"an event of the kind {kind!r:.100}")
    return malformed("frame", error)
