"""MEXC spot: ``aggre.bookTicker`` (best bid and offer), ``aggre.depth`` (order book) and ``aggre.deals`` (trades).

Streams, pings, limits: https://www.mexc.com/api-docs/spot-v3/websocket-market-streams
Messages: https://github.com/mexcdevelop/websocket-proto (Protocol Buffers; answers are JSON text on the same socket)
The order book's procedure:
https://www.mexc.com/api-docs/spot-v3/websocket-market-streams/how-to-properly-maintain-a-local-copy-of-the-order-book
Snapshot and listing: https://www.mexc.com/api-docs/spot-v3/market-data-endpoints

A ticker has no number, and its time is that of its sending. A trade has an id in the newest definitions only; without
one it has the time of its message's sending and its place in it. Not confirmed: that a trade's side is the taker's,
limits of messages, what a ticker says of an empty side (here: nothing, or a size of 0).
"""

import re
from collections.abc import Sequence

import msgspec
from msgspec import Raw, Struct

from tickwire.errors import FrameRejected
from tickwire.events.types import Level, Micros, TakerSide
from tickwire.exchanges import contract
from tickwire.exchanges.contract import Channel, Fetch, Limit, Output, Symbol, decoded, malformed
from tickwire.exchanges.kit import BookEvent, BridgedBook, Item, KitAdapter, Message, Method, by_first, by_range
from tickwire.exchanges.symbols import Listing, named_by_rule

EXCHANGE = contract.Exchange(
    name="mexc",
    ws_url="wss://wbs-api.mexc.com/ws",
    frames="both",
    rest_url="https://api.mexc.com",
    listing_paths=("/api/v3/exchangeInfo",),
    listing_weight=10,
    symbols_per_connection=10,  # "one ws connection supports a maximum of 30 subscriptions", three a symbol
    message_interval_s=0.1,  # no limit is documented
    connect_interval_s=1.0,  # no limit is documented
    max_connection_s=23.5 * 3600,  # "valid for no more than 24 hours"
    rest_limits=(Limit(500, 10.0),),  # 500 in 10 s
    ping_interval_s=20.0,  # closed after a minute without data, where no ping keeps it
    silence_s=45.0,
    max_frame_bytes=1024 * 1024,  # a change of 5000 levels a side has less than half of it
    book_depths=range(1, 5001),
    checks=("sequence",),
)

_NAMES: dict[Channel, str] = {"ticker": "bookTicker", "orderbook": "depth", "trade": "deals"}  # ours, MEXC's
_CHANNELS: dict[str, Channel] = {name: channel for channel, name in _NAMES.items()}
_STREAM, _SYMBOL, _SENT = 1, 3, 6  # fields of every message
_DEPTH, _DEALS, _BEST = 313, 314, 315  # the one that says what happened
_SIDES: dict[int, TakerSide] = {1: "buy", 2: "sell"}
_TOPIC = re.compile(r"spot@public\.aggre\.(bookTicker|depth|deals)\.v3\.api\.pb@\d+ms@(\w+)")
_MOST = 2**53  # a number or time


class _Answer(Struct):
    """The answer to a request or a ping; *msg* is what was asked for, or says what is wrong with it."""

    msg: str
    id: int | str | None = None  # no request of ours has a text
    code: int = 0


class _Snapshot(Struct):
    last: int = msgspec.field(name="lastUpdateId")
    bids: Raw
    asks: Raw


class _Listed(Struct, rename="camel"):
    symbol: str
    status: str  # "1" where it trades
    base_asset: str
    quote_asset: str


class _ExchangeInfo(Struct):
    symbols: list[_Listed]


_decode_answer = msgspec.json.Decoder(_Answer).decode
_decode_snapshot = msgspec.json.Decoder(_Snapshot).decode
_decode_listing = msgspec.json.Decoder(_ExchangeInfo).decode


def read_listing(body: bytes) -> Listing:
    """Read ``/api/v3/exchangeInfo``. Raises :exc:`~tickwire.errors.FrameRejected`."""
    listed = decoded("exchangeInfo", _decode_listing, body).symbols
    symbols = [Symbol(f"{each.base_asset}-{each.quote_asset}", each.symbol) for each in listed]
    return Listing(symbols, resting={each.symbol: f"status {each.status}" for each in listed if each.status != "1"})


derive = named_by_rule(EXCHANGE.name, "{}{}".format)


class Adapter(KitAdapter[BridgedBook]):
    """One connection to the public endpoint. See :class:`~tickwire.exchanges.contract.AdapterContract`."""

    exchange = EXCHANGE
    most = 1
    ping_text = b'{"method":"PING"}'

    def keep(self, symbol: Symbol) -> BridgedBook:
        """Keep a book by the versions of its changes, the first of which may begin within the snapshot.

        "``fromVersion`` = previous ``toVersion`` + 1".
        """
        fetch = Fetch(symbol, f"/api/v3/depth?symbol={symbol.native}&limit=5000", 1)
        messages = self.messages(symbol)
        return BridgedBook(messages, fetch, _read_snapshot, by_first, by_range)

    def write(self, method: Method, items: Sequence[Item], number: int | None) -> bytes:
        """Ask for one stream."""
        ((channel, symbol),) = items
        topic = f"spot@public.aggre.{_NAMES[channel]}.v3.api.pb@100ms@{symbol.native}"
        name = "SUBSCRIPTION" if method == "subscribe" else "UNSUBSCRIPTION"
        return msgspec.json.encode({"method": name, "params": [topic], "id": number})

    def receive(self, payload: bytes, received_us: Micros) -> list[Output]:
        """Translate one frame. Raises :exc:`~tickwire.errors.FrameRejected`."""
        if payload.startswith(b"{"):
            return self._answered(decoded("answer", _decode_answer, payload))
        try:
            return self._data(Message(payload), received_us)
        except ValueError as e:
            raise malformed("frame", e) from None

    def _data(self, message: Message, received_us: Micros) -> list[Output]:
        native = message.text(_SYMBOL) or message.text(_STREAM).rpartition("@")[2]
        sent_ms = _checked(message.number(_SENT))
        if _DEPTH in message:
            kept, depth = self.kept(native), message.messages(_DEPTH)[-1]
            first, last = _version(depth, 4), _version(depth, 5)
            event = BookEvent(_levels(depth, 2), _levels(depth, 1), last, first, exchange_us=sent_ms * 1000)
            out = kept.change(event, received_us)
            return self.heard(kept, out) if kept.new else out
        if _BEST in message:
            best = message.messages(_BEST)[-1]
            bid, bid_size, ask, ask_size = (best.text(field) or None for field in (1, 2, 3, 4))
            return self.ticker(native, bid, bid_size, ask, ask_size, received_us, exchange_us=sent_ms * 1000)
        if _DEALS in message:
            deals = [deal for part in message.messages(_DEALS) for deal in part.messages(1)]
            return [o for i, deal in enumerate(deals) for o in self._trade(native, deal, f"{sent_ms}.{i}", received_us)]
        raise FrameRejected("unknown", f"a message of {message.text(_STREAM)!r:.100}")

    def _trade(self, native: str, deal: Message, name: str, received_us: Micros) -> list[Output]:
        side = _SIDES.get(deal.number(3))
        if side is None:
            raise malformed(f"trade of {native}", f"the type {deal.number(3)}")
        said = native, deal.text(5) or name, deal.text(1), deal.text(2), side
        return self.trade(*said, received_us, exchange_us=_checked(deal.number(4)) * 1000)

    def _answered(self, answer: _Answer) -> list[Output]:
        """Take an answer: "if the msg matches the request, it was successful"."""
        if answer.msg == "PONG":
            return []
        topics = _TOPIC.findall(answer.msg)
        error = None if answer.code == 0 and answer.msg.startswith("spot@") else answer.msg[: contract.MAX_TEXT]
        if not topics and error is not None:
            return self.answered("" if answer.id is None else answer.id, error)
        return [o for name, native in topics for o in self.answered_each(_CHANNELS[name], native, error)]


def _checked(number: int) -> int:
    if not 0 <= number <= _MOST:
        raise ValueError(f"the number {number}")
    return number


def _version(depth: Message, field: int) -> int:
    text = depth.text(field)
    if not (text.isascii() and text.isdigit()):
        raise ValueError(f"the version {text!r:.40}")
    return _checked(int(text))


def _levels(depth: Message, field: int) -> list[Level]:
    return [(level.text(1), level.text(2)) for level in depth.messages(field)]


def _read_snapshot(body: bytes) -> BookEvent:
    snapshot = _decode_snapshot(body)
    return BookEvent(snapshot.bids, snapshot.asks, snapshot.last)
