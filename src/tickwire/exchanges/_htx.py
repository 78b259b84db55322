"""What HTX sends and lists.

Messages, listing: https://huobiapi.github.io/docs/spot/v1/en/#websocket-market-data
"""

from typing import Annotated, Any

import msgspec
from msgspec import Meta, Raw, Struct

from tickwire.events.types import TakerSide
from tickwire.exchanges.contract import Symbol, decoded
from tickwire.exchanges.symbols import Listing

_Number = Annotated[int, Meta(ge=0, le=2**53)]


class Best(Struct, gc=False, rename="camel"):
    quote_time: _Number
    seq_id: _Number | None = None
    bid: Any = None  # a JSON number, as are all that follow
    bid_size: Any = None
    ask: Any = None
    ask_size: Any = None


class Book(Struct, gc=False, rename="camel"):
    """A change, or a snapshot if it has no previous number; a side without changes may be missing."""

    seq_num: _Number
    prev_seq_num: _Number = -1
    bids: Raw = Raw(b"[]")
    asks: Raw = Raw(b"[]")


class Trade(Struct, gc=False, rename="camel"):
    trade_id: _Number
    ts: _Number
    price: Any  # a JSON number
    amount: Any
    direction: TakerSide


class Trades(Struct):
    data: list[Trade]


class Frame(Struct, rename="kebab"):
    """Data of a topic (``ch``), an answer to a question (``rep``) or to a request, or a ping."""

    ch: str | None = None
    tick: Raw = Raw(b"null")
    ts: _Number | None = None
    rep: str | None = None
    data: Raw = Raw(b"null")
    ping: _Number | None = None
    subbed: str | None = None
    unsubbed: str | None = None
    status: str | None = None
    id: str | int | None = None
    err_msg: str = "no reason"


class _Pair(Struct, rename="kebab"):
    symbol: str
    base_currency: str
    quote_currency: str
    state: str


class _Pairs(Struct):
    data: list[_Pair]


decode = msgspec.json.Decoder(Frame).decode
decode_best = msgspec.json.Decoder(Best, float_hook=str).decode
decode_book = msgspec.json.Decoder(Book).decode
decode_trades = msgspec.json.Decoder(Trades, float_hook=str).decode
_decode_listing = msgspec.json.Decoder(_Pairs).decode


def read_listing(body: bytes) -> Listing:
    """Read ``/v1/common/symbols``. Raises :exc:`~tickwire.errors.FrameRejected`."""
    pairs = decoded("symbols", _decode_listing, body).data
    symbols = [Symbol(f"{pair.base_currency}-{pair.quote_currency}".upper(), pair.symbol) for pair in pairs]
    return Listing(symbols, resting={pair.symbol: pair.state for pair in pairs if pair.state != "online"})
