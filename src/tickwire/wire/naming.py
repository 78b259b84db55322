"""From what a user wrote to what the exchange lists."""

import asyncio
import logging
from collections.abc import Collection, Sequence

from tickwire.errors import FeedError
from tickwire.exchanges import ExchangeModule, listings
from tickwire.exchanges.contract import Reading, Symbol
from tickwire.exchanges.symbols import Listing, joined
from tickwire.wire.rest import Rest

logger = logging.getLogger(__name__)

_LISTING_S = 5.0


async def resolve(module: ExchangeModule, rest: Rest, names: Sequence[str]) -> tuple[list[Symbol], Collection[Symbol]]:
    """Find each name once, by the exchange's listing, or by rule where that cannot be had; tell which are listed.

    Raises :exc:`~tickwire.errors.UnknownSymbol`, and its kinds :exc:`~tickwire.errors.UnclearSymbol` and
    :exc:`~tickwire.errors.UnknownContractSize` where there is no listing.
    """
    exchange, readings = module.EXCHANGE, listings(module)
    parts = await _parts(exchange.name, readings, rest)
    listing, whole = joined(parts), len(parts) == len(readings)
    listed, found = [], []
    for name in names:
        symbol = listing.resolve(name, exchange.name) if whole else listing.find(name)
        if symbol is not None:
            listed.append(symbol)
        found.append(symbol or module.derive(name))
    resting = {symbol.native: listing.resting[symbol.native] for symbol in listed if symbol.native in listing.resting}
    if resting:
        said = ", ".join(f"{name} {status}" for name, status in resting.items())
        logger.warning("feed.not_trading exchange=%s symbols=%r (listed; waited for)", exchange.name, said)
    return list({symbol.native: symbol for symbol in found}.values()), frozenset(listed)


async def _parts(name: str, readings: Sequence[Reading[Listing]], rest: Rest) -> list[Listing]:
    """Fetch the listing's parts, those that can be had within the time."""
    parts, why = [], ""
    try:
        async with asyncio.timeout(_LISTING_S):
            for reading in readings:
                try:
                    parts.append(await rest.read(reading))
                except FeedError as e:
                    why = str(e)
    except TimeoutError:
        why = f"nothing within {_LISTING_S} s; {rest.last_trouble}"
    if why:
        logger.warning(
            "feed.no_listing exchange=%s parts=%d of=%d why=%r (names that are not found are derived by rule)",
            name, len(parts), len(readings), why,
        )  # fmt: skip
    return parts
