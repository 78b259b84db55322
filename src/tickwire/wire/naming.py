"""From what a user wrote to what the exchange lists."""

import asyncio
import logging
from collections.abc import Collection, Sequence

from tickwire.errors import FeedError
from tickwire.exchanges import ExchangeModule, listings
from tickwire.exchanges.contract import Symbol
from tickwire.exchanges.symbols import Listing, joined
from tickwire.exchanges.wanted import Wanted
from tickwire.wire.rest import Rest

logger = logging.getLogger(__name__)

_LISTING_S = 5.0  # for a listing without which names are found too
_LONG_S = 60.0  # for one without which nothing is: some are megabytes
_AGAIN_S = 5.0  # between two attempts at that


async def resolve(module: ExchangeModule, rest: Rest, texts: Sequence[str]) -> tuple[list[Symbol], Collection[Symbol]]:
    """Find everything that is wanted once: names by the exchange's listing, or by rule where that cannot be had.

    What patterns take follows on the names; their listing is waited for. Tells which are listed.

    Raises :exc:`~tickwire.errors.UnknownSymbol`, and its kinds :exc:`~tickwire.errors.UnfitPattern`, and
    :exc:`~tickwire.errors.UnclearSymbol` and :exc:`~tickwire.errors.UnknownContractSize` where there is no listing.
    """
    exchange, wanted = module.EXCHANGE, Wanted(texts)
    listing, whole = await read_listing(module, rest, _LONG_S if wanted.patterns else _LISTING_S)
    while wanted.patterns and not listing.symbols:
        await asyncio.sleep(_AGAIN_S)
        listing, whole = await read_listing(module, rest, _LONG_S)
    listed, found = [], []
    for name in wanted.names:
        symbol = listing.resolve(name, exchange.name) if whole else listing.find(name)
        if symbol is not None:
            listed.append(symbol)
        found.append(symbol or module.derive(name))
    resting = {symbol.native: listing.resting[symbol.native] for symbol in listed if symbol.native in listing.resting}
    if resting:
        said = ", ".join(f"{name} {status}" for name, status in resting.items())
        logger.warning("feed.not_trading exchange=%s symbols=%r (listed; waited for)", exchange.name, said)
    if wanted.patterns:
        picked = wanted.pick(listing, exchange.name)
        logger.info("feed.picked exchange=%s patterns=%r symbols=%d", exchange.name, ",".join(texts), len(picked))
        listed += picked
        found += picked
    return list({symbol.native: symbol for symbol in found}.values()), frozenset(listed)


async def read_listing(module: ExchangeModule, rest: Rest, within_s: float) -> tuple[Listing, bool]:
    """Fetch those parts of the listing that can be had within the time; tell whether these are all."""
    readings = listings(module)
    parts, why = list[Listing](), ""
    try:
        async with asyncio.timeout(within_s):
            for reading in readings:
                try:
                    parts.append(await rest.read(reading))
                except FeedError as e:
                    why = str(e)
    except TimeoutError:
        why = f"nothing within {within_s} s; {rest.last_trouble}"
    if why:
        logger.warning(
            "feed.no_listing exchange=%s parts=%d of=%d why=%r (names that are not found are derived by rule; patterns "
            "take from what there is, or wait)",
            module.EXCHANGE.name, len(parts), len(readings), why,
        )  # fmt: skip
    return joined(parts), len(parts) == len(readings)
