"""One order book: price levels in the exchange's own text, ordered by exact value."""

from bisect import bisect_left
from collections.abc import Iterable
from decimal import Decimal, InvalidOperation
from operator import gt, lt

from tickwire.events.types import Level

# Prices are compared as exact integers of 10^-24; no exchange writes more than 18 places.
_PLACES = 24
_UNIT: int = 10**_PLACES
_MAX_DIGITS = 80  # longer text is no price but an attack on int()
_CACHE_LIMIT = 200_000  # texts remembered for all books together; cleared when full, for endless feeds of new prices

_keys: dict[str, int] = {}


def price_key(text: str) -> int:
    """Give the exact value of decimal *text* in units of 10^-24. Raises :exc:`ValueError` when it is no such number."""
    key = _keys.get(text)
    if key is None:
        if len(_keys) >= _CACHE_LIMIT:
            _keys.clear()
        key = _keys[text] = _parse(text)
    return key


def _parse(text: str) -> int:
    if len(text) > _MAX_DIGITS or not text.isascii():
        raise ValueError(f"not a decimal number: {text[:40]!r}")
    whole, _, fraction = text.partition(".")
    if whole.isdigit() and (fraction.isdigit() or not fraction) and len(fraction) <= _PLACES:
        return int(whole + fraction.ljust(_PLACES, "0"))
    try:
        value = Decimal(text)
    except InvalidOperation:
        raise ValueError(f"not a decimal number: {text[:40]!r}") from None
    if not value.is_finite() or abs(value.adjusted()) > _MAX_DIGITS or "_" in text:
        raise ValueError(f"not a finite decimal number: {text[:40]!r}")
    numerator, denominator = value.as_integer_ratio()
    scaled, rest = divmod(numerator * _UNIT, denominator)
    if rest:
        raise ValueError(f"more than {_PLACES} decimal places: {text[:40]!r}")
    return scaled


def is_zero(size: str) -> bool:
    """Tell whether *size* is zero. Raises :exc:`ValueError` when it is no plain, non-negative decimal number."""
    if not size.strip("0."):
        if not size or size.count(".") > 1 or size == ".":
            raise ValueError(f"not a size: {size[:40]!r}")
        return True
    whole, _, fraction = size.partition(".")
    if size.isascii() and (whole + fraction).isdigit():
        return False
    try:
        value = Decimal(size)
    except InvalidOperation:
        raise ValueError(f"not a size: {size[:40]!r}") from None
    if not value.is_finite() or value < 0 or "_" in size or not size.isascii():
        raise ValueError(f"not a size: {size[:40]!r}")
    return value == 0


def in_order(levels: list[Level], *, highest_first: bool) -> list[Level]:
    """Put a delta's *levels* best first, one a price (the last one written counts); as they are where they are so."""
    if len(levels) < 2:
        return levels
    keys = [price_key(price) for price, _ in levels]
    if all(map(gt if highest_first else lt, keys, keys[1:])):
        return levels
    last = dict(zip(keys, levels, strict=True))
    return [last[key] for key in sorted(last, reverse=highest_first)]


class Side:
    """Levels of one side, best first. A level is found by its price's value, whatever zeros the text ends with."""

    __slots__ = ("_keys", "_levels", "_sign")

    def __init__(self, *, highest_first: bool) -> None:
        self._sign = -1 if highest_first else 1
        self._keys: list[int] = []  # sign * price_key, ascending, so that the best level is the first
        self._levels: dict[int, Level] = {}

    def __len__(self) -> int:
        return len(self._keys)

    def change(self, levels: Iterable[Level]) -> None:
        """Set each level's size, or remove the level where the size is zero; removing what is not there is fine."""
        keys, known, sign = self._keys, self._levels, self._sign
        for level in levels:
            price, size = level
            key = sign * price_key(price)
            if is_zero(size):
                if known.pop(key, None) is not None:
                    del keys[bisect_left(keys, key)]
            else:
                if key not in known:
                    keys.insert(bisect_left(keys, key), key)
                known[key] = level

    def truncate(self, depth: int) -> list[Level]:
        """Drop every level behind the best *depth*; return what was dropped, best first."""
        if len(self._keys) <= depth:
            return []
        dropped = [self._levels.pop(key) for key in self._keys[depth:]]
        del self._keys[depth:]
        return dropped

    def top(self, depth: int | None = None) -> list[Level]:
        """The best *depth* levels, best first; all of them without *depth*."""
        levels = self._levels
        return [levels[key] for key in self._keys[:depth]]

    def best(self) -> Level | None:
        """The best level, None where the side is empty."""
        return self._levels[self._keys[0]] if self._keys else None

    def best_key(self) -> int | None:
        """The best price as :func:`price_key` gives it."""
        return self._sign * self._keys[0] if self._keys else None


class Book:
    """Bids (highest first) and asks (lowest first) of one symbol."""

    __slots__ = ("asks", "bids")

    def __init__(self, bids: Iterable[Level] = (), asks: Iterable[Level] = ()) -> None:
        self.bids = Side(highest_first=True)
        self.asks = Side(highest_first=False)
        self.apply(bids, asks)

    def apply(self, bids: Iterable[Level], asks: Iterable[Level]) -> None:
        """Apply one delta. Raises :exc:`ValueError` on text that is no number; the book must then be thrown away."""
        self.bids.change(bids)
        self.asks.change(asks)

    def truncate(self, depth: int) -> tuple[list[Level], list[Level]]:
        """Keep the best *depth* levels a side and return the dropped bids and asks."""
        return self.bids.truncate(depth), self.asks.truncate(depth)

    def crossed(self) -> bool:
        """Tell whether the best bid is at or above the best ask."""
        bid, ask = self.bids.best_key(), self.asks.best_key()
        return bid is not None and ask is not None and bid >= ask
