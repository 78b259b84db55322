"""Events whose text nobody has read on the way, made into what a program can look at."""

from collections.abc import Callable
from typing import cast

import msgspec
from msgspec import Raw

from tickwire.events.side import Levels, read_levels
from tickwire.events.types import MarketEvent, OrderBook, Ticker, TickerText

_read_ticker: Callable[[bytes], Ticker] = msgspec.json.Decoder(Ticker).decode


def spell_out(event: MarketEvent | TickerText) -> MarketEvent:
    """Give an event whose fields can all be read; an order book is changed in place."""
    if type(event) is TickerText:
        return _read_ticker(event.value)
    if type(event) is OrderBook:
        if type(bids := cast("Levels", event.bids)) is Raw:
            event.bids = read_levels(bids)
        if type(asks := cast("Levels", event.asks)) is Raw:
            event.asks = read_levels(asks)
    return cast("MarketEvent", event)
