"""Market events: what happened on an exchange, in the exchange's own decimal text.

Prices and sizes are decimal text exactly as the exchange wrote it; times are integer microseconds since the epoch, UTC.
The order of fields is the order in which they are written into a record's value.
"""

from typing import Literal, TypeAlias

from msgspec import Struct

Micros: TypeAlias = int
Level: TypeAlias = tuple[str, str]  # price, size

Action: TypeAlias = Literal["snapshot", "delta", "invalid"]
TakerSide: TypeAlias = Literal["buy", "sell"]


class Ticker(Struct, tag_field="type", tag="ticker", kw_only=True, gc=False):
    """Best bid and ask after one message of the exchange. ``None``: the side is empty, or no size was given."""

    exchange: str
    symbol: str  # canonical, "BTC-USDT"
    exchange_symbol: str  # the exchange's own, "BTCUSDT"
    bid: str | None
    bid_size: str | None
    ask: str | None
    ask_size: str | None
    last: str | None = None  # price of the last trade, where the message says it
    sequence: int | None = None  # the exchange's number of the update, where it gives one
    exchange_us: Micros | None = None  # when the exchange says it happened
    received_us: Micros  # when our socket handed over the frame


class OrderBook(Struct, tag_field="type", tag="orderbook", kw_only=True):
    """One message of an order book: ``snapshot`` (all of it), ``delta`` (changed levels) or ``invalid`` (do not use).

    ``bids`` run from the highest price down, ``asks`` from the lowest up. In a delta, size ``"0"`` removes the level.
    Between an adapter and Kafka they may be undecoded JSON text (:class:`msgspec.Raw`); callbacks get lists
    (:func:`tickwire.events.levels.decode_levels`). ``epoch`` and ``book_seq`` are 0 until
    :class:`tickwire.events.sequencer.Sequencer` stamps them.
    """

    action: Action
    exchange: str
    symbol: str
    exchange_symbol: str
    depth: int | None  # levels a side that are true, there may be more; None: nothing is promised
    bids: list[Level]
    asks: list[Level]
    epoch: int = 0
    book_seq: int = 0
    # snapshot: initial, resync, reconnect, keyframe, update; invalid: gap, checksum, crossed, disconnect, stale,
    # overflow, moved; None in a delta
    reason: str | None = None
    sequence: int | None = None  # the exchange's number of the update after which the book stands
    exchange_us: Micros | None = None
    received_us: Micros


class Trade(Struct, tag_field="type", tag="trade", kw_only=True, gc=False):
    """One public execution. ``side`` is the taker's, never the maker's."""

    exchange: str
    symbol: str
    exchange_symbol: str
    trade_id: str  # the exchange's, as text; unique for the symbol
    price: str
    size: str
    side: TakerSide
    exchange_us: Micros | None = None
    received_us: Micros


MarketEvent: TypeAlias = Ticker | OrderBook | Trade
