"""Bybit v5 spot: ``orderbook.1`` (best bid and offer), ``orderbook.50``, ``.200`` or ``.1000``, ``publicTrade``.

Topics: https://bybit-exchange.github.io/docs/v5/websocket/public/orderbook and …/trade
Listing: https://bybit-exchange.github.io/docs/v5/market/instrument
"""

from tickwire.exchanges import contract
from tickwire.exchanges._bybit import BybitAdapter
from tickwire.exchanges._bybit_frames import Listed, read_page
from tickwire.exchanges.contract import Reading, Symbol
from tickwire.exchanges.kit import pages
from tickwire.exchanges.symbols import Listing, named_by_rule

EXCHANGE = contract.Exchange(
    name="bybit",
    ws_url="wss://stream.bybit.com/v5/public/spot",
    rest_url="https://api.bybit.com",
    listing_paths=("/v5/market/instruments-info?category=spot",),  # spot has one page only
    symbols_per_connection=180,  # 21,000 characters of topics a connection: three topics of up to 37 a symbol
    message_interval_s=0.1,  # no limit is documented
    connect_interval_s=1.0,  # 500 attempts in 5 minutes from one address
    rest_limits=(contract.Limit(600, 5.0),),
    keepalive_s=20.0,  # "send the ping heartbeat packet every 20 seconds"
    ping_interval_s=20.0,
    silence_s=45.0,  # two answers to our pings are missing
    book_depths=(50, 200, 1000),
    checks=("sequence",),
)


def listings() -> list[Reading[Listing]]:
    """The listing, page by page."""
    return [pages(path, _read_page) for path in EXCHANGE.listing_paths]


def read_listing(body: bytes) -> Listing:
    """Read one page of the listing. Raises :exc:`~tickwire.errors.FrameRejected`."""
    return _read_page(body)[0]


derive = named_by_rule(EXCHANGE.name, "{}{}".format)


class Adapter(BybitAdapter):
    """One connection to the category ``spot``. See :class:`~tickwire.exchanges.contract.AdapterContract`."""

    exchange = EXCHANGE
    most = 10  # topics in one request; "args size >10" is the answer to more


def _read_page(body: bytes) -> tuple[Listing, str]:
    return read_page(body, _named)


def _named(listed: Listed) -> Symbol:
    return Symbol(f"{listed.base}-{listed.quote}", listed.symbol)
