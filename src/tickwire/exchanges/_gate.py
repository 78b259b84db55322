"""What Gate's WebSocket v4 sends.

Channels: https://www.gate.com/docs/developers/apiv4/ws/en/
"""

from typing import Annotated

import msgspec
from msgspec import Meta, Raw, Struct

from tickwire.events.types import TakerSide

_NO_LEVELS = Raw(b"[]")
_Number = Annotated[int, Meta(ge=0, le=2**53)]


class Ticker(Struct, gc=False):
    s: str
    u: _Number
    t: _Number
    b: str  # "" where there is no bid
    B: str
    a: str
    A: str


class Book(Struct, gc=False):
    """A snapshot, which is *full*, or a change; a change without levels only advances the number."""

    s: str  # ob.SYMBOL.DEPTH
    u: _Number
    U: _Number | None = None
    t: _Number | None = None
    full: bool = False
    b: Raw = _NO_LEVELS
    a: Raw = _NO_LEVELS


class Trade(Struct, gc=False):
    id: _Number  # numbered over all markets, so with holes
    currency_pair: str
    create_time_ms: Annotated[str, Meta(pattern=r"^[0-9]{1,14}([.][0-9]{0,9})?$")]
    side: TakerSide  # "only the taker side is notified"
    amount: str
    price: str


class Error(Struct):
    code: int | None = None
    message: str = "no reason"


class Frame(Struct):
    channel: str | None = None
    event: str | None = None
    result: Raw = Raw(b"null")
    error: Error | None = None
    payload: list[str] = []  # of the request that this answers
    id: int | str | None = None  # no request of ours has a text


decode = msgspec.json.Decoder(Frame).decode
decode_ticker = msgspec.json.Decoder(Ticker).decode
decode_book = msgspec.json.Decoder(Book).decode
decode_trade = msgspec.json.Decoder(Trade).decode


def stream_of(name: str) -> tuple[str, int | None]:
    """The symbol and the depth in the name of a book's stream; other streams have only the symbol."""
    symbol, _, depth = name.removeprefix("ob.").rpartition(".")
    return (symbol, int(depth)) if symbol and depth.isdecimal() and len(depth) < 6 else (name, None)
