"""A simulated exchange: seeded market, real dialects over real sockets, fault switches."""

import importlib
import pkgutil
from typing import TYPE_CHECKING, cast

from tickwire.errors import UsageError, near
from tickwire.simulator import dialects

if TYPE_CHECKING:
    from tickwire.simulator.dialect import DialectContract


def names() -> list[str]:
    """Every exchange that can be simulated, in alphabetical order."""
    return sorted(module.name for module in pkgutil.iter_modules(dialects.__path__))


def load(name: str) -> "type[DialectContract]":
    """Import one dialect. Raises :exc:`~tickwire.errors.UsageError`."""
    if name not in names():
        known = names()
        raise UsageError(
            f"The exchange {name!r} cannot be simulated{near(name, known)}: expected one of {', '.join(known)}."
        )
    return cast("type[DialectContract]", importlib.import_module(f"{dialects.__name__}.{name}").Dialect)
