"""Finds the values in frames of a known shape without decoding them as JSON; ``native/shape.c`` is the compiled form.

In a shape ``~`` stands for text without ``@``, ``$`` for the symbol (without ``@`` if ``@`` follows), ``#`` for an
integer, ``%`` for a decimal number, ``*`` for a number that is ignored, ``^`` for a time as text, ``=`` for levels,
``<a|b>`` for the side of a trade's taker, *a* for a buyer and *b* for a seller, ``+`` for members that an exchange may
add; parts in parentheses may be missing. Everything else stands for itself; there may be spaces between the parts of
the JSON text.

A letter says what an integer is. ``#m``, ``#u``, ``#n``: the time in milli-, micro- or nanoseconds. In changes of a
book ``#f`` and ``#l``: the first and last number of its updates, ``#p``: the number before them, ``#c``: a checksum,
``#x``: ignored. ``=b`` and ``=a`` are bids and asks, ``=s`` both in one list.
"""

import re
from collections import Counter
from itertools import zip_longest

from tickwire.events.times import micros

_MOST_NS = 2**63 - 1
_MOST = 2**53  # every JSON reader keeps these integers exact
_SPACES = rb"[ \n\r\t]*"
_TEXT = rb"[!#-?A-Z[\]^-~]*"  # text without JSON escapes
_SYMBOL = rb"([!#-[\]^-~]*)"
_DECIMAL = rb"(?:0|[1-9][0-9]{0,13})(?:\.[0-9]{1,24})?"  # a JSON number
_PARTS = {
    "~": _TEXT,
    "$": rb"(%s)" % _TEXT,
    "#": rb"(0|[1-9][0-9]{0,18})",
    "%": rb"(%s)" % _DECIMAL,
    "*": rb"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?",
    "^": rb"(%s)" % _TEXT,
    "=": rb"(\[(?:[^][{}\\]*(?:\[[^][{}\\]*\]|\{[^][{}\\]*\}))*[^][{}\\]*\])",
    "(": rb"(?:",
    ")": rb")?",
}
_SIDE = re.compile(rb"<([A-Za-z]+)\|([A-Za-z]+)>")
_MARK = re.compile(r"#[lfpcxmun]?|=[bas]?|.", re.DOTALL)
_MARKED = "$#%^=<"  # parts whose values are read
_TIMES = {"#m": 1000, "#u": 1}  # microseconds per unit; "#n" is divided by 1000 instead
_NUMBER_IN_TEXT = rb"([0-9]{1,14}(?:\.[0-9]{1,24})?)"


class Shape:
    """Finds the parts of frames of a shape; *every* has the shapes of all frames that the adapter reads."""

    def __init__(self, shape: bytes, every: tuple[bytes, ...]) -> None:
        known = rb"|".join(re.findall(rb'"(\w+)":', b"".join(every)))
        name, value = rb'"(?!(?:%s)")%s"' % (known, _TEXT), rb'(?:"%s"|%s|true|false|null)' % (_TEXT, _PARTS["*"])
        parts = _PARTS | {"+": rb"(?:%s)*" % _SPACES.join([b"", b",", name, b":", value])}
        sides = _SIDE.search(shape)
        self.words: tuple[str, ...] = () if sides is None else (sides[1].decode(), sides[2].decode())
        if sides is not None:
            parts["<"], shape = rb"(%s|%s)" % sides.groups(), shape.replace(sides[0], b"<")
        pattern, in_text = b"", False
        self._marks = []
        found = _MARK.findall(shape.decode())
        for mark, after in zip_longest(found, found[1:]):
            part = _NUMBER_IN_TEXT if mark == "%" and in_text else parts.get(mark[0], re.escape(mark.encode()))
            if mark == "$" and after != "@":
                part = _SYMBOL
            pattern += part if in_text or mark in "()+" else _SPACES + part
            in_text ^= mark == '"'
            if mark[0] in _MARKED:
                self._marks.append(mark)
        self._match = re.compile(pattern).fullmatch if shape else None

    def read(self, frame: bytes) -> dict[str, list[str]] | None:
        """The values by mark, in order; None if the frame has another shape."""
        found = None if self._match is None else self._match(frame)
        if found is None:
            return None
        parts: dict[str, list[str]] = {mark: [] for mark in (*_MARKED, *self._marks)}
        for mark, text in zip(self._marks, found.groups(), strict=True):
            if text is not None:
                parts[mark].append(text.decode())
        numbers = ((mark, int(text)) for mark, texts in parts.items() if mark[0] == "#" for text in texts)
        return None if any(number > (_MOST_NS if mark == "#n" else _MOST) for mark, number in numbers) else parts


def time_in(parts: dict[str, list[str]]) -> int | None:
    """The time of a frame in microseconds, if there is one. Raises :exc:`ValueError`."""
    for mark, texts in parts.items():
        for text in texts:
            if mark in _TIMES:
                return int(text) * _TIMES[mark]
            if mark == "#n":
                return int(text) // 1000
            if mark == "^":
                return micros(text)
    return None


def marks(shape: bytes) -> dict[str, int]:
    """How often each mark occurs in a shape."""
    return Counter(mark for mark in _MARK.findall(shape.decode()) if mark[0] in f"{_MARKED}()")


def is_of_ticker(shape: bytes) -> bool:
    """Whether a shape has all that a ticker needs."""
    sure, found = re.sub(rb"\([^()]*\)", b"", shape), marks(shape)
    numbers = re.sub(rb"\(\)", b"", re.sub(rb"[^()%]", b"", shape))
    once = found["$"] == sure.count(b"$") == 1 and found["#"] <= 1 and found["#m"] + found["^"] <= 1
    others = found.keys() - {"$", "#", "#m", "^", "%", "(", ")"}
    return once and not others and re.fullmatch(rb"%%%%(%|\(%\))?", numbers) is not None


def is_of_change(shape: bytes) -> bool:
    """Whether a shape has all that a change of a book needs under every rule."""
    found = marks(shape)
    sides = {mark: count for mark, count in found.items() if mark[0] == "="}
    times = found["^"] + found["#m"] + found["#u"] + found["#n"]
    once = all(found[mark] <= 1 for mark in ("#f", "#p", "#c", "#l"))
    others = found.keys() & {"#", "%", "<"} or re.search(r"\([^)]*[$#^(]|^[^(]*\)|\)[^(]*\)|\([^)]*$", shape.decode())
    return found["$"] in {1, 2} and sides in ({"=b": 1, "=a": 1}, {"=s": 1}) and times == 1 and once and not others


def is_of_trade(shape: bytes) -> bool:
    """Whether a shape has all that a trade needs."""
    found = marks(shape)
    times = found.pop("#m", 0) + found.pop("^", 0)
    return _SIDE.search(shape) is not None and times == 1 and found == {"$": 1, "%": 2, "#": 1, "<": 1}
