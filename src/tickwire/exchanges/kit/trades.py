"""Makes checked trades."""

from tickwire.events.book import is_zero, price_key
from tickwire.events.types import Micros, TakerSide, Trade
from tickwire.exchanges.contract import Exchange, Symbol, malformed

_MOST_DIGITS = 18  # digits of a trade's number


def make_trade(
    exchange: Exchange,
    symbol: Symbol,
    trade_id: str,
    price: str,
    size: str,
    side: TakerSide,
    received_us: Micros,
    exchange_us: Micros | None,
) -> Trade:
    """Make a trade. Raises :exc:`~tickwire.errors.FrameRejected` for impossible values."""
    try:
        price_key(price)
        empty = is_zero(size)
    except ValueError as e:
        raise malformed(f"trade of {symbol.native}", e) from None
    numbered = not exchange.trades_numbered or (trade_id.isdecimal() and len(trade_id) <= _MOST_DIGITS)
    if empty or not trade_id or not numbered:
        raise malformed(f"trade of {symbol.native}", f"the size {size!r:.40}, the id {trade_id!r:.40}")
    return Trade(
        exchange=exchange.name,
        symbol=symbol.canonical,
        exchange_symbol=symbol.native,
        trade_id=trade_id,
        price=price,
        size=size,
        side=side,
        exchange_us=exchange_us,
        received_us=received_us,
    )
