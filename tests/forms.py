"""The two forms of what is compiled where a compiler is: tests that state what it does run on both."""

from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType
from unittest.mock import patch

from tickwire.events import book, decimals, short_way, side, times
from tickwire.exchanges import binance, kraken, numbers
from tickwire.kafka.producing import in_flight, outage_buffer, producer_link, publisher, when_full

FORMS = ["python"]
try:
    from tickwire import _native
except ImportError:
    pass
else:
    FORMS.append("compiled")


@contextmanager
def use(form: str) -> Iterator[None]:
    """Let books be made in this form, and numbers be read in it, by whoever asks :mod:`tickwire.events.book`."""
    compiled = form == "compiled"
    of_side: ModuleType = _native if compiled else side
    of_numbers: ModuleType = _native if compiled else decimals
    of_times: ModuleType = _native if compiled else times
    way = short_way.ShortWay if compiled else short_way.PlainShortWay
    with (
        patch.multiple(book, Side=of_side.Side, price_key=of_numbers.price_key, is_zero=of_numbers.is_zero),
        patch.object(binance, "ShortWay", way),
        patch.object(numbers, "micros", of_times.micros),
        patch.multiple(kraken, ShortWay=way, micros=of_times.micros),
    ):
        yield


@contextmanager
def use_flight(form: str) -> Iterator[None]:
    """Let publishers be made whose records are on their way in this form."""
    of: ModuleType = _native if form == "compiled" else in_flight
    with (
        patch.multiple(publisher, InFlight=of.InFlight, DirectPublisher=of.DirectPublisher),
        patch.multiple(producer_link, InFlightTable=of.InFlightTable),
        patch.multiple(when_full, InFlight=of.InFlight),
        patch.multiple(outage_buffer, InFlight=of.InFlight),
    ):
        yield
