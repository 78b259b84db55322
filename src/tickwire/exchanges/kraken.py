"""Kraken WebSocket v2: ``ticker`` (best bid and offer), ``book`` and ``trade``.

Channels: https://docs.kraken.com/api/docs/websocket-v2/ticker, https://docs.kraken.com/api/docs/websocket-v2/book
and https://docs.kraken.com/api/docs/websocket-v2/trade
Keeping the book, checksum: https://docs.kraken.com/api/docs/guides/spot-ws-book-v2
Listing, without a class of currencies alone: https://docs.kraken.com/api/docs/rest-api/get-tradable-asset-pairs
"""

import zlib
from collections.abc import Sequence

import msgspec
from msgspec import Struct

from tickwire.errors import FrameRejected
from tickwire.events.book import Book
from tickwire.events.decimals import decimal_text
from tickwire.events.digest import ASKS_FIRST, DIGITS, Digest, digest_text
from tickwire.events.rules import ANY, Rule
from tickwire.events.types import Micros
from tickwire.exchanges import contract
from tickwire.exchanges._kraken import BookFrame, Entry, Frame, decode, decode_book
from tickwire.exchanges.contract import UNREADABLE, Channel, Exchange, Output, Symbol, decoded, malformed
from tickwire.exchanges.kit import Item, KitAdapter, Method, StreamedBook
from tickwire.exchanges.numbers import best, micros, time_us
from tickwire.exchanges.symbols import Listing, split_name

EXCHANGE = Exchange(
    name="kraken",
    ws_url="wss://ws.kraken.com/v2",
    rest_url="https://api.kraken.com",
    listing_paths=("/0/public/AssetPairs", "/0/public/AssetPairs?aclass_base=tokenized_asset"),
    trades_numbered=True,  # "a sequence number, unique per book"
    symbols_per_connection=200,  # no limit is documented
    message_interval_s=0.2,  # "Exceeded msg rate" exists, its number is not documented
    connect_interval_s=1.0,  # about 150 attempts in 10 minutes from one address; the back-off keeps below
    ping_interval_s=10.0,  # heartbeats come every second when nothing else does
    silence_s=30.0,
    book_depths=(10, 25, 100, 500, 1000),
    checks=("checksum",),
)

# Price and quantity of ten asks, then of ten bids, "after all of a message".
_DIGEST = Digest(10, ASKS_FIRST, DIGITS)
_NAMES = ("price", "qty")
_THEIRS: dict[Channel, str] = {"ticker": "ticker", "orderbook": "book", "trade": "trade"}
_OURS: dict[str | None, Channel | None] = {theirs: ours for ours, theirs in _THEIRS.items()}
_BOOK_START = b'{"channel":"book"'
_KNOWN = _OURS | {"status": None, "heartbeat": None}
_TRADING = frozenset({"online", "limit_only", "post_only", "reduce_only"})
_OLD_ASSETS = {"XBT": "BTC", "XDG": "DOGE"}  # names of the REST interface, names of the WebSocket v2
# No TUSD: DOTUSD.
_QUOTES = ("USD", "USDT", "USDC", "EUR", "GBP", "CAD", "AUD", "CHF", "JPY", "DAI", "BTC", "XBT", "ETH")
_TICKER_SHAPE = (
    b'{"channel":"ticker","type":"~","data":[{"symbol":"$","bid":%,"bid_qty":%,"ask":%,"ask_qty":%,"last":%,'
    b'"volume":*,"vwap":*,"low":*,"high":*,"change":*,"change_pct":*+(,"timestamp":"^")+}]}'
)
_BOOK_SHAPE = (
    b'{"channel":"book","type":"update","data":[{"symbol":"$","bids":=b,"asks":=a,"checksum":#c,"timestamp":"^"+}]}'
)
_TRADE_SHAPE = (  # of one trade; messages with several are rarer
    b'{"channel":"trade","type":"update","data":[{"symbol":"$","side":"<buy|sell>","price":%,"qty":%,"ord_type":"~",'
    b'"trade_id":#,"timestamp":"^"+}]}'
)


class _Pair(Struct):
    wsname: str | None = None  # as WebSocket v1 spells it
    altname: str | None = None
    status: str = "online"


class _AssetPairs(Struct):
    error: list[str]
    result: dict[str, _Pair] = {}


_decode_listing = msgspec.json.Decoder(_AssetPairs).decode


def read_listing(body: bytes) -> Listing:
    """Read ``/0/public/AssetPairs``. Raises :exc:`~tickwire.errors.FrameRejected`."""
    pairs = decoded("AssetPairs", _decode_listing, body)
    if pairs.error:
        raise malformed("AssetPairs", f"the exchange answered {pairs.error!r}")
    named = [(name, pair, *(pair.wsname or "").partition("/")) for name, pair in pairs.result.items()]
    listed = [(name, pair, _symbol(base, quote)) for name, pair, base, slash, quote in named if slash]
    spellings = {text: symbol for name, pair, symbol in listed for text in (name, pair.altname, pair.wsname) if text}
    resting = {symbol.native: pair.status for _, pair, symbol in listed if pair.status not in _TRADING}
    return Listing([symbol for _, _, symbol in listed], spellings, resting)


def derive(symbol: str) -> Symbol:
    """Name a symbol by rule. Raises :exc:`~tickwire.errors.UnclearSymbol`."""
    return _symbol(*split_name(symbol, EXCHANGE.name, _QUOTES))


def _symbol(base: str, quote: str) -> Symbol:
    base, quote = _OLD_ASSETS.get(base, base), _OLD_ASSETS.get(quote, quote)
    return Symbol(f"{base}-{quote}", f"{base}/{quote}")


class Adapter(KitAdapter[StreamedBook]):
    """One connection to the public endpoint. See :class:`~tickwire.exchanges.contract.AdapterContract`."""

    exchange = EXCHANGE
    most = 50  # symbols in one message
    apart = True
    ping_text = b'{"method":"ping"}'
    shapes = _TICKER_SHAPE, _BOOK_SHAPE, _TRADE_SHAPE
    rule = Rule(ANY, _DIGEST, _NAMES)

    def receive(self, payload: bytes, received_us: Micros) -> list[Output]:
        """Translate one frame. Raises :exc:`~tickwire.errors.FrameRejected`."""
        try:
            if payload.startswith(_BOOK_START) or (frame := decode(payload)).channel == "book":
                return self._change(decode_book(payload), received_us)
            if frame.channel == "ticker":
                return self._best(frame, received_us)
            if frame.channel == "trade":  # a snapshot has trades from before
                updates = frame.data if frame.type == "update" else []
                return [output for entry in updates for output in self._deal(entry, received_us)]
        except (*UNREADABLE, ValueError) as e:
            raise self.unreadable(payload, e, _KNOWN) from None
        if frame.channel in _KNOWN or frame.method in {"pong", "unsubscribe"}:
            return []
        if frame.method == "subscribe":
            return self._subscribed(frame)
        raise contract.unexpected(payload)

    def keep(self, symbol: Symbol) -> StreamedBook:
        """Make a book. "After each update, truncate your book to the subscribed depth": no update says what leaves."""
        of_book = symbol, self.messages(symbol), self.again, self.short_way, _NAMES
        return StreamedBook(*of_book, checksum=_checksum, cut=True)

    def write(self, method: Method, items: Sequence[Item], number: int | None) -> bytes:
        """Ask for symbols of one channel."""
        channel = items[0][0]
        of_channel: dict[Channel, dict[str, object]] = {
            "ticker": {"event_trigger": "bbo"},
            "orderbook": {"depth": self.depth},
            "trade": {"snapshot": False},
        }
        params = {"channel": _THEIRS[channel], "symbol": [symbol.native for _, symbol in items], **of_channel[channel]}
        request = {"method": method, "params": params}
        return msgspec.json.encode(request if number is None else request | {"req_id": number})

    def _best(self, frame: Frame, received_us: Micros) -> list[Output]:
        (entry,) = frame.data
        bid, bid_size = best(entry.bid, entry.bid_qty)
        ask, ask_size = best(entry.ask, entry.ask_qty)
        last, at_us = None if entry.last is None else decimal_text(entry.last), time_us(entry.timestamp)
        return self.ticker(entry.symbol, bid, bid_size, ask, ask_size, received_us, last, exchange_us=at_us)

    def _deal(self, entry: Entry, received_us: Micros) -> list[Output]:
        if entry.side is None:
            raise ValueError("a trade without a side")
        numbers = str(entry.trade_id), decimal_text(entry.price), decimal_text(entry.qty)
        return self.trade(entry.symbol, *numbers, entry.side, received_us, exchange_us=time_us(entry.timestamp))

    def _change(self, frame: BookFrame, received_us: Micros) -> list[Output]:
        (event,) = frame.data
        kept = self.kept(event.symbol)
        if event.timestamp is not None:
            event.exchange_us = micros(event.timestamp)
        if frame.type == "update":
            out = kept.change(event, received_us)
        elif frame.type == "snapshot":
            out = kept.snapshot(event, received_us)
        else:
            raise ValueError(f"a book message of the type {frame.type!r:.100}")
        return self.heard(kept, out) if kept.new else out

    def _subscribed(self, frame: Frame) -> list[Output]:
        """Take the answer for one symbol, known by channel and symbol; the number helps where they are missing."""
        result = frame.result or Entry()
        channel, native = _OURS.get(result.channel), result.symbol or frame.symbol
        said = (frame.error or "no reason")[: contract.MAX_TEXT]
        error = None if frame.success or "already subscribed" in said.lower() else said
        if error is not None and "msg rate" in error.lower():
            # Neither refused nor accepted: it stays pending, and the connection's deadline asks again, later.
            raise FrameRejected("unknown", f"too many messages: {error!r}")
        kept = self._books.get(native) if channel == "orderbook" and error is None else None
        if kept is not None and result.depth is not None and result.depth in EXCHANGE.book_depths:
            kept.promise(result.depth)  # what the exchange says counts, not what we asked for
        return self.answered_each(channel, native, error, frame.req_id)


def _checksum(book: Book) -> int:
    return zlib.crc32(digest_text(book.bids, book.asks, *_DIGEST))
