"""Binance USD-M futures: ``bookTicker`` and ``depth@100ms`` on the route ``/public``, ``aggTrade`` on ``/market``.

A subscription on another route is accepted, and nothing comes of it. An ``aggTrade`` joins what one order took at one
price in 100 ms; that their numbers have no holes is not documented.
Streams: https://developers.binance.com/docs/derivatives/usds-margined-futures/websocket-market-streams
Keeping the book: …/websocket-market-streams/How-to-manage-a-local-order-book-correctly
Snapshot, listing and their weights: https://developers.binance.com/docs/derivatives/usds-margined-futures/market-data/rest-api

Sizes are in units of the base. A book begins with a snapshot of 50 levels (weight 2) and is deepened to 1,000 (20).
"""

from collections.abc import Mapping
from typing import Annotated, ClassVar

import msgspec
from msgspec import Meta, Struct, field

from tickwire.errors import UnclearSymbol
from tickwire.events.rules import PREVIOUS, Rule
from tickwire.exchanges import contract
from tickwire.exchanges._binance import BinanceAdapter, Combined, Number, TradeEvent, read_snapshot, snapshots
from tickwire.exchanges.contract import Channel, Symbol, decoded
from tickwire.exchanges.kit import BookEvent, BridgedBook, Verdict, by_previous
from tickwire.exchanges.symbols import QUOTES, Listing, derivative, split_derivative

EXCHANGE = contract.Exchange(
    name="binance_usdm",
    ws_url="wss://fstream.binance.com/public/stream",
    ws_urls={"trade": "wss://fstream.binance.com/market/stream"},
    rest_url="https://fapi.binance.com",
    listing_paths=("/fapi/v1/exchangeInfo",),
    trades_numbered=True,
    symbols_per_connection=100,  # 200 streams a connection: clients count so, the documentation says 1024
    message_interval_s=0.15,  # 10 messages a second, pings and pongs among them
    connect_interval_s=1.0,  # the limit of spot, 300 attempts in 5 minutes; none is documented here
    max_connection_s=23.5 * 3600,  # closed by the exchange after 24 hours
    rest_limits=(contract.Limit(2400, 60.0),),  # one address, COIN-M included since 2026-06-30
    ping_interval_s=30.0,  # the exchange pings every 3 minutes only
    silence_s=60.0,
    book_depths=range(1, 1001),
    checks=("sequence",),
)

_SNAPSHOTS = {50: 2, 1000: 20}  # levels a side, weight

_DEPTH_SHAPE = (
    b'{"stream":"~@depth@100ms","data":{"e":"depthUpdate","E":#m+,"s":"$"+,"U":#f,"u":#l,"pu":#p,"b":=b,"a":=a+}}'
)


class _Trade(TradeEvent, gc=False):
    number: Number = field(name="a")


class _Listed(Struct):
    symbol: str
    base: str = field(name="baseAsset")
    quote: str = field(name="quoteAsset")
    margin: str = field(name="marginAsset")
    status: str
    ends_ms: Annotated[int, Meta(ge=0)] = field(name="deliveryDate", default=0)


class _ExchangeInfo(Struct):
    symbols: list[_Listed]


_decode_listing = msgspec.json.Decoder(_ExchangeInfo).decode


def read_listing(body: bytes) -> Listing:
    """Read ``/fapi/v1/exchangeInfo``. Raises :exc:`~tickwire.errors.FrameRejected`."""
    listed = decoded("exchangeInfo", _decode_listing, body).symbols
    return Listing(map(_named, listed), resting={s.symbol: s.status for s in listed if s.status != "TRADING"})


def derive(symbol: str) -> Symbol:
    """Name a contract by rule: ``BTCUSDT``, ``BTCUSDT_261225``. Raises :exc:`~tickwire.errors.UnclearSymbol`."""
    base, quoted, end = split_derivative(symbol.upper(), EXCHANGE.name)
    if quoted not in QUOTES:
        raise UnclearSymbol(symbol, EXCHANGE.name)
    if end == "PERP":
        return Symbol(f"{base}-{quoted}-{end}", base + quoted, "perpetual", quoted)
    return Symbol(f"{base}-{quoted}-{end}", f"{base}{quoted}_{end}", "future", quoted)


def _named(listed: _Listed) -> Symbol:
    """Make the symbol of a contract. A perpetual one also has a delivery time, far away or that of its delisting."""
    expires = listed.ends_ms if "_" in listed.symbol else None
    return derivative(listed.symbol, listed.base, listed.quote, listed.margin, expires_ms=expires)


class Adapter(BinanceAdapter):
    """One connection to one of the routes. See :class:`~tickwire.exchanges.contract.AdapterContract`."""

    exchange = EXCHANGE
    shapes = b"", _DEPTH_SHAPE, b""
    rule = Rule(PREVIOUS)
    names: ClassVar[Mapping[Channel, str]] = {**BinanceAdapter.names, "trade": "aggTrade"}
    trade_mark = b'@aggTrade"'
    trade_decoder = msgspec.json.Decoder(Combined[_Trade])

    def keep(self, symbol: Symbol) -> BridgedBook:
        """Make a book by the documented procedure: "each new event's pu should be equal to the previous event's u"."""
        fetches, messages = snapshots(symbol, "/fapi/v1/depth", _SNAPSHOTS), self.messages(symbol)
        return BridgedBook(messages, fetches, read_snapshot, by_previous, _bridges, self.short_way)


def _bridges(snapshot: int, event: BookEvent) -> Verdict:
    """Judge the first event after a snapshot: the first to apply "should have U <= lastUpdateId and u >= lastUpdateId".

    There are no updates between ``pu`` and ``U``, so an event also follows a snapshot from between them, such as that
    of a quiet symbol.
    """
    if event.last < snapshot:
        return "old"
    return "next" if event.first <= snapshot or 0 <= event.previous <= snapshot else "gap"
