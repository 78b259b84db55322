"""The symbols of a simulated exchange: names, precisions, and numbers as exact text."""

from collections.abc import Sequence
from dataclasses import dataclass

from tickwire.errors import UsageError

# base, decimal places of a price, opening price in ticks of that size
_KNOWN = (
    ("BTC", 2, 6_500_000),
    ("ETH", 2, 320_000),
    ("SOL", 2, 18_000),
    ("XRP", 4, 21_000),
    ("DOGE", 5, 17_500),
    ("ADA", 4, 8_500),
    ("LTC", 2, 9_600),
    ("LINK", 3, 17_200),
    ("DOT", 4, 64_000),
    ("AVAX", 3, 27_500),
)
_OTHER = (4, 50_000)  # precision and opening price of every other name
_MOST = 10_000


@dataclass(frozen=True, slots=True)
class Instrument:
    """One symbol. Prices are whole ticks of 10^-``price_places``, sizes whole lots of 10^-``size_places``.

    ``price_pad`` and ``size_pad`` are zeros that the exchange appends to numbers. ``suffix`` is that of a contract's
    name, ``-PERP``. ``native`` is the exchange's name, ``contract`` the amount of the base in a size of 1.
    """

    base: str
    quote: str
    price_places: int
    size_places: int
    opening_ticks: int
    price_pad: str = ""
    size_pad: str = ""
    suffix: str = ""
    native: str = ""
    contract: str = "1"

    @property
    def canonical(self) -> str:
        """The name that this project uses, ``BTC-USDT``."""
        return f"{self.base}-{self.quote}{self.suffix}"

    def price(self, ticks: int) -> str:
        """Write a price as the exchange does."""
        return _decimal(ticks, self.price_places) + self.price_pad

    def size(self, lots: int) -> str:
        """Write a size as the exchange does."""
        return _decimal(lots, self.size_places) + self.size_pad


def _decimal(units: int, places: int) -> str:
    digits = str(units).rjust(places + 1, "0")
    return f"{digits[:-places]}.{digits[-places:]}"


def choose_names(symbols: int | Sequence[str], quote: str, suffix: str = "") -> list[tuple[str, str]]:
    """Base and quote of a number of symbols, or of these (``BTC-USDT``, ``BTC/USD``, ``BTCUSDT``).

    A name without a separator must end with *quote*; each may have the *suffix*.

    Raises :exc:`~tickwire.errors.UsageError`.
    """
    if isinstance(symbols, int):
        if not 1 <= symbols <= _MOST:
            raise UsageError(f"{symbols} symbols cannot be simulated: expected a number from 1 to {_MOST}.")
        known = [base for base, _, _ in _KNOWN[:symbols]]
        return [(base, quote) for base in known + [f"SIM{i}" for i in range(len(known) + 1, symbols + 1)]]
    names = [_split(name, quote, suffix) for name in symbols]
    if not names or len(set(names)) < len(names):
        raise UsageError(f"The symbols to simulate are {', '.join(symbols)!r}: expected at least one, each only once.")
    return names


def _split(name: str, quote: str, suffix: str) -> tuple[str, str]:
    base, separator, other = name.strip().upper().replace("/", "-").removesuffix(suffix).partition("-")
    if not separator:
        base, other = base.removesuffix(quote), quote if base.endswith(quote) else ""
    if not (base.isascii() and base.isalnum() and other.isascii() and other.isalnum()):
        raise UsageError(f"The symbol {name!r} cannot be simulated: expected a name such as BTC-{quote}.")
    return base, other


def scale(base: str) -> tuple[int, int]:
    """A base asset's price precision, and its opening price in ticks."""
    return next(((places, ticks) for name, places, ticks in _KNOWN if name == base), _OTHER)
