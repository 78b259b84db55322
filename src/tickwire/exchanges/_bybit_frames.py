"""What Bybit v5 sends, and what a page of its listing has.

Books: https://bybit-exchange.github.io/docs/v5/websocket/public/orderbook, trades: …/public/trade
Listing: https://bybit-exchange.github.io/docs/v5/market/instrument
"""

from collections.abc import Callable
from typing import Annotated, Generic, Literal, TypeAlias, TypeVar

import msgspec
from msgspec import Meta, Raw, Struct, field

from tickwire.events.book import is_zero
from tickwire.events.types import Micros
from tickwire.exchanges.contract import Symbol, decoded, malformed
from tickwire.exchanges.symbols import Listing

Best: TypeAlias = list[tuple[str, str]]
_Levels = TypeVar("_Levels")
_Number = Annotated[int, Meta(ge=0, le=2**53)]


class Book(Struct, Generic[_Levels], gc=False):
    symbol: str = field(name="s")
    bids: _Levels = field(name="b")
    asks: _Levels = field(name="a")
    update_id: _Number = field(name="u")


class Frame(Struct, Generic[_Levels], gc=False):
    topic: str
    type: Literal["snapshot", "delta"]
    data: Book[_Levels]
    sent_ms: _Number = field(name="ts")
    made_ms: _Number | None = field(name="cts", default=None)  # by the matching engine

    @property
    def exchange_us(self) -> Micros:
        return 1000 * (self.sent_ms if self.made_ms is None else self.made_ms)


class Trade(Struct, gc=False):
    symbol: str = field(name="s")
    trade_id: str = field(name="i")
    price: str = field(name="p")
    size: str = field(name="v")
    side: Literal["Buy", "Sell"] = field(name="S")  # "side of taker"
    time_ms: _Number = field(name="T")


class Trades(Struct, gc=False):
    topic: str
    data: list[Trade]


class Other(Struct):
    """An answer to a request, or data of a topic that is none of ours."""

    op: str | None = None
    success: bool = False
    ret_msg: str = ""
    req_id: str | int = ""
    topic: str | None = None


class Listed(Struct):
    """An instrument."""

    symbol: str
    status: str
    base: str = field(name="baseCoin")
    quote: str = field(name="quoteCoin")
    kind: str = field(name="contractType", default="")
    settlement: str = field(name="settleCoin", default="")
    ends_ms: Annotated[str, Meta(pattern="^[0-9]{1,16}$")] = field(name="deliveryTime", default="0")


class _Page(Struct):
    listed: list[Listed] = field(name="list", default_factory=list)
    cursor: str = field(name="nextPageCursor", default="")


class _Answer(Struct):
    code: int = field(name="retCode")
    message: str = field(name="retMsg")
    result: _Page


decode_best = msgspec.json.Decoder(Frame[Best]).decode
decode_book = msgspec.json.Decoder(Frame[Raw]).decode
decode_trades = msgspec.json.Decoder(Trades).decode
decode_other = msgspec.json.Decoder(Other).decode
_decode_listing = msgspec.json.Decoder(_Answer).decode


def read_page(body: bytes, name: Callable[[Listed], Symbol]) -> tuple[Listing, str]:
    """Read a page of the listing, and where the next one begins. Raises :exc:`~tickwire.errors.FrameRejected`."""
    answer = decoded("instruments-info", _decode_listing, body)
    if answer.code:
        raise malformed("instruments-info", f"the exchange answered {answer.message!r} (code {answer.code})")
    listed = answer.result.listed
    resting = {one.symbol: one.status for one in listed if one.status != "Trading"}
    return Listing([name(one) for one in listed], resting=resting), answer.result.cursor


def changed(best: Best, changes: Best) -> Best:
    """A side of one level after changes, as they were sent until 2024; a size of zero removes. Raises ValueError."""
    return [(price, size) for price, size in (dict(best) | dict(changes)).items() if not is_zero(size)]
