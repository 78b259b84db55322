"""Bybit v5 contracts in USDT and USDC: ``orderbook.1`` (best bid and offer), ``.50``, ``.200``, ``.1000``, trades.

Topics: https://bybit-exchange.github.io/docs/v5/websocket/public/orderbook and …/trade
Listing: https://bybit-exchange.github.io/docs/v5/market/instrument

Sizes are in units of the base. Limits are those of spot, but for the number of topics in one request.
"""

from msgspec.structs import replace

from tickwire.errors import UnclearSymbol
from tickwire.exchanges import bybit
from tickwire.exchanges._bybit import BybitAdapter
from tickwire.exchanges._bybit_frames import Listed, read_page
from tickwire.exchanges.contract import Reading, Symbol
from tickwire.exchanges.kit import pages
from tickwire.exchanges.symbols import Listing, derivative, split_derivative

EXCHANGE = replace(
    bybit.EXCHANGE,
    name="bybit_linear",
    ws_url="wss://stream.bybit.com/v5/public/linear",
    listing_paths=("/v5/market/instruments-info?category=linear&limit=1000",),
)

_MONTHS = ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC")
_QUOTES = ("USDT", "USDC")


def listings() -> list[Reading[Listing]]:
    """The listing, page by page."""
    return [pages(path, _read_page) for path in EXCHANGE.listing_paths]


def read_listing(body: bytes) -> Listing:
    """Read one page of the listing. Raises :exc:`~tickwire.errors.FrameRejected`."""
    return _read_page(body)[0]


def derive(symbol: str) -> Symbol:
    """Name a contract by rule: ``BTCUSDT``, ``BTCPERP`` for USDC, ``BTCUSDT-25DEC26``, ``BTC-25DEC26`` for USDC.

    Raises :exc:`~tickwire.errors.UnclearSymbol`.
    """
    base, quote, end = split_derivative(symbol.upper(), EXCHANGE.name, _QUOTES)
    if quote not in _QUOTES:
        raise UnclearSymbol(symbol, EXCHANGE.name)
    pair = base + quote if quote == "USDT" else base
    if end == "PERP":
        return Symbol(f"{base}-{quote}-{end}", pair if quote == "USDT" else f"{base}{end}", "perpetual", quote)
    month = int(end[2:4])
    if not 0 < month <= len(_MONTHS):
        raise UnclearSymbol(symbol, EXCHANGE.name)
    return Symbol(f"{base}-{quote}-{end}", f"{pair}-{end[4:]}{_MONTHS[month - 1]}{end[:2]}", "future", quote)


class Adapter(BybitAdapter):
    """One connection to the category ``linear``. See :class:`~tickwire.exchanges.contract.AdapterContract`."""

    exchange = EXCHANGE
    most = 100  # topics in one request; only their characters are limited


def _read_page(body: bytes) -> tuple[Listing, str]:
    return read_page(body, _named)


def _named(listed: Listed) -> Symbol:
    """Name a contract; the time at which a perpetual one ends is that of its delisting."""
    expires = None if listed.kind == "LinearPerpetual" else int(listed.ends_ms)
    return derivative(listed.symbol, listed.base, listed.quote, listed.settlement, expires_ms=expires)
