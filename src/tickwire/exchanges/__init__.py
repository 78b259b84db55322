"""One module an exchange; names are discovered from this folder."""

import importlib
import pkgutil
from types import ModuleType
from typing import Protocol, cast

from tickwire.errors import UnknownExchange
from tickwire.exchanges.contract import AdapterContract, Exchange, Symbol
from tickwire.exchanges.symbols import Listing

_SHARED = {"contract", "messages", "numbers", "symbols"}


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
    return sorted(m.name for m in pkgutil.iter_modules(__path__) if m.name not in _SHARED)


def load(name: str) -> ExchangeModule:
    """Import one exchange. Raises :exc:`~tickwire.errors.UnknownExchange`."""
    if name not in names():
        raise UnknownExchange(name, names())
    module: ModuleType = importlib.import_module(f"{__name__}.{name}")
    return cast("ExchangeModule", module)
