"""Bybit v5 perpetual contracts in USDT as they look from outside: spot's dialect at another address.

Topics: https://bybit-exchange.github.io/docs/v5/websocket/public/orderbook and …/trade
Listing: https://bybit-exchange.github.io/docs/v5/market/instrument
"""

from typing import ClassVar

from tickwire.simulator.dialects import bybit
from tickwire.simulator.instruments import Instrument


class Dialect(bybit.Dialect):
    """Bybit's perpetual contracts in USDT."""

    category: ClassVar[str] = "linear"
    suffix = "-PERP"
    path = "/v5/public/linear"
    most_topics: ClassVar[int | None] = None
    accepted: ClassVar[str] = ""
    wrong: ClassVar[str] = "error:handler not found,topic:{}"

    def of_listing(self, instrument: Instrument) -> dict[str, object]:
        """What a listing says besides, of a perpetual contract."""
        return {"contractType": "LinearPerpetual", "settleCoin": instrument.quote, "deliveryTime": "0"}
