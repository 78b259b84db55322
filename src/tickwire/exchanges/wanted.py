"""What a user wants of everything that an exchange lists: names, and patterns of names.

``ALL`` is the pattern ``*``. What begins with ``!`` leaves out what a pattern would take, never what is named; where
there is nothing else, it leaves it out of ``ALL``. Patterns are held against canonical names, capitals or not, and take
what trades now: a symbol that rests is waited for where it is named.
"""

import re
from collections.abc import Collection, Iterable, Sequence
from fnmatch import translate

from tickwire.errors import UnfitPattern
from tickwire.exchanges.contract import Symbol
from tickwire.exchanges.symbols import Listing

MOST = 10_000  # symbols that patterns may take together
_LONGEST_NAME = 100
_ALL = "ALL"
_SHOWN = 3  # names that a sentence gives as examples


class Wanted:
    """*texts* as the user wrote them. *names*: those that are no patterns, in their order."""

    def __init__(self, texts: Iterable[str]) -> None:
        taken = list(dict.fromkeys(text for text in texts if not text.startswith("!")))
        self._without = [text[1:].strip() for text in dict.fromkeys(texts) if text.startswith("!")]
        self.names = [text for text in taken if not _is_pattern(text)]
        self.patterns = [text for text in taken if _is_pattern(text)]
        if self._without and not taken:
            self.patterns = [_ALL]

    def take(self, listing: Listing, reading: Collection[Symbol] = ()) -> list[Symbol]:
        """What the patterns take, in the order of the listing; one of several symbols that have the same name.

        Of what is being *read* already, what rests is taken too: it may go on.
        """
        there = self._there(listing, reading)
        fitting = {name for pattern in self.patterns for name in _fitting(pattern, there)}
        without = self._left_out(listing, there)
        return [symbol for name, symbol in there.items() if name in fitting and name not in without]

    def check(self, listing: Listing, exchange: str) -> None:
        """Raise :exc:`~tickwire.errors.UnfitPattern` for a pattern that takes nothing, and for too many symbols."""
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
    """Whether a name that nobody wrote may go into keys and lines of a log: what a server says may be anything."""
    names = symbol.canonical, symbol.native
    return all(0 < len(name) <= _LONGEST_NAME and name.isprintable() and " " not in name for name in names)


def _fitting(pattern: str, names: Iterable[str]) -> Sequence[str]:
    text = "*" if pattern.upper() == _ALL else pattern.upper().replace("[", "[[]")
    fits = re.compile(translate(text)).match
    return [name for name in names if fits(name.upper())]


def _nothing(pattern: str, listing: Listing, trading: Collection[str], left_out: int) -> str:
    """Say why a pattern takes nothing."""
    resting = [symbol.canonical for symbol in listing.symbols if symbol.native in listing.resting]
    counts = {"left out by what begins with '!'": left_out, "not trading now": len(_fitting(pattern, resting))}
    found = ", ".join(f"{count} that fit are {why}" for why, count in counts.items() if count)
    examples = ", ".join([*trading][:_SHOWN])
    return f"no symbol ({found or f'names are such as {examples}'})"
