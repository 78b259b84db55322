"""What Coinbase Exchange sends and lists.

Messages: https://docs.cdp.coinbase.com/exchange/websocket-feed/channels
Listing: https://docs.cdp.coinbase.com/api-reference/exchange-api/rest-api/products/get-all-known-trading-pairs
"""

from typing import Annotated, Literal

import msgspec
from msgspec import Meta, Raw, Struct

from tickwire.exchanges.contract import Symbol, decoded
from tickwire.exchanges.symbols import Listing

_NO_LEVELS = Raw(b"null")  # no side may be missing


class Carried(Struct):
    name: str
    product_ids: list[str] = []


class Frame(Struct):
    """A message of any type."""

    type: str
    product_id: str | None = None
    time: str | None = None
    sequence: Annotated[int, Meta(ge=0, le=2**53)] | None = None
    price: str | None = None
    best_bid: str | None = None
    best_bid_size: str | None = None
    best_ask: str | None = None
    best_ask_size: str | None = None
    bids: Raw = _NO_LEVELS
    asks: Raw = _NO_LEVELS
    trade_id: int | None = None
    side: str | None = None
    size: str | None = None
    changes: list[tuple[Literal["buy", "sell"], str, str]] | None = None
    channels: list[Carried] = []
    message: str = ""
    reason: str = ""


class _Product(Struct):
    id: str
    base: str = msgspec.field(name="base_currency")
    quote: str = msgspec.field(name="quote_currency")
    status: str = "online"
    trading_disabled: bool = False


decode = msgspec.json.Decoder(Frame).decode
_decode_listing = msgspec.json.Decoder(list[_Product]).decode


def read_listing(body: bytes) -> Listing:
    """Read ``/products``, including those that do not trade now. Raises :exc:`~tickwire.errors.FrameRejected`."""
    products = decoded("products", _decode_listing, body)
    resting = {p.id: p.status for p in products if p.status != "online"}
    resting |= {p.id: "trading_disabled" for p in products if p.trading_disabled}
    return Listing([Symbol(f"{p.base}-{p.quote}", p.id) for p in products], resting=resting)
