"""Integers of seven bits a byte, the lowest first, as both Avro and Protobuf write them.

https://avro.apache.org/docs/1.12.0/specification/#primitive-types-1
https://protobuf.dev/programming-guides/encoding/#varints
"""

from tickwire.errors import RecordRejected
from tickwire.events import protobuf


def put_varint(to: bytearray, number: int) -> None:
    """Append a number, which is not negative."""
    while number > 0x7F:
        to.append(number & 0x7F | 0x80)
        number >>= 7
    to.append(number)


def read_varint(data: bytes, at: int) -> tuple[int, int]:
    """The number that begins at *at*, and where it ends. Raises :exc:`~tickwire.errors.RecordRejected`."""
    try:
        return protobuf.read_varint(data, at)
    except ValueError as e:
        raise RecordRejected("deserialize", f"the value {e}") from None


def zigzag(number: int) -> int:
    """Map a signed number to an unsigned one that is small if the number is near zero."""
    return number << 1 if number >= 0 else (-number << 1) - 1


def unzigzag(number: int) -> int:
    """Undo :func:`zigzag`."""
    return number >> 1 if number & 1 == 0 else -(number + 1 >> 1)


def check_long(number: int) -> int:
    """Raise :exc:`OverflowError` for a number that does not fit into 64 bits with a sign."""
    if not -(1 << 63) <= number < 1 << 63:
        raise OverflowError(f"{number} does not fit into 64 bits, which Avro and Protobuf have for it")
    return number
