"""What Bitfinex's frames say of levels, and the checksum of a book.

Book: https://docs.bitfinex.com/reference/ws-public-books, checksum: https://docs.bitfinex.com/docs/ws-websocket-checksum
"""

import zlib
from functools import lru_cache
from itertools import zip_longest
from typing import Any

from tickwire.events.book import Book, is_zero
from tickwire.events.decimals import decimal_text
from tickwire.events.types import Level


def is_count(value: object) -> bool:
    """Tell whether it is a number of a message or a channel, or a time."""
    return type(value) is int and 0 <= value < 2**53


def sides(entries: list[Any]) -> tuple[list[Level], list[Level]]:
    """Bids and asks of ``[price, count, amount]``: a count of 0 removes, the sign of the amount says the side."""
    bids: list[Level] = []
    asks: list[Level] = []
    for price, count, amount, *_ in entries:
        text, size = decimal_text(price), decimal_text(amount)
        if type(count) is not int or count < 0 or text[:1] == "-" or is_zero(size.removeprefix("-")):
            raise ValueError(f"not a level: {[price, count, amount]!r:.100}")
        side = asks if size[0] == "-" else bids
        side.append((text, size.removeprefix("-") if count else "0"))
    return bids, asks


@lru_cache(maxsize=1 << 15)  # most levels of a book stay as they are from one checksum to the next
def _bid(level: Level) -> str:
    return f"{_as_javascript(level[0])}:{_as_javascript(level[1])}"


@lru_cache(maxsize=1 << 15)
def _ask(level: Level) -> str:
    return f"{_as_javascript(level[0])}:{_as_javascript(f'-{level[1]}')}"


def checksum(book: Book) -> int:
    """CRC32, signed, of 25 bids and asks in turn: price and amount as the exchange writes them, asks below zero."""
    pairs = zip_longest(map(_bid, book.bids.top(25)), map(_ask, book.asks.top(25)))
    crc = zlib.crc32(":".join([level for pair in pairs for level in pair if level is not None]).encode())
    return crc - 2**32 if crc >= 2**31 else crc


def _as_javascript(number: str) -> str:
    """Give decimal text as JavaScript writes the number: with an exponent below 0.000001 (``5.6e-7``)."""
    sign = "-" * number.startswith("-")
    digits = number.removeprefix(f"{sign}0.000000")
    if digits == number or not digits.strip("0"):
        return number
    places = len(number) - len(sign) - len("0.")
    digits = digits.lstrip("0")
    return f"{sign}{digits[0]}{'.' * bool(digits[1:])}{digits[1:]}e-{places - len(digits) + 1}"
