"""From what a user wrote to what the exchange lists."""

import asyncio
import logging
from collections.abc import Sequence

from tickwire.errors import FeedError
from tickwire.exchanges import ExchangeModule
from tickwire.exchanges.contract import Symbol
from tickwire.exchanges.symbols import Listing
from tickwire.wire.rest import Rest

logger = logging.getLogger(__name__)

_LISTING_S = 5.0


async def resolve(module: ExchangeModule, rest: Rest, names: Sequence[str]) -> tuple[list[Symbol], bool]:
    """Find each name once, by the exchange's listing, or by rule where that cannot be had; tell whether it was there.

    Raises :exc:`~tickwire.errors.UnknownSymbol`.
    """
    listing = await _listing(module, rest)
    if listing is None:
        found = [module.derive(name) for name in names]
    else:
        found = [listing.resolve(name, module.EXCHANGE.name) for name in names]
    return list({symbol.native: symbol for symbol in found}.values()), listing is not None


async def _listing(module: ExchangeModule, rest: Rest) -> Listing | None:
    exchange = module.EXCHANGE
    try:
        async with asyncio.timeout(_LISTING_S):
            return module.read_listing(await rest.get(exchange.listing_path, exchange.listing_weight))
    except (FeedError, TimeoutError) as e:
        why = str(e) or f"nothing within {_LISTING_S} s; {rest.last_trouble}"
        logger.warning("feed.no_listing exchange=%s why=%r (names are derived by rule)", exchange.name, why)
        return None
