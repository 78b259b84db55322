"""Numbers and times of frames as exact text and integers, for exchanges that write JSON numbers or RFC 3339 times."""

from tickwire.events.book import is_zero, price_key
from tickwire.events.decimals import decimal_text
from tickwire.events.times import micros

__all__ = ["best", "micros", "time_us"]


def best(price: object, size: object) -> tuple[str | None, str | None]:
    """Give a side's best price and size; an empty side is null or has size zero. Raises :exc:`ValueError`."""
    if price is None and size is None:
        return None, None
    price, size = decimal_text(price), decimal_text(size)
    price_key(price)
    return (None, None) if is_zero(size) else (price, size)


def time_us(text: str | None) -> int | None:
    """Microseconds since the epoch of an RFC 3339 time in UTC, if there is one. Raises :exc:`ValueError`."""
    return None if text is None else micros(text)
