"""KuCoin spot, the push socket that needs no token: ``ticker`` (best bid and offer), ``obu`` (order book), ``trade``.

Connection, pings, limits: https://www.kucoin.com/docs-new/websocket-api/base-info/introduction-uta
Order book: https://www.kucoin.com/docs-new/3470354w0 (the best 500 levels, every 10 ms)
Trades: https://www.kucoin.com/docs-new/3470359w0
Listing: https://www.kucoin.com/docs-new/rest/spot-trading/market-data/get-all-symbols

The server says everything in binary frames, and its welcome first. It accepts a symbol that does not exist and stays
silent. A level that leaves the best 500 comes as a removal. Not confirmed: what a ticker says of an empty side.
"""

import re
from collections.abc import Sequence
from typing import Annotated, Literal

import msgspec
from msgspec import Meta, Raw, Struct

from tickwire.errors import FrameRejected
from tickwire.events.book import Levels, price_key
from tickwire.events.short_way import NEXT, Rule
from tickwire.events.side import read_levels
from tickwire.events.types import Micros, TakerSide
from tickwire.exchanges import contract
from tickwire.exchanges.contract import Channel, Output, Symbol, decoded, malformed
from tickwire.exchanges.kit import BookEvent, Item, KitAdapter, Method, StreamedBook, by_range
from tickwire.exchanges.symbols import Listing, named_by_rule

EXCHANGE = contract.Exchange(
    name="kucoin",
    ws_url="wss://x-push-spot.kucoin.com/",
    frames="both",
    rest_url="https://api.kucoin.com",
    listing_paths=("/api/v1/symbols",),
    symbols_per_connection=100,  # "at most 600 topics"; older clients keep to 200
    message_interval_s=0.04,  # "300 client messages per 10 s"
    connect_interval_s=1.2,  # "250 new connections per 5 minutes"
    ping_interval_s=9.0,
    keepalive_s=9.0,  # the welcome asks for one every 18 s
    silence_s=30.0,
    max_frame_bytes=4 * 1024 * 1024,
    book_depths=(500,),
    checks=("sequence",),
)

_NAMES: dict[Channel, str] = {"ticker": "ticker", "orderbook": "obu", "trade": "trade"}  # ours, KuCoin's
_SIDES: dict[str, TakerSide] = {"buy": "buy", "sell": "sell"}  # in capitals or not
_CHANGE_SHAPE = (
    b'{"T":"obu.SPOT","P":*,"dp":"increment@10ms","t":"delta","d":{"O":#f,"C":#l,"M":#n,"s":"$","a":=a,"b":=b}}'
)
_NO_LEVELS = Raw(b"[]")
_NO_PRICE = re.compile(rb'\[\s*"0*\.?0*"')  # a level whose price is zero

_Number = Annotated[int, Meta(ge=0, le=2**53)]
_Long = Annotated[int, Meta(ge=0, le=2**63 - 1)]


class _Data(Struct, gc=False):
    """What a message says of one symbol. A ticker's prices and sizes are texts, a book's sides are levels."""

    s: str
    M: _Long  # when it happened
    b: Raw = _NO_LEVELS
    a: Raw = _NO_LEVELS
    B: str | None = None  # sizes of the best bid and ask
    A: str | None = None
    l: str | None = None  # noqa: E741 - the last price
    E: _Long | None = None  # a ticker's number
    O: _Number | None = None  # noqa: E741 - the first and the last number of a change
    C: _Number | None = None
    S: str = ""  # the taker's side; this and the next are a trade's
    p: str = ""
    q: str = ""
    ti: str | int = ""


class _Frame(Struct):
    """Data of a channel, or an answer."""

    T: str | None = None
    t: Literal["snapshot", "delta"] | None = None
    d: Raw = Raw(b"")
    id: str | None = None
    result: bool | str | None = None
    type: str | None = None
    message: str | None = None
    reason: str | None = None


class _Listed(Struct):
    symbol: str
    base: str = msgspec.field(name="baseCurrency")
    quote: str = msgspec.field(name="quoteCurrency")
    trading: bool = msgspec.field(name="enableTrading")


class _Symbols(Struct):
    data: list[_Listed]


_decode = msgspec.json.Decoder(_Frame).decode
_decode_data = msgspec.json.Decoder(_Data).decode
_decode_text = msgspec.json.Decoder(str | None).decode
_decode_listing = msgspec.json.Decoder(_Symbols).decode


def read_listing(body: bytes) -> Listing:
    """Read ``/api/v1/symbols``. Raises :exc:`~tickwire.errors.FrameRejected`."""
    listed = decoded("symbols", _decode_listing, body).data
    symbols = [Symbol(f"{each.base}-{each.quote}", each.symbol) for each in listed]
    return Listing(symbols, resting={each.symbol: "not trading" for each in listed if not each.trading})


derive = named_by_rule(EXCHANGE.name, "{}-{}".format)


class Adapter(KitAdapter[StreamedBook]):
    """One connection to the public endpoint. See :class:`~tickwire.exchanges.contract.AdapterContract`."""

    exchange = EXCHANGE
    shapes = b"", _CHANGE_SHAPE, b""
    rule = Rule(NEXT)
    most = 1  # "symbols are not supported for topic obu"
    ping_text = b'{"id":"ping","type":"ping"}'
    _welcomed = False

    def keep(self, symbol: Symbol) -> StreamedBook:
        """Keep a book by the first and last number of each change."""
        of_book = symbol, self.messages(symbol), self.again, self.short_way
        return StreamedBook(*of_book, follows=by_range)

    def write(self, method: Method, items: Sequence[Item], number: int | None) -> bytes:
        """Ask for one channel of one symbol; the answer names nothing but the request's id."""
        ((channel, symbol),) = items
        name = f"{method} {channel} {symbol.native}" if number is None else str(number)
        request = {"id": name, "action": method.upper(), "channel": _NAMES[channel]}
        request |= {"tradeType": "SPOT", "symbol": symbol.native}
        if channel == "orderbook":
            request["depth"] = "increment@10ms"
        return msgspec.json.encode(request)

    def start(self) -> list[Output]:
        """Wait for the welcome."""
        return []

    def receive(self, payload: bytes, received_us: Micros) -> list[Output]:
        """Translate one frame. Raises :exc:`~tickwire.errors.FrameRejected`."""
        frame = decoded("frame", _decode, payload)
        if frame.T == "obu.SPOT":
            return self._book(frame.t, decoded("book", _decode_data, frame.d), received_us)
        if frame.T == "ticker.SPOT":
            return self._ticker(decoded("ticker", _decode_data, frame.d), received_us)
        if frame.T == "trade.SPOT":
            return self._trade(decoded("trade", _decode_data, frame.d), received_us)
        if frame.id is not None and frame.result is not None:
            return self._answered(frame.id, frame)
        if frame.message == "welcome":
            first, self._welcomed = not self._welcomed, True
            return super().start() if first else []
        if frame.type == "pong":
            return []
        raise FrameRejected("unknown", f"a message {payload[: contract.MAX_TEXT]!r}")

    def _ticker(self, data: _Data, received_us: Micros) -> list[Output]:
        bid, ask = (decoded("ticker", _decode_text, side) or None for side in (data.b, data.a))
        numbers = {"sequence": data.E, "exchange_us": data.M // 1000}
        return self.ticker(data.s, bid, data.B or None, ask, data.A or None, received_us, last=data.l, **numbers)

    def _book(self, kind: str | None, data: _Data, received_us: Micros) -> list[Output]:
        kept = self.kept(data.s)
        if data.O is None or data.C is None or kind is None:
            raise malformed(f"book of {data.s}", "it has no number or kind")
        bids, asks = _priced(data.b), _priced(data.a)
        event = BookEvent(bids, asks, data.C, data.O, exchange_us=data.M // 1000)
        out = (kept.snapshot if kind == "snapshot" else kept.change)(event, received_us)
        return self.heard(kept, out) if kept.new else out

    def _trade(self, data: _Data, received_us: Micros) -> list[Output]:
        side = _SIDES.get(data.S.lower())
        if side is None:
            raise malformed(f"trade of {data.s}", f"the side {data.S!r:.20}")
        return self.trade(data.s, str(data.ti), data.p, data.q, side, received_us, exchange_us=data.M // 1000)

    def _answered(self, name: str, frame: _Frame) -> list[Output]:
        error = None if frame.result in {True, "true"} else (frame.reason or frame.message or "no reason")
        if name.isascii() and name.isdigit() and len(name) < 10:
            return self.answered(int(name), error and error[: contract.MAX_TEXT])
        method, _, item = name.partition(" ")
        channel, _, native = item.partition(" ")
        if method != "subscribe" or channel not in _NAMES:
            return []
        return self.answered_each(channel, native, error and error[: contract.MAX_TEXT])


def _priced(levels: Raw) -> Levels:
    """Leave out levels with the price 0: they say only that the number moved on."""
    if _NO_PRICE.search(levels) is None:
        return levels
    try:
        return [level for level in read_levels(levels) if price_key(level[0])]
    except ValueError as e:
        raise malformed("levels", e) from None
