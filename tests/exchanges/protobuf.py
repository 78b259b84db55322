"""Writes Protocol Buffers: a message of fields, each a number, a text, or a message that was written before."""


def number(value: int) -> bytes:
    """A number without a sign."""
    low, rest = value & 0x7F, value >> 7
    return bytes([low | 0x80]) + number(rest) if rest else bytes([low])


def message(*fields: tuple[int, int | str | bytes]) -> bytes:
    """Fields in this order; one may come several times."""
    written = b""
    for name, value in fields:
        if isinstance(value, int):
            written += number(name << 3) + number(value)
        else:
            content = value.encode() if isinstance(value, str) else value
            written += number(name << 3 | 2) + number(len(content)) + content
    return written
