"""The short way from a frame to a ticker's text, for frames of a known shape. It is compiled or it is not there.

An adapter asks it first, and reads itself whatever it answers with None.
"""

from msgspec import json

from tickwire.events.types import Ticker, TickerText

Known = tuple[str, str, bytes]


def names_of(ticker: Ticker) -> Known:
    """What a reader has to know of a symbol: its names, and the text of its tickers in front of the bid."""
    text = json.encode(ticker)
    return ticker.symbol, ticker.exchange_symbol, text[: text.index(b',"bid":') + len(b',"bid":')]


class PlainQuoteReader:
    """Reads nothing; for where no compiler was."""

    def __init__(self, exchange: str, shape: bytes, /) -> None:
        """Take the exchange and the shape of its frames, see ``_quotes.c``."""

    def add(self, native: str, known: Known, /) -> None:
        """Read frames of this symbol from now on."""

    def read(self, _frame: bytes, _received_us: int, /) -> TickerText | None:
        """The frame's ticker; None for what the adapter must read."""
        return None


try:
    from tickwire.events._quotes import QuoteReader
except ImportError:
    QuoteReader = PlainQuoteReader  # type: ignore[assignment,misc]  # does less of the same

__all__ = ["Known", "PlainQuoteReader", "QuoteReader", "names_of"]
