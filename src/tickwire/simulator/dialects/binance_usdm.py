"""Binance USD-M futures as they look from outside: spot's dialect on two routes, its events linked by ``pu``.

Streams: https://developers.binance.com/docs/derivatives/usds-margined-futures/websocket-market-streams
REST and its limits: https://developers.binance.com/docs/derivatives/usds-margined-futures/general-info
Differences: an order book event leaves with every step of the market; only perpetual contracts and the streams
``bookTicker``, ``depth``, ``depth@100ms`` and ``aggTrade`` exist; an ``aggTrade`` joins nothing.
"""

from collections.abc import Mapping
from typing import ClassVar

from tickwire.simulator.dialect import Conversation, Kind
from tickwire.simulator.dialects import binance
from tickwire.simulator.instruments import Instrument
from tickwire.simulator.market import Book, Deal, Quote, Step

_NEVER_MS = 4_133_404_800_000  # when a perpetual contract ends
_ROUTES: dict[str, tuple[Kind, ...]] = {"public": ("ticker", "book"), "market": ("trade",)}


class Dialect(binance.Dialect):
    """Binance's perpetual contracts in USDT."""

    suffix = "-PERP"
    size_places = 3
    kinds: ClassVar[tuple[tuple[str, Kind], ...]] = (
        ("bookTicker", "ticker"),
        ("aggTrade", "trade"),
        ("depth@100ms", "book"),
        ("depth", "book"),
    )
    filled_to: ClassVar[int] = 0
    listing_path: ClassVar[str] = "/fapi/v1/exchangeInfo"
    listing_weight: ClassVar[int] = 1
    depth_weights: ClassVar[tuple[tuple[int, int], ...]] = ((50, 2), (100, 5), (500, 10), (1000, 20))
    weight_per_minute: ClassVar[int] = 2400

    ping_interval_s = 180.0
    messages_per_second = 10
    snapshot_path = "/fapi/v1/depth"

    def open(self, path: str, query: Mapping[str, str]) -> Conversation | None:
        """``/public`` and ``/market`` before spot's addresses; what belongs to the other one stays silent."""
        _, route, rest = path.split("/", 2) if path.count("/") > 1 else ("", "", "")
        carried = _ROUTES.get(route)
        if carried is None:
            return None
        streams = {name: stream for name, stream in self.streams.items() if stream.raw.kind in carried}
        return self.serve(f"/{rest}", query, streams)

    def trade(self, book: Book, deal: Deal, ms: int) -> str:
        """An ``aggTrade``."""
        price, size, maker = book.instrument.price, book.instrument.size, "false" if deal.buys else "true"
        return (
            f'{{"e":"aggTrade","E":{ms},"a":{deal.number},"s":"{book.instrument.native}","p":"{price(deal.ticks)}",'
            f'"q":"{size(deal.lots)}","f":{deal.number},"l":{deal.number},"T":{ms},"m":{maker},"st":1}}'
        )

    def ticker(self, book: Book, quote: Quote, ms: int) -> str:
        """A ``bookTicker`` with its time."""
        return f'{{"e":"bookTicker",{super().ticker(book, quote, ms)[1:-1]},"T":{ms},"E":{ms},"st":1}}'

    def numbers(self, book: Book, step: Step, ms: int) -> str:
        """With ``pu``, the last number of the event before."""
        more = f'"T":{ms},"ps":"{book.instrument.native}","st":1'
        return f'{more},{super().numbers(book, step, ms)},"pu":{step.first - 1}'

    def listed(self, symbol: str, instrument: Instrument) -> dict[str, object]:
        """A perpetual contract of the listing."""
        contract = {"pair": symbol, "contractType": "PERPETUAL", "deliveryDate": _NEVER_MS, "marginAsset": self.quote}
        return {**super().listed(symbol, instrument), **contract}
