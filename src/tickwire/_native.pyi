from collections.abc import Callable

from tickwire.events.decimals import is_zero as is_zero
from tickwire.events.decimals import price_key as price_key
from tickwire.events.running import PlainApplied as Applied
from tickwire.events.running import PlainNumber as Number
from tickwire.events.running import PlainRunning as Running
from tickwire.events.short_way import PlainShortWay as ShortWay
from tickwire.events.side import Side as Side
from tickwire.events.times import micros as micros
from tickwire.events.top import PlainWritten as Written
from tickwire.events.top import Top
from tickwire.kafka.producing.in_flight import Counts as Counts
from tickwire.kafka.producing.in_flight import Entry as Entry
from tickwire.kafka.producing.in_flight import Flights as Flights
from tickwire.kafka.producing.in_flight import Outlet as Outlet

__all__ = [
    "Applied",
    "Counts",
    "Entry",
    "Flights",
    "Number",
    "Outlet",
    "Relay",
    "Running",
    "ShortWay",
    "Side",
    "Written",
    "micros",
]

class Relay:
    def __init__(
        self,
        way: ShortWay,
        runnings: dict[str, Running],
        tops: dict[str, Top],
        outlet: Outlet,
        clock: Number,
        frames: Number,
        tickers: Number,
        books: Number,
        types: tuple[type, type],
        message: Callable[[bytes], None],
        failed: Callable[[Exception], None],
        /,
    ) -> None: ...
    def __call__(self, payload: bytes, /) -> None: ...
