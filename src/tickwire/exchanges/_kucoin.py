"""What KuCoin's push socket sends, and what is listed.

Messages: https://www.kucoin.com/docs-new/websocket-api/base-info/introduction-uta
Listing: https://www.kucoin.com/docs-new/rest/spot-trading/market-data/get-all-symbols
"""

from typing import Annotated, Literal

import msgspec
from msgspec import Meta, Raw, Struct

from tickwire.exchanges.contract import Symbol, decoded
from tickwire.exchanges.symbols import Listing

_NO_LEVELS = Raw(b"[]")
_Number = Annotated[int, Meta(ge=0, le=2**53)]
_Long = Annotated[int, Meta(ge=0, le=2**63 - 1)]


class Data(Struct, gc=False):
    """The data of one symbol. A ticker's prices and sizes are texts, a book's sides are levels."""

    s: str
    M: _Long  # time of the event
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


class Frame(Struct):
    """Data of a channel, or an answer."""

    T: str = ""
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


decode = msgspec.json.Decoder(Frame).decode
decode_data = msgspec.json.Decoder(Data).decode
decode_text = msgspec.json.Decoder(str | None).decode
_decode_listing = msgspec.json.Decoder(_Symbols).decode


def read_listing(body: bytes) -> Listing:
    """Read ``/api/v1/symbols``. Raises :exc:`~tickwire.errors.FrameRejected`."""
    listed = decoded("symbols", _decode_listing, body).data
    symbols = [Symbol(f"{each.base}-{each.quote}", each.symbol) for each in listed]
    return Listing(symbols, resting={each.symbol: "not trading" for each in listed if not each.trading})
