"""One module for each exchange; names are discovered from this folder.

A module whose name begins with an underscore is no exchange: it holds message types, or what products of one exchange
share.
"""

import importlib
import pkgutil
from collections.abc import Callable
from functools import cache
from types import ModuleType
from typing import Protocol, cast

from tickwire.errors import UnknownExchange
from tickwire.exchanges.contract import AdapterContract, Exchange, Reading, Request, Symbol
from tickwire.exchanges.symbols import Listing

_SHARED = {"contract", "kit", "messages", "numbers", "symbols", "wanted"}


class ExchangeModule(Protocol):
    """The public names of an exchange module, as :mod:`tickwire.exchanges.contract` describes them."""

    EXCHANGE: Exchange
    Adapter: type[AdapterContract]

    def read_listing(self, body: bytes) -> Listing:
        """Read the listing's body."""

    def derive(self, symbol: str) -> Symbol:
        """Name a symbol by rule."""


def names() -> list[str]:
    """Every exchange there is, in alphabetical order."""
    modules = (m.name for m in pkgutil.iter_modules(__path__))
    return sorted(name for name in modules if name not in _SHARED and not name.startswith("_"))


@cache
def load(name: str) -> ExchangeModule:
    """Import one exchange. Raises :exc:`~tickwire.errors.UnknownExchange`."""
    if name not in names():
        raise UnknownExchange(name, names())
    module: ModuleType = importlib.import_module(f"{__name__}.{name}")
    return cast("ExchangeModule", module)


def listings(module: ExchangeModule) -> list[Reading[Listing]]:
    """The parts of the exchange's listing: from the module's ``listings()``, or one for each listing path."""
    own: Callable[[], list[Reading[Listing]]] | None = getattr(module, "listings", None)
    return [_listing(module, path) for path in module.EXCHANGE.listing_paths] if own is None else own()


def address(module: ExchangeModule, url: str) -> Reading[str]:
    """The address to connect to: from the module's ``address(url)``, or *url* itself."""
    own: Callable[[str], Reading[str]] | None = getattr(module, "address", None)
    return _itself(url) if own is None else own(url)


def _listing(module: ExchangeModule, path: str) -> Reading[Listing]:
    body = yield Request(path, weight=module.EXCHANGE.listing_weight)
    return module.read_listing(body)


def _itself(url: str) -> Reading[str]:
    return url
    yield  # makes this a generator, without requests
