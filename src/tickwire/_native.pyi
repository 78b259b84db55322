from collections.abc import Callable

from tickwire.events.decimals import is_zero as is_zero
from tickwire.events.decimals import price_key as price_key
from tickwire.events.numbers import PlainBookNumbers as BookNumbers
from tickwire.events.numbers import PlainNumber as Number
from tickwire.events.numbers import PlainUpdateId as UpdateId
from tickwire.events.short_way import PlainShortWay as ShortWay
from tickwire.events.side import Side as Side
from tickwire.events.times import micros as micros
from tickwire.events.top import PlainTopState as TopState
from tickwire.events.top import Top
from tickwire.kafka.producing.in_flight import Counts as Counts
from tickwire.kafka.producing.in_flight import DirectPublisher as DirectPublisher
from tickwire.kafka.producing.in_flight import InFlight as InFlight
from tickwire.kafka.producing.in_flight import InFlightTable as InFlightTable

__all__ = [
    "BookNumbers",
    "Counts",
    "DirectPublisher",
    "InFlight",
    "InFlightTable",
    "Number",
    "ShortWay",
    "ShortWayReceiver",
    "Side",
    "TopState",
    "UpdateId",
    "micros",
]

class ShortWayReceiver:
    def __init__(
        self,
        way: ShortWay,
        numbers: dict[str, BookNumbers],
        tops: dict[str, Top],
        direct: DirectPublisher,
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
