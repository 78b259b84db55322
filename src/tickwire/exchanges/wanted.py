"""The symbols that a user wants: names, and patterns of names.

``ALL`` is the pattern ``*``. A pattern that begins with ``!`` excludes symbols from the other patterns, never symbols
given by name; without other entries it excludes from ``ALL``. Patterns are matched with canonical names, ignoring case,
and match only symbols that trade now; a symbol given by name is read even if it does not trade now.
"""

import re
from collections.abc import Collection, Iterable, Sequence
from fnmatch import translate

from tickwire.errors import UnfitPattern
from tickwire.exchanges.contract import Symbol
from tickwire.exchanges.symbols import Listing

MOST = 10_000  # symbols that all patterns may match together
_LONGEST_NAME = 100
_ALL = "ALL"
_SHOWN = 3  # names given as examples in a sentence


class Wanted:
    """The user's *texts*. *names*: those that are no patterns, in order."""

    def __init__(self, texts: Iterable[str]) -> None:
        taken = list(dict.fromkeys(text for text in texts if not text.startswith("!")))
        self._without = [text[1:].strip() for text in dict.fromkeys(texts) if text.startswith("!")]
        self.names = [text for text in taken if not _is_pattern(text)]
        self.patterns = [text for text in taken if _is_pattern(text)]
        if self._without and not taken:
            self.patterns = [_ALL]

    def take(self, listing: Listing, reading: Collection[Symbol] = ()) -> list[Symbol]:
        """The symbols that the patterns match, in the order of the listing, one for each name.

        Symbols in *reading* match even if they do not trade now: they may resume.
        """
        there = self._there(listing, reading)
        fitting = {name for pattern in self.patterns for name in _fitting(pattern, there)}
        without = self._left_out(listing, there)
        return [symbol for name, symbol in there.items() if name in fitting and name not in without]

    def check(self, listing: Listing, exchange: str) -> None:
        """Raise :exc:`~tickwire.errors.UnfitPattern` for a pattern without a match, and for too many symbols."""
        there = self._there(listing)
        without = self._left_out(listing, there)
        for pattern in self.patterns:
            fitting = set(_fitting(pattern, there))
            if not fitting - without:
                raise UnfitPattern(pattern, exchange, _nothing(pattern, listing, there, len(fitting)))
        if (count := len(self.take(listing))) > MOST:
            raise UnfitPattern(",".join(self.patterns), exchange, f"{count} symbols, and {MOST} is the most")

    def _there(self, listing: Listing, reading: Collection[Symbol] = ()) -> dict[str, Symbol]:
        there: dict[str, Symbol] = {}
        read = frozenset(reading)
        for symbol in (*reading, *listing.symbols):
            if (symbol.native not in listing.resting or symbol in read) and _is_sound(symbol):
                there.setdefault(symbol.canonical, symbol)
        return there

    def _left_out(self, listing: Listing, names: Iterable[str]) -> set[str]:
        left_out: set[str] = set()
        for text in self._without:
            if _is_pattern(text):
                left_out.update(_fitting(text, names))
            elif (symbol := listing.find(text)) is not None:
                left_out.add(symbol.canonical)
        return left_out


def _is_pattern(text: str) -> bool:
    return text.upper() == _ALL or "*" in text or "?" in text


def _is_sound(symbol: Symbol) -> bool:
    """Whether a name from the exchange is safe in keys and log lines: a server may send anything."""
    names = symbol.canonical, symbol.native
    return all(0 < len(name) <= _LONGEST_NAME and name.isprintable() and " " not in name for name in names)


def _fitting(pattern: str, names: Iterable[str]) -> Sequence[str]:
    text = "*" if pattern.upper() == _ALL else pattern.upper().replace("[", "[[]")
    fits = re.compile(translate(text)).match
    return [name for name in names if fits(name.upper())]


def _nothing(pattern: str, listing: Listing, trading: Collection[str], left_out: int) -> str:
    """Say why a pattern matches nothing."""
    resting = [symbol.canonical for symbol in listing.symbols if symbol.native in listing.resting]
    counts = {"excluded with '!'": left_out, "not trading now": len(_fitting(pattern, resting))}
    found = ", ".join(f"{count} that match are {why}" for why, count in counts.items() if count)
    examples = ", ".join([*trading][:_SHOWN])
    return f"no symbol ({found or f'names are such as {examples}'})"
