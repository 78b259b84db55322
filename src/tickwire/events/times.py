"""Times in frames; ``native/times.c`` is the compiled form."""

from datetime import UTC, datetime, timedelta
from functools import lru_cache

from tickwire.compiled import compiled
from tickwire.events.types import Micros

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_ONE_SECOND = timedelta(seconds=1)


@compiled
def micros(timestamp: str) -> Micros:
    """Microseconds of an RFC 3339 time in UTC; further digits are cut off. Raises :exc:`ValueError`."""
    second, _, fraction = timestamp.removesuffix("Z").partition(".")
    if timestamp[-1:] != "Z" or (fraction and not (fraction.isascii() and fraction.isdigit())):
        raise ValueError(f"not a time in UTC: {timestamp[:40]!r}")
    return _second(second) * 1_000_000 + int(fraction[:6].ljust(6, "0"))


@lru_cache(maxsize=64)
def _second(text: str) -> int:
    return (datetime.strptime(text, "%Y-%m-%dT%H:%M:%S").replace(tzinfo=UTC) - _EPOCH) // _ONE_SECOND
