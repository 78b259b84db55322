"""One side of an order book; ``native/side.c`` is the compiled form.

Levels come as tuples of price and size, or as JSON text (:class:`msgspec.Raw`) that is not decoded yet. The compiled
form returns text for text, so that a change goes from the frame to Kafka without one object per level.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Mapping, Sequence
from operator import gt
from typing import Any, TypeAlias

import msgspec
from msgspec import Raw

from tickwire.compiled import compiled
from tickwire.events.decimals import decimal_text, is_zero, price_key, product
from tickwire.events.types import Level

Levels: TypeAlias = Sequence[Level] | Raw
Names: TypeAlias = tuple[str, str]  # of price and size, where levels are JSON objects
_GONE = "0"  # the size of every removal, so that readers may compare text


class _Number(str):
    """The text of a JSON number; JSON strings are plain ``str``."""

    __slots__ = ()


_decode = msgspec.json.Decoder(list[Any], float_hook=_Number).decode


def read_levels(text: Raw, names: Names | None = None, factor: str = "1") -> list[Level]:
    """Decode JSON text of levels, which are arrays that begin with price and size, or objects with these *names*.

    Sizes are multiplied exactly by *factor*, the size of a contract; with "1" they stay as written.

    Prices and sizes may be strings or numbers; both keep their digits, and exponents are expanded. Raises
    :exc:`ValueError`.
    """
    try:
        levels = _decode(text)
        if names is None:
            read = [(_written(price), _written(size)) for price, size, *_ in levels]
        else:
            read = [(_written(level[names[0]]), _written(level[names[1]])) for level in levels]
        return read if factor == "1" else [(price, product(size, factor)) for price, size in read]
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError, TypeError, KeyError) as e:
        raise ValueError(f"not a list of levels: {type(e).__name__} {str(e)[:100]}") from None


def read_worded(text: Raw, meanings: Mapping[str, int]) -> list[tuple[int, bool, Level, list[Any]]]:
    """Decode levels that have a word in front of price and size.

    Gives for each the word's meaning, whether price and size are strings, the level, and what follows the size. Raises
    :exc:`ValueError`.
    """
    try:
        levels = _decode(text)
        return [
            (meanings[word], type(price) is type(size) is str, (_written(price), _written(size)), more)
            for word, price, size, *more in levels
        ]
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError, TypeError, KeyError) as e:
        raise ValueError(f"not a list of levels: {type(e).__name__} {str(e)[:100]}") from None


def _written(number: object) -> str:
    return decimal_text(str(number) if type(number) is _Number else number)


@compiled
class Side:
    """Levels of one side, best first. Levels are found by the price's exact value, however many zeros end its text.

    It holds all levels of the exchange unless it is bound: then levels behind its *horizon* may be missing.

    *names* and *factor* say how levels are written in JSON text, see :func:`read_levels`.
    """

    __slots__ = ("_horizon", "_keys", "_levels", "_names", "_sign", "factor")

    def __init__(self, *, highest_first: bool = False, names: Names | None = None, factor: str = "1") -> None:
        self._sign = -1 if highest_first else 1
        self._names, self.factor = names, factor
        self._keys: list[int] = []  # sign * price_key, ascending, so that the best level is the first
        self._levels: dict[int, Level] = {}
        self._horizon: int | None = None  # a key

    def __len__(self) -> int:
        return len(self._keys)

    def change(self, levels: Levels, depth: int | None = None) -> Levels:
        """Set each level's size, or remove the level if the size is zero; removing an unknown level is no error.

        Then keep the best *depth* levels. Returns the levels that a reader has to apply to do the same: best first, one
        a price (the last one given counts), levels that were cut off as removals. A removal has the size ``"0"``,
        however the exchange wrote it.

        Raises :exc:`ValueError` for text that is no level; then nothing has changed.
        """
        said = read_levels(levels, self._names, self.factor) if type(levels) is Raw else levels
        keys, known, sign = self._keys, self._levels, self._sign
        changes = [(sign * price_key(price), is_zero(size)) for price, size in said]
        if any(sign * key <= 0 and not zero for key, zero in changes):
            raise ValueError("not a level: its price is not above zero")
        if any(zero and level[1] != _GONE for (_, zero), level in zip(changes, said, strict=True)):
            said = [(level[0], _GONE) if zero else level for (_, zero), level in zip(changes, said, strict=True)]
        for (key, zero), level in zip(changes, said, strict=True):
            if zero:
                if known.pop(key, None) is not None:
                    del keys[bisect_left(keys, key)]
            else:
                if key not in known:
                    keys.insert(bisect_left(keys, key), key)
                known[key] = level
        in_place = [key for key, _ in changes]
        if depth is not None and len(keys) > depth:
            removed = [(price, _GONE) for price, _ in self.truncate(depth)]
            said = [*said, *removed]
            in_place += [sign * price_key(price) for price, _ in removed]
        return _in_order(said, in_place)

    def truncate(self, depth: int) -> list[Level]:
        """Drop every level behind the best *depth*; return what was dropped, best first."""
        if len(self._keys) <= depth:
            return []
        dropped = [self._levels.pop(key) for key in self._keys[depth:]]
        del self._keys[depth:]
        return dropped

    def top(self, depth: int | None = None) -> list[Level]:
        """The best *depth* levels, best first; None gives all."""
        levels = self._levels
        return [levels[key] for key in self._keys[:depth]]

    def text(self, depth: int | None = None) -> Raw:
        """The levels of :meth:`top` as JSON text."""
        return Raw(msgspec.json.encode(self.top(depth)))

    def replace(self, now: "Side") -> Raw:
        """Take over *now*, which must not be used afterwards; return the levels that a reader has to apply.

        A level whose price or size is spelled differently counts as changed. The horizon is that of *now*.
        """
        known, wanted = self._levels, now._levels  # noqa: SLF001 - of this class
        keys = sorted(known.keys() | wanted.keys())
        changed = [key for key in keys if known.get(key) != wanted.get(key)]
        changes = [wanted[key] if key in wanted else (known[key][0], _GONE) for key in changed]
        self._keys, self._levels, self._horizon = now._keys, wanted, now._horizon  # noqa: SLF001 - as above
        return Raw(msgspec.json.encode(changes))

    def bound(self) -> None:
        """Make the worst level the horizon; on an empty side nothing happens."""
        if self._keys:
            self._horizon = self._keys[-1]

    def known(self, most: int) -> int:
        """How many of the best *most* levels lie within the horizon; *most* itself if there is no horizon."""
        return most if self._horizon is None else min(most, bisect_right(self._keys, self._horizon))

    def best(self) -> Level | None:
        """The best level, None where the side is empty."""
        return self._levels[self._keys[0]] if self._keys else None

    def best_key(self) -> int | None:
        """The best price as :func:`~tickwire.events.decimals.price_key` gives it."""
        return self._sign * self._keys[0] if self._keys else None


def _in_order(levels: Sequence[Level], keys: list[int]) -> Sequence[Level]:
    """Best first, one level a price; the same object if it is so already."""
    if all(map(gt, keys[1:], keys)):
        return levels
    last = dict(zip(keys, levels, strict=True))
    return [last[key] for key in sorted(last)]
