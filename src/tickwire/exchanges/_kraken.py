"""What Kraken's WebSocket v2 sends: books, which are most of it, and everything else."""

from typing import Annotated, Any

import msgspec
from msgspec import Meta, Raw, Struct, field

from tickwire.events.types import TakerSide
from tickwire.exchanges.kit import BookEvent


class Change(BookEvent, kw_only=True, gc=False):
    """A book's snapshot or update."""

    symbol: str | None = None
    bids: Raw = Raw(b"[]")
    asks: Raw = Raw(b"[]")
    crc: Annotated[int, Meta(ge=0, lt=2**32)] | None = field(name="checksum", default=None)
    timestamp: str | None = None


class BookFrame(Struct, gc=False):
    """A message of the channel ``book``."""

    data: tuple[Change]  # every documented message has one; a second one would be half lost if it is unreadable
    type: str | None = None


class Entry(Struct):
    """A ticker, a trade, or the result of a subscription."""

    symbol: str | None = None
    timestamp: str | None = None
    channel: str | None = None
    depth: int | None = None
    # Numbers. Those with a point or exponent arrive here as the text of the frame (float_hook), others as int.
    bid: Any = None
    bid_qty: Any = None
    ask: Any = None
    ask_qty: Any = None
    last: Any = None
    price: Any = None
    qty: Any = None
    side: TakerSide | None = None
    trade_id: int | None = None


class Frame(Struct):
    """Data of a channel, or an answer to a request."""

    channel: str | None = None
    type: str | None = None
    data: list[Entry] = []
    method: str | None = None
    result: Entry | None = None
    success: bool | None = None
    error: str | None = None
    symbol: str | None = None
    req_id: int | None = None


decode = msgspec.json.Decoder(Frame, float_hook=str).decode
decode_book = msgspec.json.Decoder(BookFrame).decode
