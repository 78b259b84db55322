"""Ways in which a line breaks what it carries; see :mod:`exchanges.broken`."""

import gzip
import re
from decimal import Decimal

from exchanges.broken import Frames, Session
from tickwire.exchanges.contract import Send

_PACKED = b"\x1f\x8b"  # how a gzip file begins
_LEVEL = r"\[[^][{}]*[0-9][^][{}]*\]|\{\"price[^][{}]*\}"  # as an array or an object


def _text(frame: bytes) -> str:
    """What a frame says, empty where that is no text."""
    plain = gzip.decompress(frame) if frame[:2] == _PACKED else frame
    return plain.decode() if plain[:1] in b"{[" else ""


def _framed(text: str, frame: bytes) -> bytes:
    """The frame that says this instead, if the one before said a text."""
    return frame if not text else gzip.compress(text.encode(), 1) if frame[:2] == _PACKED else text.encode()


def lost(_session: Session, _frame: bytes) -> Frames:
    """It does not arrive."""
    return []


def run_lost(session: Session, frame: bytes) -> Frames:
    """It and what comes in the next steps does not arrive."""

    def gone(_: Session, frame: bytes) -> Frames:
        session.data = run_lost if session.rng.random() < 0.3 else gone
        session.often = 0.05 if session.data is run_lost else 1.0
        return []

    session.data, session.often = gone, 1.0
    return []


def doubled(_session: Session, frame: bytes) -> Frames:
    """It arrives twice."""
    return [frame, frame]


def swapped(session: Session, frame: bytes) -> Frames:
    """It arrives after the next one."""

    def behind(_: Session, after: bytes) -> Frames:
        session.data, session.often = swapped, 0.05
        return [after, *([session.held.pop()] if session.held else [])]

    session.held.append(frame)
    session.data, session.often = behind, 1.0
    return []


def replayed(session: Session, frame: bytes) -> Frames:
    """What came before it comes again."""
    return [frame, *session.past]


def answer_again(session: Session, frame: bytes) -> Frames:
    """Something that the exchange answered before comes again: an acknowledgement, a snapshot."""
    return [frame, session.rng.choice(session.answers)]


def cut(session: Session, frame: bytes) -> Frames:
    """Its end is missing."""
    return [frame[: session.rng.randrange(1, len(frame))]]


def _digits(session: Session, frame: bytes, inside: bool) -> Frames:
    text = _text(frame)
    levels = [found.span() for found in re.finditer(_LEVEL, text)]
    names = [found.span() for found in re.finditer(r'"[^"]*[A-Za-z][^"]*"', text)]

    def within(at: int, spans: list[tuple[int, int]]) -> bool:
        return any(start <= at < end for start, end in spans)

    places = [f.start() for f in re.finditer(r"(?<![0-9])[1-9][0-9.]*|(?<=[0-9.])[0-9]", text)]
    channel = [(0, text.index(","))] if text[:1] == "[" else []  # whose number is as good as a name
    places = [at for at in places if within(at, levels) == inside and not within(at, [*names, *channel])]
    if not places:
        return [frame]
    at = session.rng.choice(places)
    other = str((int(text[at]) + session.rng.randrange(1, 9)) % 9 + 1)
    return [_framed(text[:at] + other + text[at + 1 :], frame)]


def number_changed(session: Session, frame: bytes) -> Frames:
    """A digit that belongs to no level is another one."""
    return _digits(session, frame, inside=False)


def level_changed(session: Session, frame: bytes) -> Frames:
    """A digit of a price or size is another one."""
    return _digits(session, frame, inside=True)


def level_lost(session: Session, frame: bytes) -> Frames:
    """A level is missing."""
    text = _text(frame)
    levels = list(re.finditer(rf"(,?)(?:{_LEVEL})(,?)", text))
    if not levels:
        return [frame]
    level = session.rng.choice(levels)
    return [_framed(text[: level.start()] + (level[1] and level[2]) + text[level.end() :], frame)]


def others(session: Session, frame: bytes) -> Frames:
    """It says that it is of the other symbol."""
    one, two = (symbol.native.encode() for symbol in session.symbols)
    return [frame.replace(one, two) if one in frame else frame.replace(two, one)]


def disconnected(session: Session, _frame: bytes) -> Frames:
    """The connection ends with it."""
    session.connect()
    return []


def snapshot_again(session: Session, frame: bytes) -> Frames:
    """The exchange sends what it sends to a new subscriber, unasked."""
    other = session.open()
    first = other.start(session.now_us)
    for output in session.new_adapter().start():
        if isinstance(output, Send):
            first += session.ask(other, output.payload)
    other.close()
    return [frame, *map(session.wire, first)]


def late(session: Session, frame: bytes) -> Frames:
    """An answer or snapshot arrives after some changes."""

    def behind(_: Session, after: bytes) -> Frames:
        if session.rng.random() < 0.5:
            return [after]
        session.data, session.often = None, 0.05
        frames, session.held = session.held, []
        return [after, *frames]

    session.held.append(frame)
    session.data, session.often = behind, 1.0
    return []


def garbage(session: Session, frame: bytes) -> Frames:
    """Something that no exchange says comes before it."""
    junk = [
        b"",
        b"\x00\xff\xfe",
        b"{",
        b"[]",
        b"[1,2,3]",
        b"null",
        b"<html>502 Bad Gateway</html>",
        b'{"a":{"b":[{}]}}',
    ]
    return [session.rng.choice(junk), frame]


def huge(_session: Session, frame: bytes) -> Frames:
    """A frame of a megabyte comes before it."""
    return [b'{"x":"%b"}' % (b"9" * 2**20), frame]


def emptied(_session: Session, frame: bytes) -> Frames:
    """Its levels are missing."""
    text = _text(frame)
    while (shorter := re.sub(rf"(\[|,)(?:{_LEVEL})(?=,|\])", r"\1", text)) != text:
        text = shorter
    return [_framed(re.sub(r"\[,+\]", "[]", text), frame)]


def torn(session: Session, frame: bytes) -> Frames:
    """It arrives in two parts, twice in one, or behind a mark that no JSON begins with."""
    at = session.rng.randrange(1, len(frame))
    return session.rng.choice([[frame[:at], frame[at:]], [frame + frame], [b"\xef\xbb\xbf" + frame]])


def spelled_otherwise(session: Session, frame: bytes) -> Frames:
    """The same text of JSON: names with escapes, spaces, numbers with exponents or more zeros."""

    def number(found: re.Match[str]) -> str:
        spellings = [found[0], found[0] + "00", f"{Decimal(found[0]):E}"]
        return session.rng.choice(spellings)

    text = re.sub(_LEVEL, lambda level: re.sub(r"(?<![\w.])\d+\.\d+(?![\w.])", number, level[0]), _text(frame))
    if session.rng.random() < 0.5:
        text = re.sub(r'(?<=[{,:])"([A-Za-z])', lambda name: rf'"\u{ord(name[1]):04x}', text)
    if session.rng.random() < 0.5:
        text = re.sub(r'([{}\[\]])(?=[{}\[\]"\d,]|$)', "\\1 ", text)
    return [_framed(text, frame)]


def stranger(session: Session, frame: bytes) -> Frames:
    """The same of a symbol that nobody asked for comes before it."""
    other = _text(frame)
    for symbol in session.symbols:
        other = other.replace(symbol.native, f"QQ{symbol.native}")
    other = re.sub(r"^\[\d+", "[987654321", other)  # or of a channel with another number
    return [_framed(other, frame), frame]
