"""What Bitfinex's frames say of levels, and the checksum of a book.

Book: https://docs.bitfinex.com/reference/ws-public-books, checksum: https://docs.bitfinex.com/docs/ws-websocket-checksum
"""

import zlib
from typing import Any

from tickwire.events.book import Book, is_zero
from tickwire.events.decimals import decimal_text
from tickwire.events.digest import IN_TURN, JAVASCRIPT, Digest, digest_text
from tickwire.events.types import Level, Micros

_DIGEST = Digest(25, IN_TURN, JAVASCRIPT)


def _is_count(value: object) -> bool:
    """Whether it can be the number of a message or channel, or a time."""
    return type(value) is int and 0 <= value < 2**53


def sides(entries: list[Any]) -> tuple[list[Level], list[Level]]:
    """Bids and asks of ``[price, count, amount]``: a count of 0 removes, the sign of the amount gives the side."""
    bids: list[Level] = []
    asks: list[Level] = []
    for price, count, amount, *_ in entries:
        text, size = decimal_text(price), decimal_text(amount)
        if type(count) is not int or count < 0 or text[:1] == "-" or is_zero(size.removeprefix("-")):
            raise ValueError(f"not a level: {[price, count, amount]!r:.100}")
        side = asks if size[0] == "-" else bids
        side.append((text, size.removeprefix("-") if count else "0"))
    return bids, asks


def checksum(book: Book) -> int:
    """CRC32, signed, of 25 bids and asks in turn: price and amount as the exchange writes them, asks below zero."""
    crc = zlib.crc32(digest_text(book.bids, book.asks, *_DIGEST))
    return crc - 2**32 if crc >= 2**31 else crc


def parts(message: list[Any], *, numbered: bool) -> tuple[int, Any, int | None, Micros | None]:
    """The channel's number, the content, and the message's number and time, which we have switched on.

    Raises :exc:`ValueError` and :exc:`IndexError`.
    """
    id_, content = message[:2]
    at = 2 if type(content) is list or content == "hb" else 3
    number, *ms = (None, *message[at : at + 1]) if not numbered else message[at : at + 2]
    # The time is missing if the exchange did not accept its flag.
    if not (_is_count(id_) and (number is None or _is_count(number)) and (not ms or _is_count(ms[0]))):
        raise ValueError(f"a message without its number: {message!r:.100}")
    return id_, content, number, ms[0] * 1000 if ms else None
