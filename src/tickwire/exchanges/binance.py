"""Binance spot: ``bookTicker``, ``depth@100ms`` and ``trade``.

Streams and the order book's procedure: https://developers.binance.com/docs/binance-spot-api-docs/web-socket-streams
Snapshot, listing and their weights: https://developers.binance.com/docs/binance-spot-api-docs/rest-api/market-data-endpoints

A book begins with a snapshot of 100 levels (weight 5) and is deepened to 1,000 (50) or 5,000 (250).
"""

import msgspec
from msgspec import Struct, field

from tickwire.events.rules import NEXT, Rule
from tickwire.exchanges import contract
from tickwire.exchanges._binance import BinanceAdapter, read_snapshot, snapshots
from tickwire.exchanges.contract import Symbol, decoded
from tickwire.exchanges.kit import BridgedBook, by_range
from tickwire.exchanges.symbols import Listing, named_by_rule

EXCHANGE = contract.Exchange(
    name="binance",
    ws_url="wss://stream.binance.com:9443/stream",
    rest_url="https://api.binance.com",
    listing_paths=("/api/v3/exchangeInfo",),
    listing_weight=20,
    trades_numbered=True,
    symbols_per_connection=340,  # 1024 streams a connection, up to three a symbol
    message_interval_s=0.3,  # 5 messages a second, pings and pongs among them
    connect_interval_s=1.0,  # 300 attempts in 5 minutes from one address
    max_connection_s=23.5 * 3600,  # closed by the exchange after 24 hours
    rest_limits=(contract.Limit(6000, 60.0),),
    ping_interval_s=30.0,  # the exchange pings every 20 s, so this is already late
    silence_s=60.0,
    crossed_s=5.0,  # the sequence shows what was lost, not what was wrong in a snapshot or in the book here
    book_depths=range(1, 5001),
    checks=("sequence",),
)

_SNAPSHOTS = {100: 5, 1000: 50, 5000: 250}  # levels a side, weight
_TICKER_SHAPE = b'{"stream":"~@bookTicker","data":{"u":#,"s":"$","b":"%","B":"%","a":"%","A":"%"+}}'
_DEPTH_SHAPE = b'{"stream":"~@depth@100ms","data":{"e":"depthUpdate","E":#m,"s":"$","U":#f,"u":#l,"b":=b,"a":=a+}}'
_TRADE_SHAPE = b'{"stream":"~@trade","data":{"e":"trade","E":*,"s":"$","t":#,"p":"%","q":"%","T":#m,"m":<false|true>+}}'


class _Listed(Struct):
    symbol: str
    base: str = field(name="baseAsset")
    quote: str = field(name="quoteAsset")
    status: str


class _ExchangeInfo(Struct):
    symbols: list[_Listed]


_decode_listing = msgspec.json.Decoder(_ExchangeInfo).decode


def read_listing(body: bytes) -> Listing:
    """Read ``/api/v3/exchangeInfo``, with what does not trade now. Raises :exc:`~tickwire.errors.FrameRejected`."""
    listed = decoded("exchangeInfo", _decode_listing, body).symbols
    symbols = [Symbol(f"{s.base}-{s.quote}", s.symbol) for s in listed]
    return Listing(symbols, resting={s.symbol: s.status for s in listed if s.status != "TRADING"})


derive = named_by_rule(EXCHANGE.name, "{}{}".format)


class Adapter(BinanceAdapter):
    """One connection to the combined streams. See :class:`~tickwire.exchanges.contract.AdapterContract`."""

    exchange = EXCHANGE
    shapes = _TICKER_SHAPE, _DEPTH_SHAPE, _TRADE_SHAPE
    rule = Rule(NEXT)

    def keep(self, symbol: Symbol) -> BridgedBook:
        """Make a book by the documented procedure."""
        fetches = snapshots(symbol, "/api/v3/depth", _SNAPSHOTS)
        return BridgedBook(self.messages(symbol), fetches, read_snapshot, by_range, short_way=self.short_way)
