"""Resolves the names and patterns of the user to symbols of the exchange."""

import asyncio
import logging
from collections.abc import Collection
from typing import NamedTuple

from tickwire.errors import FeedError
from tickwire.exchanges import ExchangeModule, listings
from tickwire.exchanges.contract import Symbol
from tickwire.exchanges.symbols import Listing, joined
from tickwire.exchanges.wanted import Wanted
from tickwire.wire.rest import Rest

logger = logging.getLogger(__name__)

_LISTING_S = 5.0  # for a listing, if names can be derived without it
LONG_S = 60.0  # for a listing that is required: some are megabytes
_AGAIN_S = 5.0  # between two attempts for that


class Found(NamedTuple):
    """The symbols to read, once each: those *named* and those that patterns match; and all *listed* ones."""

    symbols: list[Symbol]
    named: frozenset[Symbol]
    listed: frozenset[Symbol]


async def resolve(module: ExchangeModule, rest: Rest, wanted: Wanted, reading: Collection[Symbol] = ()) -> Found:
    """Resolve names by the exchange's listing, or by rule if that is unavailable; patterns wait for the listing.

    Patterns also match symbols in *reading* that do not trade now.

    Raises :exc:`~tickwire.errors.UnknownSymbol`, and its kinds :exc:`~tickwire.errors.UnfitPattern`, and
    :exc:`~tickwire.errors.UnclearSymbol` and :exc:`~tickwire.errors.UnknownContractSize` if there is no listing.
    """
    exchange = module.EXCHANGE.name
    listing, whole = await read_listing(module, rest, LONG_S if wanted.patterns else _LISTING_S)
    while wanted.patterns and not listing.symbols:
        await asyncio.sleep(_AGAIN_S)
        listing, whole = await read_listing(module, rest, LONG_S)
    listed, named = [], []
    for name in wanted.names:
        symbol = listing.resolve(name, exchange) if whole else listing.find(name)
        if symbol is not None:
            listed.append(symbol)
        named.append(symbol or module.derive(name))
    resting = {symbol.native: listing.resting[symbol.native] for symbol in listed if symbol.native in listing.resting}
    if resting:
        said = ", ".join(f"{name} {status}" for name, status in resting.items())
        logger.warning("feed.not_trading exchange=%s symbols=%r (listed; waited for)", exchange, said)
    taken: list[Symbol] = []
    if wanted.patterns:
        wanted.check(listing, exchange)
        known = {symbol.canonical for symbol in named}
        taken = [symbol for symbol in wanted.take(listing, reading) if symbol.canonical not in known]
        logger.info("feed.picked exchange=%s patterns=%r symbols=%d", exchange, ",".join(wanted.patterns), len(taken))
    symbols = {symbol.native: symbol for symbol in (*named, *taken)}
    return Found(list(symbols.values()), frozenset(named), frozenset((*listed, *taken)))


async def read_listing(module: ExchangeModule, rest: Rest, within_s: float) -> tuple[Listing, bool]:
    """Fetch the parts of the listing that come within the time; return also whether these are all."""
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
