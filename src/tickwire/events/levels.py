"""Order books whose levels nobody has read on the way, made into what a program can look at."""

from typing import cast

from msgspec import Raw

from tickwire.events.side import Levels, read_levels
from tickwire.events.types import OrderBook


def decode_levels(message: OrderBook) -> None:
    """Read levels in place that are JSON text still, so that a program can look at them."""
    if type(bids := cast("Levels", message.bids)) is Raw:
        message.bids = read_levels(bids)
    if type(asks := cast("Levels", message.asks)) is Raw:
        message.asks = read_levels(asks)
