"""What OKX v5 sends: books and best prices, tickers, trades, answers; and the checksum of a book.

Order book and its checksum: https://www.okx.com/docs-v5/en/#order-book-trading-market-data-ws-order-book-channel
"""

import zlib
from itertools import zip_longest
from typing import Annotated

import msgspec
from msgspec import Meta, Raw, Struct

from tickwire.events.book import Book
from tickwire.events.digest import IN_TURN, WRITTEN, Digest, digest_text
from tickwire.events.side import read_levels
from tickwire.events.types import TakerSide
from tickwire.exchanges.contract import malformed
from tickwire.exchanges.kit import BookEvent
from tickwire.exchanges.kit.continuity import NO_NUMBER
from tickwire.exchanges.numbers import in_contracts, size_in_units

_DIGEST = Digest(25, IN_TURN, WRITTEN)
_Time = Annotated[int, Meta(ge=0, le=2**53)]  # ms, as text


class Argument(Struct):
    channel: str
    name: str | None = msgspec.field(name="instId", default=None)


class Sides(Struct, gc=False):
    """A book's snapshot or change, or the best bid and offer as a book of one level a side."""

    asks: Raw
    bids: Raw
    ts: _Time
    number: Annotated[int, Meta(ge=-1, le=2**62)] = msgspec.field(name="seqId", default=NO_NUMBER)
    previous: Annotated[int, Meta(ge=-1, le=2**62)] = msgspec.field(name="prevSeqId", default=NO_NUMBER)
    checksum: int = 0


class Ticker(Struct, gc=False):
    """The last trade, and the best bid and offer, each empty where there is none."""

    ts: _Time
    bid: str = msgspec.field(name="bidPx")
    bid_size: str = msgspec.field(name="bidSz")
    ask: str = msgspec.field(name="askPx")
    ask_size: str = msgspec.field(name="askSz")
    last: str = ""


class Trade(Struct, gc=False):
    """One or more executions of one taker at one price, with the last one's id."""

    name: str = msgspec.field(name="instId")
    trade_id: str = msgspec.field(name="tradeId")
    price: str = msgspec.field(name="px")
    size: str = msgspec.field(name="sz")
    side: TakerSide
    ts: _Time


class Frame(Struct):
    """Data of a channel, or an event: an answer, an error, a notice."""

    arg: Argument | None = None
    action: str | None = None
    data: Raw = Raw(b"[]")
    event: str | None = None
    code: str | None = None
    msg: str | None = None
    id: str | None = None


class Body(Struct):
    code: str
    msg: str = ""
    data: list[Sides] = []


decode = msgspec.json.Decoder(Frame, strict=False).decode
decode_sides = msgspec.json.Decoder(tuple[Sides], strict=False).decode  # every message has one
decode_ticker = msgspec.json.Decoder(tuple[Ticker], strict=False).decode
decode_trades = msgspec.json.Decoder(list[Trade], strict=False).decode
_decode_body = msgspec.json.Decoder(Body, strict=False).decode


def read_book(sides: Sides) -> BookEvent:
    """A snapshot or a change. Raises :exc:`ValueError` for one without number and checksum."""
    if sides.number == NO_NUMBER and not sides.checksum:
        raise ValueError("a book without its number or checksum")
    event = BookEvent(sides.bids, sides.asks, sides.number, previous=sides.previous, exchange_us=sides.ts * 1000)
    if sides.checksum:
        event.crc = sides.checksum & 0xFFFFFFFF
    return event


def read_snapshot(body: bytes) -> BookEvent:
    """Read ``/api/v5/market/books``. Raises :exc:`~tickwire.errors.FrameRejected`."""
    answer = _decode_body(body)
    if answer.code != "0" or len(answer.data) != 1 or answer.data[0].number == NO_NUMBER:
        raise malformed("order book", f"the exchange answered {answer.code} {answer.msg!r}, or no number of its own")
    try:
        return read_book(answer.data[0])
    except ValueError as e:
        raise malformed("order book", e) from None


def first(levels: Raw, contract_size: str) -> tuple[str | None, str | None]:
    """The best level of a side; empty if the side is empty."""
    price, size = next(iter(read_levels(levels)), (None, None))
    return price, None if size is None else size_in_units(size, contract_size)


def checksum(contract_size: str, book: Book) -> int:
    """CRC32 of 25 bids and asks in turn: price and size as the exchange writes them."""
    if contract_size == "1":
        return zlib.crc32(digest_text(book.bids, book.asks, *_DIGEST))
    pairs = zip_longest(book.bids.top(_DIGEST.levels), book.asks.top(_DIGEST.levels))
    levels = [level for pair in pairs for level in pair if level is not None]
    texts = [f"{price}:{in_contracts(size, contract_size)}" for price, size in levels]
    return zlib.crc32(":".join(texts).encode())
