"""Bitfinex spot: ``book`` of the precision P0, best bid and offer read off it, and ``trades``.

Messages, numbers of messages, limits: https://docs.bitfinex.com/docs/ws-general
Book: https://docs.bitfinex.com/reference/ws-public-books, checksum: https://docs.bitfinex.com/docs/ws-websocket-checksum
Trades: https://docs.bitfinex.com/reference/ws-public-trades, listing: https://docs.bitfinex.com/reference/rest-public-conf

Sizes of the channel ``ticker`` are sums of 25 levels: https://docs.bitfinex.com/reference/ws-public-ticker
Where its answer to ``conf`` says that it does not number messages, checksums alone show what is missing of a book.
Unconfirmed: what leaves the length subscribed is removed; a subscription may follow on its end at once.
"""

from collections.abc import Sequence
from typing import Annotated, Any

import msgspec
from msgspec import Meta, Struct, field

from tickwire.errors import FrameRejected
from tickwire.events.decimals import decimal_text
from tickwire.events.types import Micros, TakerSide
from tickwire.exchanges import contract
from tickwire.exchanges._bitfinex import checksum, parts, sides
from tickwire.exchanges.contract import Channel, Output, Reconnect, Send, Symbol, decoded, malformed
from tickwire.exchanges.kit import NO_NUMBER, BookEvent, DerivedAdapter, Item, Method, StreamedBook
from tickwire.exchanges.symbols import QUOTES, Listing, split_name

EXCHANGE = contract.Exchange(
    name="bitfinex",
    ws_url="wss://api-pub.bitfinex.com/ws/2",
    rest_url="https://api-pub.bitfinex.com",
    listing_paths=("/v2/conf/pub:list:pair:exchange",),
    symbols_per_connection=12,  # 25 channels a connection, up to two a symbol
    message_interval_s=0.1,  # no limit is documented
    connect_interval_s=3.0,  # 20 connections a minute
    ping_interval_s=20.0,  # every channel has a heartbeat after 15 s
    silence_s=40.0,
    book_depths=(25, 100, 250),
    checks=("sequence", "checksum"),
)

_CHANNELS: dict[str | None, Channel] = {None: "orderbook", "book": "orderbook", "trades": "trade"}
_TIMES, _NUMBERS, _CHECKSUMS = 32768, 65536, 131072  # flags: of each message, and after each change
_LEAVING = {
    ("info", 20051): "the server is about to stop",
    ("info", 20061): "a maintenance has ended",
    ("error", 10301): "something is subscribed whose channel is not known here",
}
_ASSETS = {"UST": "USDT", "UDC": "USDC", "EUT": "EURT", "ALG": "ALGO", "ATO": "ATOM", "DSH": "DASH", "IOT": "IOTA"}
_THEIRS = {ours: theirs for theirs, ours in _ASSETS.items()}


class _Event(Struct):
    event: str
    channel: str | None = None
    id: int | None = field(name="chanId", default=None)
    symbol: str | None = None
    prec: str = "P0"
    # Text or a number, as it was written in the request.
    length: Annotated[str, Meta(pattern="^[1-9][0-9]{0,3}$")] | Annotated[int, Meta(ge=1, le=9999)] | None = field(
        name="len", default=None
    )
    status: str | None = None
    flags: int = _TIMES | _NUMBERS | _CHECKSUMS  # that the server has accepted
    code: int = 0
    msg: str = "no reason"


_decode = msgspec.json.Decoder(list[Any], float_hook=str).decode  # numbers with a point or exponent: their text
_decode_event = msgspec.json.Decoder(_Event).decode


def read_listing(body: bytes) -> Listing:
    """Read ``pub:list:pair:exchange``. Raises :exc:`~tickwire.errors.FrameRejected`."""
    pairs = [name for part in decoded("pairs", msgspec.json.Decoder(list[list[str]]).decode, body) for name in part]
    split = [(name, *(name.split(":", 1) if ":" in name else (name[:-3], name[-3:]))) for name in pairs]
    named = [(name, _ASSETS.get(base, base), _ASSETS.get(quote, quote)) for name, base, quote in split]
    symbols = [Symbol(f"{base}-{quote}", f"t{name}") for name, base, quote in named]
    return Listing(symbols, {symbol.native[1:]: symbol for symbol in symbols})


def derive(symbol: str) -> Symbol:
    """Name a symbol by rule. Raises :exc:`~tickwire.errors.UnclearSymbol`."""
    text = symbol[1:] if symbol[:1] == "t" and symbol[1:].isupper() else symbol.upper()
    base, quote = split_name(text.replace(":", "-"), EXCHANGE.name, (*QUOTES, "UST", "UDC"))
    names = _THEIRS.get(base, base), _THEIRS.get(quote, quote)
    native = "t" + ("" if [len(name) for name in names] == [3, 3] else ":").join(names)
    return Symbol(f"{_ASSETS.get(base, base)}-{_ASSETS.get(quote, quote)}", native)


class Adapter(DerivedAdapter[StreamedBook]):
    """One connection to the public endpoint. See :class:`~tickwire.exchanges.contract.AdapterContract`."""

    exchange = EXCHANGE
    most = 1
    ping_text = b'{"event":"ping"}'

    def __init__(self, symbols: Sequence[Symbol], channels: Sequence[Channel], depth: int) -> None:
        super().__init__(symbols, channels, depth)
        self._names: dict[int | None, tuple[Channel, str]] = {}  # channel and native symbol by the channel's number
        self._numbered = True  # messages of all channels are numbered; if not, only checksums reveal missing ones
        self._number: int | None = None  # of the last message
        self._last = b""  # the last message

    def start(self) -> list[Output]:
        """Switch the checks on, then subscribe everything."""
        return [Send(msgspec.json.encode({"event": "conf", "flags": _Event("conf").flags})), *super().start()]

    def receive(self, payload: bytes, received_us: Micros) -> list[Output]:
        """Translate one frame. Raises :exc:`~tickwire.errors.FrameRejected`."""
        try:
            if payload[:1] == b"{":
                return self.derived(self._event(_decode_event(payload), payload))
            return self.derived(self._message(_decode(payload), payload, received_us))
        except (*contract.UNREADABLE, ValueError, TypeError, IndexError) as e:
            for kept in () if self._numbered or payload[:1] != b"[" else self._books.values():
                kept.doubt()  # it may be about any book, and there are no numbers
            raise malformed("frame", e) from None

    def keep(self, symbol: Symbol) -> StreamedBook:
        """Make a book; missing messages show in the connection's numbers, checksums in messages of their own."""
        return StreamedBook(symbol, self.messages(symbol), self.again)

    def write(self, method: Method, items: Sequence[Item], number: int | None) -> bytes:  # noqa: ARG002 - requests have none
        """A request to subscribe to a channel, or to unsubscribe it by its number; no channel has the number 0."""
        ((channel, symbol),) = items
        if method == "unsubscribe":
            known = (id_ for id_, name in self._names.items() if name == (channel, symbol.native))
            return msgspec.json.encode({"event": method, "chanId": next(known, 0)})
        request = {"event": method, "channel": "trades" if channel == "trade" else "book", "symbol": symbol.native}
        book = {"prec": "P0", "freq": "F0", "len": str(self.depth)} if channel == "orderbook" else {}
        return msgspec.json.encode(request | book)

    def _message(self, message: list[Any], payload: bytes, received_us: Micros) -> list[Output]:
        id_, content, number, at_us = parts(message, numbered=self._numbered)
        before, self._number, last, self._last = self._number, number, self._last, payload
        if before is not None and number != before + 1 and (number, payload) != (before, last):
            return self._lost(received_us)
        if content == "hb" or (number == before and number is not None):
            return []
        channel, native = self._names.get(id_, (None, None))
        if channel == "trade":  # a list: earlier trades; "tu": repeats a "te"
            return self._trade(native, message[2], received_us) if content == "te" else []
        kept = self.kept(native)
        if content == "cs":
            wrong = kept.current is not None and checksum(kept.current) != message[2]
            return kept.restart("checksum", received_us) if wrong else []
        if type(content) is not list:
            raise FrameRejected("unknown", f"a message {message!r:.100}")
        is_whole = not content or type(content[0]) is list
        try:
            levels = sides(content if is_whole else [content])
        except (ValueError, TypeError) as e:
            kept.doubt()
            raise malformed(f"book of {kept.native}", e) from None
        event = BookEvent(*levels, NO_NUMBER if number is None else number, exchange_us=at_us)
        out = (kept.snapshot if is_whole else kept.change)(event, received_us)
        return self.heard(kept, out) if kept.new else out

    def _lost(self, received_us: Micros) -> list[Output]:
        """Restart every book: a message of any channel is missing, or has a wrong number."""
        names = [native for channel, native in self._names.values() if channel == "orderbook"]
        carried = [kept for native in names if (kept := self._books.get(native)) is not None]
        return [output for k in carried if not k.restarting for output in k.restart("gap", received_us)]

    def _trade(self, native: str | None, content: list[Any], received_us: Micros) -> list[Output]:
        trade_id, ms, amount, price, *_ = content
        if type(trade_id) is not int or type(ms) is not int or not 0 <= ms < 2**53:
            raise ValueError(f"not a trade: {content!r:.100}")
        size = decimal_text(amount)
        side: TakerSide = "sell" if size[0] == "-" else "buy"
        of_trade = str(trade_id), decimal_text(price), size.removeprefix("-")
        return self.trade(native, *of_trade, side, received_us, exchange_us=ms * 1000)

    def _event(self, event: _Event, payload: bytes) -> list[Output]:
        kind, native = event.event, event.symbol
        if why := _LEAVING.get((kind, event.code)):
            return [Reconnect(why)]
        channel = _CHANNELS.get(event.channel) if event.prec == "P0" else None
        if kind == "error" and channel is not None:
            return self.answered_each(channel, native, f"{event.msg:.150} (code {event.code})")
        if kind == "subscribed" and event.id and native in (self._traded if channel == "trade" else self._books):
            return self._subscribed(channel, str(native), event)
        if kind == "subscribed" and event.id and channel is not None and native in self._left:
            self._names[event.id] = channel, str(native)  # unsubscribed before its number was known
            return [Send(msgspec.json.encode({"event": "unsubscribe", "chanId": event.id}))]
        if kind == "conf" and event.status == "OK" and event.flags & (_NUMBERS | _CHECKSUMS):
            self._numbered = bool(event.flags & _NUMBERS)
            return []
        if kind not in {"info", "pong", "unsubscribed"} or event.status not in {None, "OK"}:
            raise contract.unexpected(payload)
        self._names.pop(event.id, None)
        return []

    def _subscribed(self, channel: Channel | None, native: str, event: _Event) -> list[Output]:
        """Note a channel's number, and a book's depth as the exchange gives it."""
        if channel is None:
            raise FrameRejected("unknown", f"a subscription of {event.channel!r:.40} {event.prec:.10}")
        self._names[event.id] = channel, native
        if channel == "orderbook" and event.length is not None:
            self.kept(native).promise(int(event.length))
        return self.answered_each(channel, native, None)
