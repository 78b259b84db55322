"""Names of tradable symbols: what an exchange lists, and what a user may write for it."""

import difflib
from collections.abc import Collection, Iterable

from tickwire.errors import UnknownSymbol
from tickwire.exchanges.contract import Symbol

# Quote assets, longest first where one ends another, for deriving names without a listing.
QUOTES = (
    "FDUSD", "USDT", "USDC", "TUSD", "USDP", "BUSD", "BIDR", "IDRT", "USD", "EUR", "GBP", "TRY", "BRL", "AUD", "JPY",
    "ARS", "MXN", "PLN", "RON", "ZAR", "UAH", "RUB", "NGN", "CZK", "COP", "DAI", "BTC", "ETH", "BNB", "XRP", "TRX",
    "DOGE", "DOT",
)  # fmt: skip


class Listing:
    """Everything an exchange lists, found by canonical name, by its own name, or by either without separators."""

    def __init__(self, symbols: Iterable[Symbol]) -> None:
        self.symbols = tuple(symbols)
        self._by_text: dict[str, Symbol] = {}
        for symbol in self.symbols:
            for text in (_squeeze(symbol.canonical), _squeeze(symbol.native)):
                self._by_text.setdefault(text, symbol)
        for symbol in self.symbols:  # exact names win over squeezed ones
            self._by_text[symbol.canonical] = symbol
            self._by_text[symbol.native] = symbol

    def resolve(self, text: str, exchange: str) -> Symbol:
        """Find what the user wrote. Raises :exc:`~tickwire.errors.UnknownSymbol` with the closest names."""
        found = self._by_text.get(text) or self._by_text.get(text.upper()) or self._by_text.get(_squeeze(text))
        if found is None:
            near = difflib.get_close_matches(_squeeze(text), self._by_text, n=12, cutoff=0.5)
            raise UnknownSymbol(text, exchange, list(dict.fromkeys(self._by_text[n].canonical for n in near))[:3])
        return found


def split_name(text: str, exchange: str, quotes: Collection[str] = QUOTES) -> tuple[str, str]:
    """Split a user's text into base and quote: at its separator, or before the longest of *quotes* at the end.

    Raises :exc:`~tickwire.errors.UnknownSymbol`.
    """
    name = text.strip().upper()
    base, separator, quote = name.replace("/", "-").replace("_", "-").partition("-")
    if not separator:
        quote = max((q for q in quotes if name.endswith(q)), key=len, default="")
        base = name.removesuffix(quote)
    if not (base.isalnum() and quote.isalnum()):
        raise UnknownSymbol(text, exchange, [])
    return base, quote


def _squeeze(text: str) -> str:
    return text.upper().replace("-", "").replace("/", "").replace("_", "").replace(":", "")
