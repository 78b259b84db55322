"""Converts numbers and times in frames to exact text and integers.

For exchanges that send JSON numbers or RFC 3339 times, or sizes in contracts.
"""

from decimal import Decimal

from tickwire.events.book import is_zero, price_key
from tickwire.events.decimals import decimal_text, product
from tickwire.events.times import micros

__all__ = ["best", "known_us", "micros", "product", "size_in_units", "time_us"]


def best(price: object, size: object) -> tuple[str | None, str | None]:
    """A side's best price and size; null or a size of zero means an empty side. Raises :exc:`ValueError`."""
    if price is None:
        return None, None
    price, size = decimal_text(price), decimal_text(size)
    price_key(price)
    return (None, None) if is_zero(size) else (price, size)


def time_us(text: str | None) -> int | None:
    """Microseconds since the epoch of an RFC 3339 time in UTC, if there is one. Raises :exc:`ValueError`."""
    return None if text is None else micros(text)


def known_us(text: str | None) -> int | None:
    """The same, but None for a time before 1970, such as the year 1, which stands for no time."""
    us = time_us(text)
    return None if us is None or us < 0 else us


def in_contracts(size: str, contract_size: str) -> str:
    """The number of contracts of a size in units, without zeros at the end."""
    if contract_size == "1":
        return size
    number = f"{Decimal(size) / Decimal(contract_size):f}"
    return number.rstrip("0").rstrip(".") if "." in number else number


def size_in_units(size: str, contract_size: str) -> str:
    """The size of a number of contracts in units; unchanged if a contract is one unit. Raises :exc:`ValueError`."""
    return size if contract_size == "1" else product(size, contract_size)
