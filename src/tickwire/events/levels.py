"""Decodes the levels of order books that were passed on as JSON text."""

from typing import cast

from msgspec import Raw

from tickwire.events.side import Levels, read_levels
from tickwire.events.types import OrderBook


def decode_levels(message: OrderBook) -> None:
    """Replace levels that are still JSON text by lists of price and size, in place."""
    if type(bids := cast("Levels", message.bids)) is Raw:
        message.bids = read_levels(bids)
    if type(asks := cast("Levels", message.asks)) is Raw:
        message.asks = read_levels(asks)
