"""Gemini spot: ``bookTicker`` (best bid and offer), ``depth@100ms`` (order book) and ``trade``.

Connection, snapshots: https://docs.gemini.com/websocket/introduction
Streams: https://docs.gemini.com/websocket/streams
Listing: https://docs.gemini.com/rest/market-data

The first update of a book is all of it. It is known by equal numbers that do not follow on the update before it, and by
its two sides: a change of one number has one, and may be of a subscription that was given up. A book without bids or
without asks starts once it has both. The listing does not say what a name is made of, so it is split by rule; contracts
are not offered. Unconfirmed: limits, and that one bad stream refuses its request.
"""

from collections.abc import Sequence
from typing import Annotated

import msgspec
from msgspec import Meta, Raw, Struct

from tickwire.errors import FrameRejected
from tickwire.events.rules import NEXT, Rule
from tickwire.events.side import read_levels
from tickwire.events.types import Micros, TakerSide
from tickwire.exchanges import contract
from tickwire.exchanges.contract import Channel, Output, Symbol, decoded, malformed
from tickwire.exchanges.kit import BookEvent, Item, KitAdapter, Method, StreamedBook, by_range
from tickwire.exchanges.symbols import Listing, named_by_rule

EXCHANGE = contract.Exchange(
    name="gemini",
    ws_url="wss://ws.gemini.com?snapshot=-1",  # -1: all of each book comes first; nothing does without
    rest_url="https://api.gemini.com",
    listing_paths=("/v1/symbols",),
    symbols_per_connection=100,  # no limit is documented
    message_interval_s=0.1,  # no limit is documented
    connect_interval_s=1.0,  # no limit is documented
    rest_limits=(contract.Limit(2, 1.0),),  # 120 requests a minute
    ping_interval_s=15.0,
    silence_s=40.0,
    max_frame_bytes=16 * 1024 * 1024,  # a snapshot is all of the book
    book_depths=range(1, 5001),
    checks=("sequence",),
)

_THEIRS: dict[Channel, str] = {"ticker": "bookTicker", "orderbook": "depth@100ms", "trade": "trade"}
# The longest first: what ends with RLUSD or GUSD is quoted in it, but for PAXG-USD.
_QUOTES = ("RLUSD", "GUSD", "USDT", "USDC", "USD", "EUR", "GBP", "SGD", "DAI", "BTC", "ETH", "BCH", "LTC", "FIL")
_EXCEPT = {"PAXGUSD": ("PAXG", "USD")}
_CHANGE_SHAPE = b'{"e":"depthUpdate","E":#n,"s":"$","U":#f,"u":#l,"b":=b,"a":=a+}'
_NO_LEVELS = Raw(b"[]")
_FAILED = 400  # and above: status of a refused request
_TOO_MANY = 429

_Number = Annotated[int, Meta(ge=0, le=2**63 - 1)]


class _Error(Struct):
    code: int | str | None = None
    msg: str = "no reason"


class _Frame(Struct):
    """A message of a stream, whose kind follows from its members, or an answer."""

    e: str | None = None
    E: _Number | None = None  # nanoseconds
    s: str | None = None
    U: _Number | None = None  # the first and the last number of an update
    u: _Number | None = None
    b: Raw = _NO_LEVELS  # levels, or the best price
    a: Raw = _NO_LEVELS
    B: str | None = None  # sizes of the best prices
    A: str | None = None
    t: _Number | None = None  # of a trade, with the next three
    p: str = ""
    q: str = ""
    m: bool | None = None  # the buyer is the maker
    id: int | str | None = None
    status: int | None = None
    error: _Error | None = None


_decode = msgspec.json.Decoder(_Frame).decode
_decode_text = msgspec.json.Decoder(str | None).decode
_decode_listing = msgspec.json.Decoder(list[str]).decode


def read_listing(body: bytes) -> Listing:
    """Read ``/v1/symbols``. Raises :exc:`~tickwire.errors.FrameRejected`."""
    names = [name for name in decoded("symbols", _decode_listing, body) if not name.endswith("perp")]
    return Listing([symbol for symbol in map(_split, names) if symbol is not None])


derive = named_by_rule(EXCHANGE.name, lambda base, quote: f"{base}{quote}".lower(), _QUOTES)


def _split(name: str) -> Symbol | None:
    text = name.upper()
    quote = next((quote for quote in _QUOTES if text.endswith(quote) and text != quote), None)
    if quote is None:
        return None
    base, quote = _EXCEPT.get(text, (text.removesuffix(quote), quote))
    return Symbol(f"{base}-{quote}", name)


class Adapter(KitAdapter[StreamedBook]):
    """One connection to the public endpoint. See :class:`~tickwire.exchanges.contract.AdapterContract`."""

    exchange = EXCHANGE
    shapes = b"", _CHANGE_SHAPE, b""
    rule = Rule(NEXT)
    most = 50  # streams in one request
    whole = True
    ping_text = b'{"id":"ping","method":"ping"}'

    def __init__(self, symbols: Sequence[Symbol], channels: Sequence[Channel], depth: int) -> None:
        self._seen: dict[str, int] = {}  # last number of each book, started or not
        self._newest: dict[str, int] = {}  # latest time of each book
        super().__init__(symbols, channels, depth)

    def keep(self, symbol: Symbol) -> StreamedBook:
        """Make a book by the first and last number of each update; ranges may overlap."""
        return StreamedBook(symbol, self.messages(symbol), self.again, self.short_way, follows=by_range)

    def restart(self, symbol: Symbol, reason: str, received_us: Micros) -> list[Output]:
        """Give up a book, and note its last update."""
        self._note(self._books.get(symbol.native))
        return super().restart(symbol, reason, received_us)

    def _note(self, kept: StreamedBook | None) -> None:
        """Note the last update of a running book: most updates take the short way."""
        if kept is not None and kept.book is not None and kept.update_id >= 0:
            self._seen[kept.native] = kept.update_id

    def write(self, method: Method, items: Sequence[Item], number: int | None) -> bytes:
        """A request for streams by name."""
        name = f"{method} {items[0][1].native}" if number is None else str(number)
        streams = [f"{symbol.native}@{_THEIRS[channel]}" for channel, symbol in items]
        return msgspec.json.encode({"id": name, "method": method, "params": streams})

    def receive(self, payload: bytes, received_us: Micros) -> list[Output]:
        """Translate one frame. Raises :exc:`~tickwire.errors.FrameRejected`."""
        frame = decoded("frame", _decode, payload)
        if frame.e == "depthUpdate":
            return self._change(frame, received_us)
        at_us = None if frame.E is None else frame.E // 1000
        if frame.e is None and frame.t is not None and frame.m is not None:
            side: TakerSide = "sell" if frame.m else "buy"
            return self.trade(frame.s, str(frame.t), frame.p, frame.q, side, received_us, exchange_us=at_us)
        if frame.e is None and frame.B is not None and frame.A is not None:
            bid, ask = (decoded("ticker", _decode_text, side) or None for side in (frame.b, frame.a))
            return self.ticker(frame.s, bid, frame.B, ask, frame.A, received_us, sequence=frame.u, exchange_us=at_us)
        if frame.id is not None:
            return self._answered(str(frame.id), frame)
        raise contract.unexpected(payload)

    def _change(self, frame: _Frame, received_us: Micros) -> list[Output]:
        kept = self.kept(frame.s)
        self._note(kept)
        if frame.U is None or frame.u is None:
            kept.doubt()
            raise malformed(f"book of {kept.native}", "it has no numbers")
        event = BookEvent(frame.b, frame.a, frame.u, frame.U)
        event.exchange_us = None if frame.E is None else frame.E // 1000
        follows, self._seen[kept.native] = frame.u == self._seen.get(kept.native, -2) + 1, frame.u
        newest = self._newest[kept.native] = max(frame.E or 0, self._newest.get(kept.native, 0))
        is_old = frame.E is not None and newest > frame.E  # older than another message of the book
        begins = kept.book is None and frame.u == frame.U and not (follows or is_old) and _two_sided(frame)
        out = (kept.snapshot if begins else kept.change)(event, received_us)
        return self.heard(kept, out) if kept.new else out

    def _answered(self, name: str, frame: _Frame) -> list[Output]:
        """Take an answer, identified by the request's name."""
        failed, why = frame.error is not None or (frame.status or 0) >= _FAILED, frame.error or _Error()
        error = f"{why.msg:.150} (code {why.code}, status {frame.status})" if failed else None
        if frame.status == _TOO_MANY:
            raise FrameRejected("unknown", f"an answer {error!r}")  # it stays pending, and is asked for again later
        method, _, native = name.partition(" ")
        if name.isascii() and name.isdigit():
            return self.answered(int(name[:18]), error)
        return self.answered_each("orderbook", native, error) if method == "subscribe" else []


def _two_sided(frame: _Frame) -> bool:
    try:
        return all(read_levels(side) for side in (frame.b, frame.a))
    except ValueError as e:
        raise malformed(f"book of {frame.s}", e) from None
