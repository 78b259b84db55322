"""Names of tradable symbols: those that an exchange lists, and those that users write."""

import difflib
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta

from tickwire.errors import UnclearSymbol, UnknownSymbol
from tickwire.events.decimals import is_zero
from tickwire.exchanges.contract import Kind, Symbol, malformed

_PERPETUAL = "PERP"
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

# Quote assets, for deriving names without a listing.
QUOTES = (
    "FDUSD", "USDT", "USDC", "TUSD", "USDP", "BUSD", "BIDR", "IDRT", "USD", "EUR", "GBP", "TRY", "BRL", "AUD", "JPY",
    "ARS", "MXN", "PLN", "RON", "ZAR", "UAH", "RUB", "NGN", "CZK", "COP", "DAI", "BTC", "ETH", "BNB", "XRP", "TRX",
    "DOGE", "DOT",
)  # fmt: skip


# No other asset's name ends with these three, so everything before them is the base.
_SURE_QUOTES = frozenset({"USDT", "USDC", "FDUSD"})
# Before other quotes only these bases are certain: XRPRLUSD is XRP-RLUSD, although it ends with USD.
_BASES = frozenset((
    "BTC", "XBT", "ETH", "XRP", "SOL", "ADA", "DOGE", "XDG", "DOT", "LTC", "BCH", "BNB", "LINK", "AVAX", "TRX", "POL",
    "SHIB", "UNI", "ATOM", "XLM", "ETC", "FIL", "NEAR", "APT", "ARB", "OP", "SUI", "TON", "PEPE", "ICP", "HBAR", "AAVE",
    "XMR", "ALGO", "VET", "XTZ", "USDT", "USDC",
))  # fmt: skip


class Listing:
    """All listed symbols of an exchange, found by canonical or native name, with or without separators.

    *spellings*: other names of the exchange for some symbols. *resting*: listed symbols that do not trade now, by
    native name, with the exchange's status.
    """

    def __init__(
        self,
        symbols: Iterable[Symbol],
        spellings: Mapping[str, Symbol] | None = None,
        resting: Mapping[str, str] | None = None,
    ) -> None:
        self.symbols = tuple(symbols)
        self.spellings, self.resting = dict(spellings or {}), dict(resting or {})
        self._by_text: dict[str, Symbol] = {}
        for symbol in sorted(self.symbols, key=lambda symbol: symbol.native in self.resting):
            for text in (_squeeze(symbol.canonical), _squeeze(symbol.native)):
                self._by_text.setdefault(text, symbol)
        for spelling, symbol in self.spellings.items():
            self._by_text.setdefault(_squeeze(spelling), symbol)
        for symbol in self.symbols:  # exact names take precedence over those without separators
            self._by_text[symbol.canonical] = symbol
            self._by_text[symbol.native] = symbol

    def find(self, text: str) -> Symbol | None:
        """Find what the user wrote; None if it is not listed."""
        return self._by_text.get(text) or self._by_text.get(text.upper()) or self._by_text.get(_squeeze(text))

    def resolve(self, text: str, exchange: str) -> Symbol:
        """Find what the user wrote. Raises :exc:`~tickwire.errors.UnknownSymbol` with the closest names."""
        found = self.find(text)
        if found is None:
            near = difflib.get_close_matches(_squeeze(text), self._by_text, n=12, cutoff=0.5)
            raise UnknownSymbol(text, exchange, list(dict.fromkeys(self._by_text[n].canonical for n in near))[:3])
        return found


def joined(parts: Sequence[Listing]) -> Listing:
    """One listing of several parts."""
    symbols = dict.fromkeys(symbol for part in parts for symbol in part.symbols)
    spellings = {text: symbol for part in parts for text, symbol in part.spellings.items()}
    return Listing(symbols, spellings, {name: status for part in parts for name, status in part.resting.items()})


def derivative(
    native: str, base: str, quote: str, settlement: str, contract_size: str = "1", expires_ms: int | None = None
) -> Symbol:
    """Make the symbol of a contract, named after its day of expiry in UTC, or as a perpetual if it does not expire.

    Raises :exc:`~tickwire.errors.FrameRejected` for an invalid size or time.
    """
    try:
        worthless = is_zero(contract_size)
        day = None if expires_ms is None else f"{_EPOCH + timedelta(milliseconds=expires_ms):%y%m%d}"
    except (ValueError, OverflowError) as e:
        raise malformed(f"listing of {native}", e) from None
    if worthless:
        raise malformed(f"listing of {native}", "a contract of size zero")
    kind: Kind = "perpetual" if day is None else "future"
    return Symbol(f"{base}-{quote}-{day or _PERPETUAL}", native, kind, settlement, contract_size)


def split_derivative(text: str, exchange: str, quotes: Collection[str] = QUOTES) -> tuple[str, str, str]:
    """Split a user's text for a contract into base, quote, and ``PERP`` or a day; the default is ``PERP``.

    Raises :exc:`~tickwire.errors.UnclearSymbol`.
    """
    name = text.strip().replace("/", "-").replace("_", "-")
    pair, _, end = name.rpartition("-")
    end = end.upper()
    if pair and (end == _PERPETUAL or (end.isdecimal() and len(end) == len("YYMMDD"))):
        return *split_name(pair, exchange, quotes), end
    return *split_name(name, exchange, quotes), _PERPETUAL


def named_by_rule(
    exchange: str, write: Callable[[str, str], str], quotes: Collection[str] = QUOTES
) -> Callable[[str], Symbol]:
    """Make the ``derive`` of a spot exchange; *write* gives the native name of base and quote.

    The returned function raises :exc:`~tickwire.errors.UnclearSymbol`.
    """

    def derive(symbol: str) -> Symbol:
        base, quote = split_name(symbol.upper(), exchange, quotes)
        return Symbol(f"{base}-{quote}", write(base, quote))

    return derive


def split_name(text: str, exchange: str, quotes: Collection[str] = QUOTES) -> tuple[str, str]:
    """Split a user's text into base and quote: at its separator, or before one of *quotes* if that is unambiguous.

    A name in mixed case keeps its case. Raises :exc:`~tickwire.errors.UnclearSymbol`.
    """
    name = text.strip().replace("/", "-").replace("_", "-")
    base, separator, quote = name.partition("-")
    if not separator:
        name = name.upper()
        splits = [(name.removesuffix(quote), quote) for quote in quotes if name.endswith(quote) and name != quote]
        sure = [(base, quote) for base, quote in splits if quote in _SURE_QUOTES or base in _BASES]
        base, quote = sure[0] if len(sure) == 1 else ("", "")
    if not (base.isalnum() and quote.isalnum()):
        raise UnclearSymbol(text, exchange)
    return (base.upper() if base.islower() else base), (quote.upper() if quote.islower() else quote)


def _squeeze(text: str) -> str:
    return text.upper().replace("-", "").replace("/", "").replace("_", "").replace(":", "")
