"""Numbers and times of frames as exact text and integers, for exchanges that write JSON numbers or RFC 3339 times."""

from datetime import UTC, datetime, timedelta
from functools import lru_cache

from tickwire.events.book import is_zero, price_key
from tickwire.events.decimals import decimal_text
from tickwire.events.types import Micros

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_ONE_SECOND = timedelta(seconds=1)


def best(price: object, size: object) -> tuple[str | None, str | None]:
    """Give a side's best price and size; an empty side is null or has size zero. Raises :exc:`ValueError`."""
    if price is None and size is None:
        return None, None
    price, size = decimal_text(price), decimal_text(size)
    price_key(price)
    return (None, None) if is_zero(size) else (price, size)


def micros(timestamp: str) -> Micros:
    """Microseconds of an RFC 3339 time in UTC; finer digits are cut. Raises :exc:`ValueError`."""
    second, _, fraction = timestamp.removesuffix("Z").partition(".")
    if timestamp[-1:] != "Z" or (fraction and not (fraction.isascii() and fraction.isdigit())):
        raise ValueError(f"not a time in UTC: {timestamp[:40]!r}")
    return _second(second) * 1_000_000 + int(fraction[:6].ljust(6, "0"))


@lru_cache(maxsize=64)
def _second(text: str) -> int:
    return (datetime.strptime(text, "%Y-%m-%dT%H:%M:%S").replace(tzinfo=UTC) - _EPOCH) // _ONE_SECOND
