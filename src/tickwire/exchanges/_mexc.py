"""What MEXC sends and lists: messages in Protocol Buffers, answers, snapshots.

Messages: https://github.com/mexcdevelop/websocket-proto
Snapshot and listing: https://www.mexc.com/api-docs/spot-v3/market-data-endpoints
"""

from typing import Annotated

import msgspec
from msgspec import Meta, Raw, Struct

from tickwire.events.protobuf import NUMBER, TEXT, Field
from tickwire.exchanges.contract import Symbol, decoded
from tickwire.exchanges.kit import BookEvent
from tickwire.exchanges.symbols import Listing

_MOST = 2**53  # a number or time
_Number = Annotated[int, Meta(ge=0, le=_MOST)]

_LEVEL = (Field(1, "", TEXT), Field(2, "", TEXT))  # price and size
_DEPTH = (
    Field(1, "asks", _LEVEL, many=True),
    Field(2, "bids", _LEVEL, many=True),
    Field(4, "first", TEXT),
    Field(5, "last", TEXT),
)
_DEAL = (
    Field(1, "price", TEXT),
    Field(2, "size", TEXT),
    Field(3, "side", NUMBER),
    Field(4, "ms", NUMBER),
    Field(5, "name", TEXT),
)
_BEST = (Field(1, "bid", TEXT), Field(2, "bid_size", TEXT), Field(3, "ask", TEXT), Field(4, "ask_size", TEXT))
FIELDS = (
    Field(1, "stream", TEXT), Field(3, "symbol", TEXT), Field(6, "ms", NUMBER), Field(313, "depth", _DEPTH),
    Field(314, "deals", (Field(1, "deals", _DEAL, many=True),)), Field(315, "best", _BEST),
)  # fmt: skip


class Answer(Struct):
    """The answer to a request or a ping; *msg* repeats the request, or says what is wrong with it."""

    msg: str
    id: int | str | None = None  # no request of ours has a text
    code: int = 0


class Depth(Struct, gc=False):
    bids: Raw
    asks: Raw
    first: str  # a number as text, as the last one
    last: str


class Deal(Struct, gc=False):
    price: str
    size: str
    side: int
    ms: _Number
    name: str


class Deals(Struct):
    deals: list[Deal]


class Best(Struct, gc=False):
    bid: str
    bid_size: str
    ask: str
    ask_size: str


class Frame(Struct, gc=False):
    """A message; the member that is present gives its kind."""

    stream: str
    symbol: str
    ms: _Number  # of its sending
    depth: Depth | None = None
    deals: Deals | None = None
    best: Best | None = None


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


decode = msgspec.json.Decoder(Frame).decode
decode_answer = msgspec.json.Decoder(Answer).decode
_decode_snapshot = msgspec.json.Decoder(_Snapshot).decode
_decode_listing = msgspec.json.Decoder(_ExchangeInfo).decode


def read_listing(body: bytes) -> Listing:
    """Read ``/api/v3/exchangeInfo``. Raises :exc:`~tickwire.errors.FrameRejected`."""
    listed = decoded("exchangeInfo", _decode_listing, body).symbols
    symbols = [Symbol(f"{each.base_asset}-{each.quote_asset}", each.symbol) for each in listed]
    return Listing(symbols, resting={each.symbol: f"status {each.status}" for each in listed if each.status != "1"})


def version(text: str) -> int:
    """Read the number of an update. Raises :exc:`ValueError`."""
    if not (text.isascii() and text.isdigit() and len(text) <= len(str(_MOST)) and int(text) <= _MOST):
        raise ValueError(f"the version {text!r:.40}")
    return int(text)


def read_snapshot(body: bytes) -> BookEvent:
    """Read ``/api/v3/depth``. Raises what msgspec does."""
    snapshot = _decode_snapshot(body)
    return BookEvent(snapshot.bids, snapshot.asks, snapshot.last)
