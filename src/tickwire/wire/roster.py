"""The symbols that a feed reads: the user's names and patterns, resolved again when the listing changes."""

import logging
from collections.abc import Collection, Mapping, Sequence
from typing import NamedTuple

from tickwire import metrics
from tickwire.config.share import Share
from tickwire.exchanges import ExchangeModule
from tickwire.exchanges.contract import Symbol
from tickwire.exchanges.wanted import MOST, Wanted
from tickwire.wire.naming import LONG_S, read_listing, resolve
from tickwire.wire.rest import Rest

logger = logging.getLogger(__name__)

_SHOWN = 5  # symbols named in one log line


class Change(NamedTuple):
    """The symbols that this share reads from now on, and those that it no longer reads."""

    added: list[Symbol]
    removed: list[Symbol]


class Roster:
    """The symbols of all shares; :meth:`share` gives those of this one."""

    def __init__(self, module: ExchangeModule, rest: Rest, share: Share) -> None:
        self._module, self._rest, self._share = module, rest, share
        self._name = module.EXCHANGE.name
        self._wanted = Wanted(())
        self._named: frozenset[Symbol] = frozenset()
        self.symbols: list[Symbol] = []
        self.listed: Collection[Symbol] = ()
        self._missing: set[Symbol] = set()  # missing in the listing at the last check
        self._told: set[Symbol] = set()
        for change in metrics.CHANGES:
            metrics.SYMBOL_CHANGES.labels(self._name, change)

    def share(self, symbols: Sequence[Symbol]) -> list[Symbol]:
        """The *symbols* of this process's share."""
        return self._share.take(symbols, lambda symbol: symbol.canonical)

    async def want(self, texts: Sequence[str]) -> Change:
        """Read these from now on. Raises as :func:`~tickwire.wire.naming.resolve`; then nothing has changed."""
        wanted = Wanted(texts)
        found = await resolve(self._module, self._rest, wanted, self.symbols)
        change = self._change(found.symbols, "removed")
        self._wanted, self._named, self.listed = wanted, found.named, found.listed
        return change

    async def look(self) -> Change:
        """Check the listing: patterns add new symbols; symbols that are missing twice in a row are removed.

        Symbols given by name stay, with one log line. An incomplete or empty listing is ignored.
        """
        listing, whole = await read_listing(self._module, self._rest, LONG_S)
        if not whole or not listing.symbols:
            return Change([], [])
        natives = {symbol.native for symbol in listing.symbols}
        missing = {symbol for symbol in self.symbols if symbol.native not in natives}
        gone, self._missing = missing & self._missing, missing
        self._tell(gone & self._named)
        kept = [symbol for symbol in self.symbols if symbol not in gone or symbol in self._named]
        known = {symbol.canonical for symbol in kept}
        new = [symbol for symbol in self._wanted.take(listing, kept) if symbol.canonical not in known]
        self.listed = frozenset((*self.listed, *new))
        return self._change(kept + new[: max(0, MOST - len(kept))], "vanished")

    def move(self, share: Share) -> Change:
        """Read another share of the same symbols from now on."""
        before, self._share = self.share(self.symbols), share
        return _difference(before, self.share(self.symbols))

    def warm(self) -> list[Symbol]:
        """The symbols on standby: read, but published by another process."""
        return self._share.warm(self.symbols, lambda symbol: symbol.canonical)

    def accept(self, change: Change, refused: Mapping[str, str]) -> Change:
        """Accept *change* without the *refused* symbols (canonical names, reasons), which are tried again later."""
        self.symbols = [symbol for symbol in self.symbols if symbol.canonical not in refused]
        for name, reason in refused.items():
            logger.error("feed.symbol_refused exchange=%s symbol=%r why=%r", self._name, name, reason)
        added = [symbol for symbol in change.added if symbol.canonical not in refused]
        self._note("added", added)
        return Change(added, change.removed)

    def _change(self, symbols: list[Symbol], why: str) -> Change:
        """Read *symbols* from now on; *why* is the reason for removed ones."""
        before, self.symbols = self.share(self.symbols), symbols
        change = _difference(before, self.share(symbols))
        self._note(why, change.removed)
        return change

    def _tell(self, named: Collection[Symbol]) -> None:
        new = [symbol for symbol in named if symbol not in self._told]
        self._note("vanished", self.share(new), " (named: waited for)")
        self._told = set(named)

    def _note(self, change: str, symbols: Sequence[Symbol], how: str = "") -> None:
        if symbols:
            metrics.SYMBOL_CHANGES.labels(self._name, change).inc(len(symbols))
            names = ",".join(symbol.canonical for symbol in symbols[:_SHOWN])
            more = f",… ({len(symbols)})" if len(symbols) > _SHOWN else ""
            logger.warning("feed.symbols_%s exchange=%s symbols=%r%s", change, self._name, names + more, how)


def _difference(before: Sequence[Symbol], now: Sequence[Symbol]) -> Change:
    kept = {symbol.native for symbol in before} & {symbol.native for symbol in now}
    return Change(*([symbol for symbol in those if symbol.native not in kept] for those in (now, before)))
