"""What Bitstamp sends and lists.

Messages: https://www.bitstamp.net/websocket/v2/
Listing: https://www.bitstamp.net/api/#tag/Market-info
"""

from typing import Annotated, Literal

import msgspec
from msgspec import Meta, Raw, Struct

from tickwire.exchanges.contract import Symbol, decoded
from tickwire.exchanges.symbols import Listing

_NO_DATA = Raw(b"null")
_Micros = Annotated[str, Meta(pattern=r"^[0-9]{1,16}$")]


class Frame(Struct):
    event: str
    channel: str = ""
    data: Raw = _NO_DATA


class Book(Struct):
    """A change, or a snapshot."""

    bids: Raw
    asks: Raw
    microtimestamp: _Micros


class Trade(Struct):
    id: int
    price_str: str
    amount_str: str
    type: Literal[0, 1]  # 0: the taker bought
    microtimestamp: _Micros


class Error(Struct):
    code: int | None = None
    message: str = "no reason"


class _Pair(Struct):
    name: str
    url_symbol: str
    trading: str = "Enabled"


decode = msgspec.json.Decoder(Frame).decode
decode_book = msgspec.json.Decoder(Book).decode
decode_trade = msgspec.json.Decoder(Trade).decode
decode_error = msgspec.json.Decoder(Error).decode
_decode_listing = msgspec.json.Decoder(list[_Pair]).decode


def read_listing(body: bytes) -> Listing:
    """Read ``trading-pairs-info``, with pairs that do not trade now. Raises :exc:`~tickwire.errors.FrameRejected`."""
    pairs = [(pair, *pair.name.partition("/")) for pair in decoded("pairs", _decode_listing, body)]
    spot = [(pair, base, quote) for pair, base, slash, quote in pairs if slash and quote.isalnum()]
    symbols = [Symbol(f"{base}-{quote}", pair.url_symbol) for pair, base, quote in spot]
    return Listing(symbols, resting={p.url_symbol: p.trading for p, _, _ in spot if p.trading != "Enabled"})
