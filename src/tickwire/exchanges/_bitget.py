"""What Bitget sends and lists.

Messages: https://www.bitget.com/api-doc/spot/websocket/public/Depth-Channel and …/Trades-Channel
Listing: https://www.bitget.com/api-doc/spot/market/Get-Symbols
"""

from typing import Annotated, Literal

import msgspec
from msgspec import Meta, Raw, Struct

from tickwire.events.types import TakerSide
from tickwire.exchanges.contract import Symbol, decoded, malformed
from tickwire.exchanges.symbols import Listing

_Number = Annotated[int, Meta(ge=0, le=2**62)]


class Argument(Struct):
    channel: str
    name: str = msgspec.field(name="instId")


class Sides(Struct, gc=False):
    """A book's snapshot or change, or the best bid and offer as a book of one level a side."""

    asks: Raw
    bids: Raw
    ts: _Number  # ms, as text
    seq: _Number | None = None
    pseq: _Number | None = None  # 0 in a snapshot


class Trade(Struct, gc=False):
    trade_id: str = msgspec.field(name="tradeId")
    price: str
    size: str
    side: TakerSide
    ts: _Number


class Frame(Struct):
    arg: Argument | None = None
    action: Literal["snapshot", "update"] | None = None
    data: Raw = Raw(b"[]")
    event: str | None = None
    code: str | int | None = None
    msg: str | None = None


class _Listed(Struct):
    symbol: str
    base: str = msgspec.field(name="baseCoin")
    quote: str = msgspec.field(name="quoteCoin")
    status: str


class _Symbols(Struct):
    code: str
    data: list[_Listed] = []


decode = msgspec.json.Decoder(Frame).decode
decode_sides = msgspec.json.Decoder(tuple[Sides] | Sides, strict=False).decode  # an object for tokenized stocks
decode_trades = msgspec.json.Decoder(list[Trade], strict=False).decode
_decode_listing = msgspec.json.Decoder(_Symbols).decode


def read_listing(body: bytes) -> Listing:
    """Read ``/api/v2/spot/public/symbols``. Raises :exc:`~tickwire.errors.FrameRejected`."""
    answer = decoded("symbols", _decode_listing, body)
    if answer.code != "00000":
        raise malformed("symbols", f"the exchange answered {answer.code!r:.100}")
    symbols = [Symbol(f"{each.base}-{each.quote}", each.symbol) for each in answer.data]
    return Listing(symbols, resting={s.symbol: s.status for s in answer.data if s.status in {"halt", "offline"}})
