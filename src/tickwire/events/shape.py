"""Frames of a known shape, read without making anything of them; ``native/shape.c`` is the compiled form.

In a shape ``~`` stands for text without ``@``, ``$`` for the symbol, ``#`` for an integer, ``%`` for a decimal number,
``*`` for one that nobody wants, ``^`` for a time, ``=`` for levels, ``<a|b>`` for the side of a trade's taker, *a*
where it buys and *b* where it sells, ``+`` for members that an exchange may add, and what is in parentheses may be
missing. Everything else stands for itself; between the parts of the JSON text may be spaces.
"""

import re

_MOST = 2**53  # every JSON reader keeps these integers exact
_SPACES = rb"[ \n\r\t]*"
_TEXT = rb"[!#-?A-Z[\]^-~]*"  # that needs no escape in JSON
_DECIMAL = rb"(?:0|[1-9][0-9]{0,13})(?:\.[0-9]{1,24})?"  # a JSON number
_PARTS = {
    "~": _TEXT,
    "$": rb"(%s)" % _TEXT,
    "#": rb"(0|[1-9][0-9]{0,16})",
    "%": rb"(%s)" % _DECIMAL,
    "*": rb"-?%s" % _DECIMAL,
    "^": rb"(%s)" % _TEXT,
    "=": rb"(\[(?:[^][{}\\]*(?:\[[^][{}\\]*\]|\{[^][{}\\]*\}))*[^][{}\\]*\])",
    "(": rb"(?:",
    ")": rb")?",
}
_SIDE = re.compile(rb"<([A-Za-z]+)\|([A-Za-z]+)>")
_MARKED = "$#%^=<"  # what is read
_NUMBER_IN_TEXT = rb"([0-9]{1,14}(?:\.[0-9]{1,24})?)"


class Shape:
    """Finds the parts of frames of a shape; *every* are the shapes of all frames that the adapter reads."""

    def __init__(self, shape: bytes, every: tuple[bytes, ...]) -> None:
        known = rb"|".join(re.findall(rb'"(\w+)":', b"".join(every)))
        name, value = rb'"(?!(?:%s)")%s"' % (known, _TEXT), rb'(?:"%s"|-?%s|true|false|null)' % (_TEXT, _DECIMAL)
        parts = _PARTS | {"+": rb"(?:%s)*" % _SPACES.join([b"", b",", name, b":", value])}
        sides = _SIDE.search(shape)
        self.words: tuple[str, ...] = () if sides is None else (sides[1].decode(), sides[2].decode())
        if sides is not None:
            parts["<"], shape = rb"(%s|%s)" % sides.groups(), shape.replace(sides[0], b"<")
        pattern, in_text = b"", False
        for mark in shape.decode():
            part = _NUMBER_IN_TEXT if mark == "%" and in_text else parts.get(mark, re.escape(mark.encode()))
            pattern += part if in_text or mark in "()+" else _SPACES + part
            in_text ^= mark == '"'
        self._match = re.compile(pattern).fullmatch
        self._marks = [mark for mark in shape.decode() if mark in _MARKED]

    def read(self, frame: bytes) -> dict[str, list[str]] | None:
        """The texts of each kind of part, by its mark; None: the frame is of another shape."""
        found = self._match(frame)
        if found is None:
            return None
        parts: dict[str, list[str]] = {mark: [] for mark in _MARKED}
        for mark, text in zip(self._marks, found.groups(), strict=True):
            if text is not None:
                parts[mark].append(text.decode())
        return None if any(int(number) > _MOST for number in parts["#"]) else parts


def is_of_ticker(shape: bytes) -> bool:
    """Whether it has what a ticker needs."""
    sure = re.sub(rb"\([^()]*\)", b"", shape)
    numbers = re.sub(rb"\(\)", b"", re.sub(rb"[^()%]", b"", shape))
    once = shape.count(b"$") == sure.count(b"$") == 1 and shape.count(b"#") <= 1 and shape.count(b"^") <= 1
    return once and not re.search(rb"[=<]", shape) and re.fullmatch(rb"%%%%(%|\(%\))?", numbers) is not None


def is_of_change(shape: bytes) -> bool:
    """Whether it has what a change of a book needs."""
    before, _, behind = re.sub(rb"[^$%#^=()<]", b"", shape).decode().partition("==")
    return (sorted(before), sorted(behind)) in ((["#", "#", "#", "$"], []), (["$"], ["#", "^"]))


def is_of_trade(shape: bytes) -> bool:
    """Whether it has what a trade needs."""
    marks = sorted(re.sub(rb"[^$%#^=()<]", b"", shape).decode())
    return _SIDE.search(shape) is not None and marks in (sorted("$#%%<#"), sorted("$#%%<^"))
