"""The text that checksums of order books are computed from; ``native/digest.c`` is the compiled form."""

from collections.abc import Iterator
from functools import lru_cache
from itertools import zip_longest
from typing import NamedTuple

from tickwire.compiled import compiled
from tickwire.events.side import Side
from tickwire.events.types import Level

ASKS_FIRST, BIDS_FIRST, IN_TURN = range(3)  # orders of the levels; in turn: a bid, an ask, the next bid
DIGITS, WRITTEN, JAVASCRIPT = range(3)  # spellings of their prices and sizes
_MOST_LEVELS = 25


class Digest(NamedTuple):
    """A CRC-32 of price and size of the best *levels* a side, in this *order* and *spelling*.

    DIGITS: concatenated, without points and leading zeros. WRITTEN: as the exchange wrote them, joined by colons.
    JAVASCRIPT: as JavaScript writes numbers, joined by colons, sizes of asks negative.
    """

    levels: int
    order: int
    spelling: int


def is_known(levels: int, order: int, spelling: int) -> bool:
    """Whether these values name a digest that is implemented."""
    return 0 <= levels <= _MOST_LEVELS and order in range(3) and spelling in range(3)


@compiled
def digest_text(bids: Side, asks: Side, levels: int, order: int, spelling: int, /) -> bytes:
    """Give the text that a :class:`Digest` is the checksum of. Raises :exc:`ValueError` for an unknown digest."""
    if not is_known(levels, order, spelling):
        raise ValueError("no such digest")
    best_bids = [_spelled(level, spelling, "") for level in bids.top(levels)]
    best_asks = [_spelled(level, spelling, "-" * (spelling == JAVASCRIPT)) for level in asks.top(levels)]
    return ("" if spelling == DIGITS else ":").join(_ordered(best_bids, best_asks, order)).encode()


def _ordered(bids: list[str], asks: list[str], order: int) -> Iterator[str]:
    if order == IN_TURN:
        return (text for pair in zip_longest(bids, asks) for text in pair if text is not None)
    return iter(bids + asks if order == BIDS_FIRST else asks + bids)


@lru_cache(maxsize=1 << 15)  # most levels of a book stay as they are from one checksum to the next
def _spelled(level: Level, spelling: int, sign: str) -> str:
    price, size = level
    if spelling == DIGITS:
        return "".join([number.replace(".", "").lstrip("0") for number in (price, size)])
    if spelling == WRITTEN:
        return f"{price}:{size}"
    return f"{_as_javascript(price)}:{_as_javascript(sign + size)}"


def _as_javascript(number: str) -> str:
    """Give decimal text as JavaScript writes the number: with an exponent below 0.000001 (``5.6e-7``)."""
    sign = "-" * number.startswith("-")
    digits = number.removeprefix(f"{sign}0.000000")
    if digits == number or not digits.strip("0"):
        return number
    places = len(number) - len(sign) - len("0.")
    digits = digits.lstrip("0")
    return f"{sign}{digits[0]}{'.' * bool(digits[1:])}{digits[1:]}e-{places - len(digits) + 1}"
