"""What the categories of Bybit v5 have in common: frames, requests, pages of the listing.

Books, their numbers and depths: https://bybit-exchange.github.io/docs/v5/websocket/public/orderbook
Trades: https://bybit-exchange.github.io/docs/v5/websocket/public/trade
Connections, requests, ping: https://bybit-exchange.github.io/docs/v5/ws/connect
Listing: https://bybit-exchange.github.io/docs/v5/market/instrument, REST limits: https://bybit-exchange.github.io/docs/v5/rate-limit

Not written there, but seen in 2026: one topic that is not carried refuses its whole request; a level that leaves the
depth comes as a removal.
"""

import re
from collections.abc import Callable, Sequence
from typing import Annotated, Generic, Literal, TypeVar

import msgspec
from msgspec import Meta, Raw, Struct, field

from tickwire.errors import FrameRejected
from tickwire.events.types import Micros, TakerSide
from tickwire.exchanges import contract
from tickwire.exchanges.contract import Channel, Output, Symbol, decoded, malformed
from tickwire.exchanges.kit import BookEvent, Item, KitAdapter, Method, StreamedBook, by_step
from tickwire.exchanges.messages import BookMessages
from tickwire.exchanges.symbols import Listing

_TICKER_MARK, _TRADE_MARK = b'"orderbook.1.', b'"publicTrade.'
_BOOK, _OUR_NUMBER = re.compile(r"orderbook\.([0-9]{1,4})\.(.*)"), re.compile("[0-9]{1,9}")
_SIDES: dict[str, TakerSide] = {"Buy": "buy", "Sell": "sell"}

_Levels = TypeVar("_Levels")
_Number = Annotated[int, Meta(ge=0, le=2**53)]


class _Book(Struct, Generic[_Levels], gc=False):
    symbol: str = field(name="s")
    bids: _Levels = field(name="b")
    asks: _Levels = field(name="a")
    update_id: _Number = field(name="u")


class _Frame(Struct, Generic[_Levels], gc=False):
    topic: str
    type: Literal["snapshot", "delta"]
    data: _Book[_Levels]
    sent_ms: _Number = field(name="ts")
    made_ms: _Number | None = field(name="cts", default=None)  # by the matching engine

    @property
    def exchange_us(self) -> Micros:
        return 1000 * (self.sent_ms if self.made_ms is None else self.made_ms)


class _Trade(Struct, gc=False):
    symbol: str = field(name="s")
    trade_id: str = field(name="i")
    price: str = field(name="p")
    size: str = field(name="v")
    side: Literal["Buy", "Sell"] = field(name="S")  # "side of taker"
    time_ms: _Number = field(name="T")


class _Trades(Struct, gc=False):
    topic: str
    data: list[_Trade]


class _Other(Struct):
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


_decode_best = msgspec.json.Decoder(_Frame[list[tuple[str, str]]]).decode
_decode_book = msgspec.json.Decoder(_Frame[Raw]).decode
_decode_trades = msgspec.json.Decoder(_Trades).decode
_decode_other = msgspec.json.Decoder(_Other).decode
_decode_listing = msgspec.json.Decoder(_Answer).decode


def read_page(body: bytes, name: Callable[[Listed], Symbol]) -> tuple[Listing, str]:
    """Read a page of the listing, and where the next one begins. Raises :exc:`~tickwire.errors.FrameRejected`."""
    answer = decoded("instruments-info", _decode_listing, body)
    if answer.code:
        raise malformed("instruments-info", f"the exchange answered {answer.message!r} (code {answer.code})")
    listed = answer.result.listed
    resting = {one.symbol: one.status for one in listed if one.status != "Trading"}
    return Listing([name(one) for one in listed], resting=resting), answer.result.cursor


class BybitAdapter(KitAdapter[StreamedBook]):
    """One connection to one category. See :class:`~tickwire.exchanges.contract.AdapterContract`."""

    whole = True
    ping_text = b'{"op":"ping"}'

    def receive(self, payload: bytes, received_us: Micros) -> list[Output]:
        """Translate one frame. Raises :exc:`~tickwire.errors.FrameRejected`."""
        try:
            if _TICKER_MARK in payload:  # only a hint: what is something else is not of its topic
                return self._best(_decode_best(payload), received_us)
            if _TRADE_MARK in payload:
                return self._executions(_decode_trades(payload), received_us)
            return self._change(_decode_book(payload), received_us)
        except contract.UNREADABLE:
            return self._other(payload)

    def keep(self, symbol: Symbol) -> StreamedBook:
        """Make a book. "u is always in sequence", and 1 after a restart of the service; any snapshot replaces it."""
        messages = BookMessages(self.exchange.name, symbol, self.depth)
        return StreamedBook(symbol, messages, self.again, follows=by_step)

    def write(self, method: Method, items: Sequence[Item], number: int | None) -> bytes:
        """Ask for topics by their names."""
        request = {"op": method, "args": [self._topic(channel, symbol.native) for channel, symbol in items]}
        return msgspec.json.encode(request if number is None else request | {"req_id": str(number)})

    def _topic(self, channel: Channel, native: str) -> str:
        if channel == "trade":
            return f"publicTrade.{native}"
        return f"orderbook.{1 if channel == 'ticker' else self.depth}.{native}"

    def _best(self, frame: _Frame[list[tuple[str, str]]], received_us: Micros) -> list[Output]:
        """Take the best level of each side: "level 1 data has snapshot message only"."""
        data, native = frame.data, frame.data.symbol
        if frame.topic != self._topic("ticker", native):
            raise _unasked(frame.topic)
        if frame.type != "snapshot":
            raise malformed(f"ticker of {native}", "a change, where every message is a snapshot")
        best, number, at_us = (*_first(data.bids), *_first(data.asks)), data.update_id, frame.exchange_us
        return self.ticker(native, *best, received_us, sequence=number, exchange_us=at_us)

    def _change(self, frame: _Frame[Raw], received_us: Micros) -> list[Output]:
        data = frame.data
        kept = self.kept(data.symbol)
        if frame.topic != f"orderbook.{kept.messages.depth}.{kept.native}":
            self._take_depth(kept, frame)
        event = BookEvent(data.bids, data.asks, data.update_id, exchange_us=frame.exchange_us)
        out = kept.change(event, received_us) if frame.type == "delta" else kept.snapshot(event, received_us)
        return self.heard(kept, out) if kept.new else out

    def _take_depth(self, kept: StreamedBook, frame: _Frame[Raw]) -> None:
        """Promise the depth at which a book begins: what the exchange says counts, not what we asked for."""
        depth = _BOOK.fullmatch(frame.topic)
        if depth is None or depth[2] != kept.native or not kept.new or frame.type != "snapshot":
            raise _unasked(frame.topic)
        kept.promise(int(depth[1]))

    def _executions(self, frame: _Trades, received_us: Micros) -> list[Output]:
        out: list[Output] = []
        for one in frame.data:
            if frame.topic != self._topic("trade", one.symbol):
                raise _unasked(frame.topic)
            of_trade = one.symbol, one.trade_id, one.price, one.size, _SIDES[one.side]
            out += self.trade(*of_trade, received_us, exchange_us=one.time_ms * 1000)
        return out

    def _other(self, payload: bytes) -> list[Output]:
        """Take what is no data of a book."""
        other = decoded("frame", _decode_other, payload)
        if other.op in {"ping", "pong", "unsubscribe"}:
            return []
        if other.op == "subscribe":
            return self._subscribed(other)
        if other.topic is not None and other.topic.startswith(("orderbook.", "publicTrade.")):
            raise malformed("frame", payload)
        raise FrameRejected("unknown", f"a message {payload[: contract.MAX_TEXT]!r}")

    def _subscribed(self, answer: _Other) -> list[Output]:
        """Take the answer to a request; a topic that was carried already is one that is carried."""
        name = str(answer.req_id)
        number, said = int(name) if _OUR_NUMBER.fullmatch(name) else 0, answer.ret_msg[: contract.MAX_TEXT]
        alone = len(self._requests.asked(number)) == 1
        carried = answer.success or (alone and "already subscribed" in said)
        return self.answered(number, None if carried else said)


def _first(levels: list[tuple[str, str]]) -> tuple[str | None, str | None]:
    return levels[0] if levels else (None, None)


def _unasked(topic: str) -> FrameRejected:
    return FrameRejected("unknown", f"a message of {topic!r:.100}, which was not asked for")
