"""What Coinbase Advanced Trade says and lists: products in USDC are another name of those in USD.

Channels: https://docs.cdp.coinbase.com/coinbase-app/advanced-trade-apis/websocket/websocket-channels
Listing: https://docs.cdp.coinbase.com/api-reference/advanced-trade-api/rest-api/public/list-public-products
"""

from typing import Annotated, Literal

import msgspec
from msgspec import Meta, Struct

from tickwire.exchanges.contract import Symbol, decoded
from tickwire.exchanges.symbols import Listing, split_name

_IN_USDC = {"USDT", "EURC"}  # traded in USDC under no other name


class Ticker(Struct, gc=False):
    """The best prices at a trade."""

    product_id: str
    price: str | None = None
    best_bid: str | None = None
    best_bid_quantity: str | None = None
    best_ask: str | None = None
    best_ask_quantity: str | None = None


class Update(Struct, gc=False):
    """A level of a book; size zero removes it."""

    side: Literal["bid", "offer"]
    price_level: str
    new_quantity: str


class Trade(Struct, gc=False):
    """An execution; its side is the maker's."""

    product_id: str
    trade_id: str
    price: str
    size: str
    side: Literal["BUY", "SELL"]
    time: str


class Event(Struct, gc=False):
    """The fields of events of all channels."""

    type: str = ""
    product_id: str | None = None
    updates: list[Update] = []
    tickers: list[Ticker] = []
    trades: list[Trade] = []
    subscriptions: dict[str, list[str] | None] = {}


class Frame(Struct):
    """A message of any channel, or an error."""

    channel: str | None = None
    timestamp: str | None = None
    sequence_num: Annotated[int, Meta(ge=0, le=2**53)] | None = None
    events: list[Event] = []
    type: str | None = None
    message: str = "no reason"  # of an error


class _Product(Struct):
    product_id: str
    base_currency_id: str
    quote_currency_id: str
    alias: str = ""
    status: str = "online"
    trading_disabled: bool = False
    is_disabled: bool = False


class _Products(Struct):
    products: list[_Product]


_decode_listing = msgspec.json.Decoder(_Products).decode


def read_listing(body: bytes) -> Listing:
    """Read ``market/products``. Raises :exc:`~tickwire.errors.FrameRejected`."""
    listed = {each.product_id: each for each in decoded("products", _decode_listing, body).products}
    own = {n: Symbol(f"{p.base_currency_id}-{p.quote_currency_id}", n) for n, p in listed.items() if not p.alias}
    spellings = {name: own[product.alias] for name, product in listed.items() if product.alias in own}
    disabled = [name for name in own if listed[name].trading_disabled or listed[name].is_disabled]
    resting = {name: listed[name].status for name in own if listed[name].status != "online"}
    return Listing(own.values(), spellings, dict.fromkeys(disabled, "disabled") | resting)


def derive(symbol: str) -> Symbol:
    """Name a symbol by rule. Raises :exc:`~tickwire.errors.UnclearSymbol`."""
    base, quote = split_name(symbol.upper(), "coinbase_advanced")
    name = f"{base}-USD" if quote == "USDC" and base not in _IN_USDC else f"{base}-{quote}"
    return Symbol(name, name)
